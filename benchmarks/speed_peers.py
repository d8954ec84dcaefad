"""Training speed of ssd-bench beside a textbook PyTorch loop, sktime, aeon and tsai.

    python benchmarks/speed_peers.py --out results/speed          # the whole table
    python benchmarks/speed_peers.py --quick                      # one round of three sets
    python benchmarks/speed_peers.py --peers textbook --shapes 64x150 --networks lite --threads 1 --cells none
    python benchmarks/speed_peers.py --out results/speed --add --shapes ACSF1-like,1000x500 --cells none       # joins what is there

Every peer trains the same networks, batch size and epochs in a process of its own, in its own environment (peers/README.md), one
after another, in another order in every round; a peer without an environment is left out, with the reason. Then several cells at
once: N processes of one thread, which is how ssd-bench uses N cores, beside one process of N threads. The environments:

    for peer in aeon sktime tsai; do
        python3 -m venv build/peers/$peer && build/peers/$peer/bin/pip install -r benchmarks/peers/$peer.txt
    done

The real sets are aeon's bundled ones; "OSULeaf-like" and "ACSF1-like" are noise of those sets' shapes. Run it on an idle machine:
times of epochs during which others used more than a quarter of a core are left out where quieter ones exist, and marked where not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from crew import Crew, PeerError
from machine import describe, sentence
from speed_tables import Measurement, Results, cells_table, epoch_table, notes

from ssd_cli.errors import SsdBenchError

OWN = ("ssd-bench", "textbook")
PEERS = (*OWN, "sktime", "aeon", "tsai")
NETWORKS = ("inception", "resnet", "lite")
BUNDLED = ("GunPoint", "ItalyPowerDemand", "BasicMotions")
SYNTHETIC = {"OSULeaf-like": (200, 1, 427, 6), "ACSF1-like": (100, 1, 1460, 10), "1000x500": (1000, 1, 500, 10)}
CELLS = (("GunPoint", "inception"), ("ItalyPowerDemand", "inception"))
"""What several processes at once are measured with."""
LARGE = 100_000
"""Time steps of a set from which a third of the rounds, and one epoch a turn, are enough."""
STEPS_OF_A_TURN = 75_000
"""Time steps (cases × length × epochs) that a turn is about."""


@dataclass(frozen=True)
class Shape:
    """A training set to be timed, in a file.

    Parameters
    ----------
    name : str
    size : tuple of int
        Cases, channels, time steps.
    path : Path
    """

    name: str
    size: tuple[int, int, int]
    path: Path

    @property
    def title(self) -> str:
        """Name and size."""
        return f"{self.name} ({' × '.join(map(str, self.size))})"

    @property
    def epochs(self) -> int:
        """Epochs of a turn: 3 to 10, so that the first, which fetches memory and makes the network, is not their median; else 1."""
        steps = self.size[0] * self.size[2]
        return 1 if steps >= LARGE else max(3, min(10, round(STEPS_OF_A_TURN / steps)))

    def rounds(self, rounds: int) -> int:
        """In how many rounds it takes part."""
        return rounds if self.size[0] * self.size[2] < LARGE else -(-rounds // 3)


def prepare(name: str, folder: Path) -> Shape:
    """Write a set to a file that all peers can read: bundled, of a known shape, or of a size such as 64x150 or 40x6x100."""
    path = folder / f"{name}.npz"
    if name in BUNDLED:
        from ssd_cli.archives.load import load
        from ssd_cli.archives.prepare import default_preparation
        from ssd_cli.protocol.split import split

        training_set, _ = split(load(name, download=False), 0, default_preparation(name))
        X, y = training_set.X, training_set.y
    else:
        n_cases, n_channels, n_timepoints, n_classes = SYNTHETIC.get(name) or _size(name)
        X = np.random.default_rng(0).standard_normal((n_cases, n_channels, n_timepoints)).astype(np.float32)
        y = np.arange(n_cases, dtype=np.int64) % n_classes
    np.savez(path, X=X, y=y)
    return Shape(name, X.shape, path)


def _size(text: str) -> tuple[int, int, int, int]:
    try:
        numbers = [int(part) for part in text.split("x")]
        n_cases, n_channels, n_timepoints = (numbers[0], 1, numbers[1]) if len(numbers) == 2 else numbers
    except ValueError:
        known = ", ".join((*BUNDLED, *SYNTHETIC))
        raise SystemExit(
            f"Unknown shape '{text}'. Known: {known}; or cases x length, or cases x channels x length, as in 64x150."
        ) from None
    return n_cases, n_channels, n_timepoints, 2


class Crews:
    """All processes of a run, and why some are missing."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.left_out: dict[str, str] = {}
        self._crews: list[Crew] = []
        in_cells = any(shape in options.shapes and network in options.networks for shape, network in CELLS)
        for peer in PEERS:
            if peer not in options.peers:
                continue
            python = Path(sys.executable) if peer in OWN else options.peers_dir.absolute() / peer / "bin" / "python"
            if not python.exists():
                self.left_out[peer] = f"no environment at {options.peers_dir / peer} (see benchmarks/peers/README.md)"
                continue
            together = options.workers > 1 and (options.cells == "all" or (options.cells == "own" and peer in OWN))
            for processes, threads in [(1, options.threads), *([(options.workers, 1)] if together and in_cells else [])]:
                environment = {"SPEED_ENGINE": options.engine}
                self._crews.append(Crew(peer, python, processes, threads, folder, environment))
        for crew in self._crews.copy():
            try:
                crew.greet(options.limit)
            except PeerError as error:
                self.drop(crew, str(error))

    def drop(self, crew: Crew, reason: str) -> None:
        """Go on without a crew."""
        self.left_out[f"{crew.peer} ({crew.processes} × {crew.threads} threads)"] = reason
        _say(f"without {crew.peer}: {reason}")
        crew.close()
        self._crews.remove(crew)

    def turns(self, shape: str, network: str, first: int) -> list[Crew]:
        """Those that have work with a set and a network, beginning with another one in every round."""
        able = [crew for crew in self._crews if network in crew.networks]
        able = [crew for crew in able if crew.processes == 1 or (shape, network) in CELLS]
        return [able[(first + i) % len(able)] for i in range(len(able))]

    def versions(self) -> dict[str, dict[str, str]]:
        """Versions of what each peer is made of."""
        return {crew.peer: crew.versions for crew in self._crews}

    def close(self) -> None:
        """End all processes."""
        for crew in self._crews:
            crew.close()


def measure(options: argparse.Namespace, crews: Crews, shapes: list[Shape]) -> list[Measurement]:
    """All rounds: every set and network in turn, one crew after another."""
    measurements = []
    began = time.monotonic()
    for number in range(options.rounds):
        for shape in shapes:
            if number >= shape.rounds(options.rounds):
                continue
            epochs = options.epochs or shape.epochs
            for network in options.networks:
                job = {"network": network, "data": str(shape.path), "batch_size": options.batch_size, "epochs": epochs}
                for crew in crews.turns(shape.name, network, number):
                    try:
                        answer = crew.train(job, options.limit)
                    except PeerError as error:
                        crews.drop(crew, f"{shape.name}, {network}: {error}")
                        continue
                    for column, laps in answer.laps.items():
                        way = crew.processes, crew.threads
                        one = Measurement(
                            number, shape.title, network, column, *way, laps, round(answer.others, 3), answer.execution
                        )
                        measurements.append(one)
                        _say(f"{time.monotonic() - began:5.0f} s  round {number + 1}/{options.rounds}  {one}")
    return measurements


def report(options: argparse.Namespace, runs: list[dict], measurements: list[Measurement]) -> str:
    """The page."""
    results = Results(measurements)
    parts = ["# Training speed beside its peers"]
    for run in runs:
        parts += [f"`{run['machine']['command']}`", sentence(run["machine"])]
        parts += [f"Left out: {peer}: {reason}." for peer, reason in run["left_out"].items()]
    named = {peer: found for run in runs for peer, found in run["versions"].items()}
    versions = (f"{peer}: {', '.join(f'{name} {version}' for name, version in found.items())}" for peer, found in named.items())
    parts += [f"Versions: {'; '.join(versions)}.", f"Engine of ssd-bench: {options.engine}; batch size {options.batch_size}."]
    parts += [f"## Milliseconds an epoch, one training; threads: {options.threads}", epoch_table(results, options.threads)]
    if any(one.processes > 1 for one in measurements):
        parts += [
            "## Many cells: epochs a second on all cores",
            f"ssd-bench's way: {options.workers} processes of one thread.",
            cells_table(results, options.workers, options.threads),
        ]
    return "\n\n".join([*parts, "## What differs in the work", notes(results)]) + "\n"


def before(path: Path) -> tuple[list[dict], list[Measurement]]:
    """The runs and measurements that a file holds; none where there is none."""
    found = json.loads(path.read_text()) if path.exists() else {"runs": [], "measurements": []}
    return found["runs"], [Measurement(**one) for one in found["measurements"]]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated (default: all)")
    parser.add_argument(
        "--shapes", help=f"comma-separated: {', '.join((*BUNDLED, *SYNTHETIC))}, or sizes such as 64x150 (default: all)"
    )
    parser.add_argument("--networks", default=",".join(NETWORKS), help="comma-separated (default: all)")
    parser.add_argument("--rounds", type=int, help="default 2 (of large sets a third, rounded up); 1 with --quick")
    parser.add_argument("--epochs", type=int, help="epochs of a turn (default: by the size of the set: 1, or 3 to 10)")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2, help="of the one process (default 2)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once in the second table (default 2)")
    parser.add_argument(
        "--cells", choices=("all", "own", "none"), help="whose processes the second table has (default all; --quick: own)"
    )
    parser.add_argument("--quick", action="store_true", help="one round of GunPoint, ItalyPowerDemand and OSULeaf-like")
    parser.add_argument("--engine", default="auto", help="execution of ssd-bench (default auto)")
    parser.add_argument("--peers-dir", type=Path, default=Path("build/peers"), help="environments of the peers")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a peer is given up")
    parser.add_argument("--out", type=Path, help="folder for speed_peers.md and speed_peers.json")
    parser.add_argument("--add", action="store_true", help="keep what --out holds, and add other shapes or networks")
    options = parser.parse_args()
    default_shapes = (*BUNDLED[:2], "OSULeaf-like") if options.quick else (*BUNDLED, *SYNTHETIC)
    options.shapes = options.shapes.split(",") if options.shapes else list(default_shapes)
    for name, known in (("peers", PEERS), ("networks", NETWORKS)):
        chosen = getattr(options, name).split(",")
        setattr(options, name, chosen)
        unknown = [each for each in chosen if each not in known]
        if unknown:
            parser.error(f"unknown {name}: {', '.join(unknown)}; known: {', '.join(known)}")
    options.rounds = options.rounds or (1 if options.quick else 2)
    options.cells = options.cells or ("own" if options.quick else "all")
    return options


def main() -> None:
    """Measure, print, and write where asked."""
    options, machine = _options(), describe()
    runs, measurements = before(options.out / "speed_peers.json") if options.add and options.out else ([], [])
    with tempfile.TemporaryDirectory(prefix="speed-peers-") as folder:
        shapes = [prepare(name, Path(folder)) for name in options.shapes]
        crews = Crews(options, Path(folder))
        try:
            measurements += measure(options, crews, shapes)
            runs.append({"machine": machine, "versions": crews.versions(), "left_out": crews.left_out, "engine": options.engine})
        finally:
            crews.close()
    page = report(options, runs, measurements)
    print(page, end="")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        data = {"runs": runs, "measurements": [asdict(one) for one in measurements]}
        (options.out / "speed_peers.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")
        (options.out / "speed_peers.md").write_text(page)


if __name__ == "__main__":
    try:
        main()
    except SsdBenchError as error:
        raise SystemExit(str(error)) from error
