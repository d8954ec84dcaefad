"""Processes that train for speed_peers.py, and what else the machine did meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ssd_cli.running.threads import thread_variables

_RUNNERS = Path(__file__).parent / "peers"
_LOG_BYTES = 4000
_PATIENCE = 2.0
"""Seconds that a process may take to end."""


class PeerError(Exception):
    """A peer that cannot be started or cannot do a job, in words."""


@dataclass(frozen=True)
class Answer:
    """What a crew did with a job.

    Parameters
    ----------
    laps : dict of str to list of list of float
        For each column of the table, for each process: seconds of every epoch.
    execution : str
        How a peer that has a choice computed it.
    others : float
        Processor cores that all other processes of the machine used meanwhile, on average.
    """

    laps: dict[str, list[list[float]]]
    execution: str
    others: float


class _Member:
    """One process of a crew."""

    def __init__(self, peer: str, python: Path, threads: int, folder: Path, environment: dict[str, str]) -> None:
        self.peer = peer
        self.log = folder / f"{peer}-{threads}-{time.monotonic_ns()}.log"
        runner = _RUNNERS / f"run_{peer.replace('-', '_')}.py"
        variables = {**os.environ, **thread_variables(threads), "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(python), str(runner)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=folder, env=variables
            )

    def tell(self, message: dict[str, Any]) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerError(self._last_words()) from error

    def hear(self, seconds: float) -> dict[str, Any]:
        """Wait for the next line."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise PeerError(f"no answer within {seconds:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def _last_words(self) -> str:
        status = self._end()
        lines = self.log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip().splitlines()
        return f"it ended with status {status}{': ' + lines[-1] if lines else ''}"

    def close(self) -> None:
        """End the process: it leaves at the end of its input, or is killed."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self._end()
        self.process.stdout.close()

    def _end(self) -> int:
        try:
            return self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Crew:
    """Processes of one peer that do every job together, each a training of its own.

    Parameters
    ----------
    peer : str
    python : Path
        Interpreter of the peer's environment.
    processes, threads : int
        How many processes, and threads of each.
    folder : Path
        Where logs go, and what libraries leave behind.
    environment : dict of str to str
        Further variables of the processes.
    """

    def __init__(self, peer: str, python: Path, processes: int, threads: int, folder: Path, environment: dict[str, str]) -> None:
        self.peer, self.processes, self.threads = peer, processes, threads
        self._members = [_Member(peer, python, threads, folder, environment) for _ in range(processes)]
        self.networks: tuple[str, ...] = ()
        self.versions: dict[str, str] = {}

    def greet(self, seconds: float) -> None:
        """Wait until all processes have imported what they need, and learn what they can do."""
        for member in self._members:
            hello = member.hear(seconds)
            self.networks, self.versions = tuple(hello["networks"]), hello["versions"]

    def train(self, job: dict[str, Any], seconds: float) -> Answer:
        """Let every process do the job at the same time; raises PeerError where one fails or takes longer than `seconds`."""
        for member in self._members:
            member.tell(job)
        for member in self._members:
            member.hear(seconds)  # warmed up
        began, busy, own = time.perf_counter(), _busy_seconds(), self._own_seconds()
        for member in self._members:
            member.tell({"go": True})
        answers = [member.hear(seconds) for member in self._members]
        wall = time.perf_counter() - began
        others = (_busy_seconds() - busy - (self._own_seconds() - own)) / wall
        columns = answers[0]["laps"]
        laps = {column: [answer["laps"][column] for answer in answers] for column in columns}
        return Answer(laps, answers[0]["execution"], max(0.0, others))

    def close(self) -> None:
        """End all processes."""
        for member in self._members:
            member.close()

    def _own_seconds(self) -> float:
        times = [psutil.Process(member.process.pid).cpu_times() for member in self._members]
        return sum(each.user + each.system for each in times)


def _busy_seconds() -> float:
    """Processor seconds that all processes of the machine have used."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return sum(times) - idle
