"""Compare the training speed of ssd-bench with a textbook PyTorch loop, sktime, aeon and tsai.

    make peers                                                     # environments of the other libraries (peers/README.md)
    python benchmarks/peers.py --out results/speed
    python benchmarks/peers.py --peers ssd-bench,textbook --shapes 64x150 --networks lite --rounds 1

Every library trains the same networks with the same batch size and epochs, in a separate process and environment. Libraries
take turns, in another order in every round; ratios are medians of the rounds' ratios. A library that cannot be started or fails is
left out, with the reason. With --workers 2, two processes of one thread train at once, as in ssd-bench on two cores.

The real datasets are bundled with aeon; the others are noise. "~" marks measurements during which other programs used more than a
quarter of a core in every round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from machine import describe, sentence

HERE = Path(__file__).resolve().parent
OWN = ("ssd-bench", "textbook")
"""Peers that need no other environment."""
PEERS = (*OWN, "sktime", "aeon", "tsai")
NETWORKS = ("inception", "resnet", "lite")
BUNDLED = ("GunPoint", "ItalyPowerDemand", "BasicMotions")
SHAPES = (*BUNDLED, "200x427", "100x1460")
QUIET = 0.25
"""Cores that all other programs may use during a quiet measurement."""
STEPS = 75_000
"""Cases × time steps × epochs of one turn."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


class PeerError(Exception):
    """A library that cannot be started or cannot do a job."""


class Process:
    """A process of a library that trains on request (peers/serve.py)."""

    def __init__(self, peer: str, python: Path, threads: int, folder: Path) -> None:
        self.log = folder / f"{peer}-{time.monotonic_ns()}.log"
        variables = os.environ | dict.fromkeys(THREADS, str(threads)) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [str(python), str(HERE / "peers" / f"run_{peer.replace('-', '_')}.py")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=folder, env=variables
            )

    def send(self, message: dict[str, Any]) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerError(self._reason()) from error

    def receive(self, seconds: float) -> dict[str, Any]:
        """Return the next line."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise PeerError(f"no answer within {seconds:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(self._reason())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def cpu_seconds(self) -> float:
        """Return the processor seconds of the process and its children."""
        process = psutil.Process(self.process.pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
        return sum(one.user + one.system for one in times) + sum(process.cpu_times()[2:4])

    def close(self) -> int:
        """End the process; return its exit status."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            return self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _reason(self) -> str:
        status = self.close()
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"it ended with status {status}{': ' + lines[-1] if lines else ''}"


@dataclass
class Team:
    """Processes of one library that do every job at the same time."""

    peer: str
    processes: list[Process]
    networks: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def greet(self, seconds: float) -> None:
        """Wait until all processes have imported the library."""
        for process in self.processes:
            hello = process.receive(seconds)
            self.networks, self.versions = hello["networks"], hello["versions"]

    def train(self, job: dict[str, Any], seconds: float) -> tuple[dict[str, float], float]:
        """Train; return epochs per second of all processes together, by column, and the cores that other programs used."""
        for process in self.processes:
            process.send(job)
        for process in self.processes:
            process.receive(seconds)  # the end of the warm-up
        started, busy, own = time.perf_counter(), _busy_seconds(), self._cpu_seconds()
        for process in self.processes:
            process.send({"go": True})
        answers = [process.receive(seconds)["laps"] for process in self.processes]
        others = (_busy_seconds() - busy - self._cpu_seconds() + own) / (time.perf_counter() - started)
        return {column: sum(1 / median(answer[column]) for answer in answers) for column in answers[0]}, others

    def _cpu_seconds(self) -> float:
        return sum(process.cpu_seconds() for process in self.processes)


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return sum(times) - sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "guest", "guest_nice"))


@dataclass(frozen=True)
class Measurement:
    """Epochs per second of one column in one round."""

    round: int
    row: tuple[str, str, int]
    column: str
    rate: float
    others: float


def prepare(name: str, folder: Path) -> Path:
    """Write a training set to a file: a bundled dataset, or noise of a shape as 64x150 or 40x100x6 (cases, steps, channels)."""
    if name in BUNDLED:
        from aeon.datasets import load_classification

        X, labels = load_classification(name, split="train")
        X, y = X.astype(np.float32), np.unique(labels, return_inverse=True)[1]
    else:
        try:
            n_cases, n_timepoints, n_channels = [*map(int, name.split("x")), 1][:3]
        except ValueError:
            raise SystemExit(f"Unknown shape '{name}'. Known: {', '.join(BUNDLED)}, or cases x steps, as in 64x150.") from None
        X = np.random.default_rng(0).standard_normal((n_cases, n_channels, n_timepoints)).astype(np.float32)
        y = np.arange(n_cases) % 2
    np.savez(folder / f"{name}.npz", X=X, y=y.astype(np.int64))
    return folder / f"{name}.npz"


def start(options: argparse.Namespace, folder: Path) -> tuple[list[Team], dict[str, str]]:
    """Start all processes; return the teams that answer, and the reasons for which others are left out."""
    teams, left_out = [], {}
    for peer in options.peers:
        python = Path(sys.executable) if peer in OWN else options.peers_dir.absolute() / peer / "bin" / "python"
        if not python.exists():
            left_out[peer] = f"no environment at {options.peers_dir / peer} (see benchmarks/peers/README.md)"
            continue
        threads = options.threads if options.workers == 1 else 1
        team = Team(peer, [Process(peer, python, threads, folder) for _ in range(options.workers)])
        try:
            team.greet(options.limit)
            teams.append(team)
        except PeerError as error:
            left_out[peer] = str(error)
    return teams, left_out


def measure(options: argparse.Namespace, teams: list[Team], left_out: dict[str, str], folder: Path) -> list[Measurement]:
    """Measure all rounds; a team that fails is removed."""
    found = []
    for number in range(options.rounds):
        for name in options.shapes:
            path = prepare(name, folder)
            with np.load(path) as data:
                size = data["X"].shape
            epochs = options.epochs or max(3, min(10, round(STEPS / (size[0] * size[2]))))
            for network in options.networks:
                job = {"network": network, "data": str(path), "batch_size": 64, "epochs": epochs}
                for team in random.sample(teams, len(teams)):
                    if network not in team.networks:
                        continue
                    try:
                        rates, others = team.train(job, options.limit)
                    except PeerError as error:
                        left_out[team.peer] = f"{name}, {network}: {error}"
                        teams.remove(team)
                        continue
                    title = f"{name} ({' × '.join(map(str, size))})"
                    found += [Measurement(number, (title, network, epochs), c, rate, others) for c, rate in rates.items()]
                    print(*found[-1].row, team.peer, f"{1000 / found[-1].rate:.1f} ms", file=sys.stderr, flush=True)
    return found


def table(found: Iterable[Measurement]) -> str:
    """Return a table: milliseconds per epoch, and the speed of ssd-bench relative to the textbook and to the best library."""
    rows: dict[tuple[str, str, int], dict[str, dict[int, Measurement]]] = {}
    for one in found:
        rows.setdefault(one.row, {}).setdefault(one.column, {})[one.round] = one
    columns = sorted({column for row in rows.values() for column in row}, key=[*PEERS, "aeon-bare"].index)
    lines = [["set (cases × channels × length)", "network", "epochs", *columns, "× textbook", "× best library"]]
    lines.append(["---"] * len(lines[0]))
    for (title, network, epochs), row in rows.items():
        shown = {}
        for column, rounds in row.items():
            quiet = [one for one in rounds.values() if one.others < QUIET]
            shown[column] = f"{'' if quiet else '~'}{1000 / median(one.rate for one in quiet or rounds.values()):.3g}"
        best = max((c for c in row if c not in OWN), key=lambda c: median(o.rate for o in row[c].values()), default="")
        ratios = [_ratio(row, "textbook"), f"{_ratio(row, best)} ({best})" if best else "–"]
        lines.append([title, network, str(epochs), *(shown.get(column, "–") for column in columns), *ratios])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ratio(row: dict[str, dict[int, Measurement]], other: str) -> str:
    ours, theirs = row.get("ssd-bench", {}), row.get(other, {})
    both = ours.keys() & theirs.keys()
    return f"{median(ours[number].rate / theirs[number].rate for number in both):.2f}" if both else "–"


def main() -> None:
    """Measure, print the table, and write it to the folder --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, known in (("peers", PEERS), ("networks", NETWORKS), ("shapes", SHAPES)):
        parser.add_argument(f"--{name}", type=lambda text: text.split(","), default=list(known), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="of a turn; 3 to 10 by default, by the size of the set")
    parser.add_argument("--threads", type=int, default=1, help="of the one process")
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread that train at once")
    parser.add_argument("--peers-dir", type=Path, default=Path("build/peers"), help="environments of the libraries")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a library is given up")
    parser.add_argument("--out", type=Path, help="folder for peers.md")
    options = parser.parse_args()
    machine, teams = describe(), []
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        try:
            teams, left_out = start(options, Path(folder))
            versions = "; ".join(f"{team.peer}: {', '.join(f'{n} {v}' for n, v in team.versions.items())}" for team in teams)
            found = measure(options, teams, left_out, Path(folder))
        finally:
            for team in teams:
                for process in team.processes:
                    process.close()
    reasons = [f"Left out: {peer}: {reason}." for peer, reason in left_out.items()]
    title = (
        f"Milliseconds of an epoch; processes: {options.workers}, threads of each: {1 if options.workers > 1 else options.threads}"
    )
    parts = [f"# {title}", f"`{machine['command']}`", sentence(machine), f"Versions: {versions}.", *reasons, table(found)]
    page = "\n\n".join(parts) + "\n"
    print(page, end="")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "peers.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
