"""Kill a real run again and again, let it go on, and look at what lies in its folder."""

import contextlib
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ssd_cli.running.plan_file import planned_cells
from ssd_cli.store.results import ResultStore

SSD_BENCH = Path(sys.executable).with_name("ssd-bench")
KINDS = ("parent", "worker", "write")
_EXPECTED = re.compile(
    r"seed\d+/[^/]+/Predictions/[^/]+/testResample\d+\.(csv|json)|networks/[0-9a-f]{2}/[0-9a-f]{64}\.(json|safetensors)"
    r"|\.plans/[0-9a-f]{16}\.json"
)


@dataclass
class Kill:
    """One kill -9: of whom, when, and how far the work had come."""

    kind: str
    seconds: float
    files: int
    inside_write: str = ""
    """The half-written temporary file that the killed process left."""


@dataclass
class Torturer:
    """Runs one command until it is finished, killing it on the way.

    Kill number i falls due when the share i / n_kills of all records and networks is on the disk. The first comes up to a third of
    a second later, in start-up and planning; the others at most a twentieth, in which little is written, so that they are spread
    over the run.
    """

    arguments: list[str]
    out: Path
    n_files: int
    n_kills: int
    seed: int = 0
    kills: list[Kill] = field(default_factory=list)
    starts: int = 0
    orphans: int = 0

    def __post_init__(self):
        self.random = random.Random(self.seed)
        self.process = None
        self.began = time.monotonic()

    def run(self):
        self.start()
        for number in range(self.n_kills):
            self.wait_until(number * self.n_files // self.n_kills)
            self.kill(KINDS[number % len(KINDS)])
        if self.process.wait(600) != 0:  # a cell may have lost two workers, which by design fails it
            self.start("--retry-failed")
            assert self.process.wait(600) == 0

    def start(self, *options):
        self.process = subprocess.Popen([*self.arguments, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.starts += 1

    def files(self):
        return sum(1 for pattern in ("seed*/*/Predictions/*/*.json", "networks/*/*.json") for _ in self.out.glob(pattern))

    def wait_until(self, n_files):
        while self.files() < n_files and self.is_running():
            time.sleep(0.005)
        time.sleep(self.random.uniform(0, 0.05 if n_files else 0.3))

    def is_running(self):
        return self.process.poll() is None

    def workers(self):
        try:
            children = psutil.Process(self.process.pid).children()
            return [child for child in children if any("spawn_main" in part for part in child.cmdline())]
        except psutil.NoSuchProcess:
            return []

    def kill(self, kind):
        if not self.is_running():
            self.start("--retry-failed")
        victim = self.wait_for_victim() if kind == "worker" else self.wait_for_write() if kind == "write" else self.process.pid
        if victim is None:  # the run ended before
            self.start("--retry-failed")
            time.sleep(self.random.uniform(0, 0.5))
            victim, kind = self.process.pid, "parent"
        workers, files = self.workers(), self.files()
        os.kill(victim, signal.SIGKILL)
        self.kills.append(Kill(kind, time.monotonic() - self.began, files))
        if victim == self.process.pid:
            self.process.wait()
            _, alive = psutil.wait_procs(workers, timeout=20)
            self.orphans += len(alive)
        else:
            psutil.wait_procs([one for one in workers if one.pid == victim], timeout=20)
        self.kills[-1].inside_write = self.draft_of(victim)
        if not self.is_running():
            self.start()

    def wait_for_victim(self):
        while self.is_running():
            workers = self.workers()
            if workers:
                return self.random.choice(workers).pid
            time.sleep(0.01)
        return None

    def wait_for_write(self):
        """A process that is in the middle of a write, stopped there: its temporary file, which bears its number, stays."""
        while self.is_running():
            for pid in {self.writer(name) for name in self.drafts()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    if self.draft_of(pid):
                        return pid
                    os.kill(pid, signal.SIGCONT)
        return None

    def drafts(self):
        folder = self.out / ".tmp"
        return [path.name for path in folder.iterdir()] if folder.is_dir() else []

    def writer(self, draft):
        return int(draft.split("-")[1])

    def draft_of(self, pid):
        return next((name.split("-", 4)[4] for name in self.drafts() if self.writer(name) == pid), "")


def run_undisturbed(arguments):
    """Run to the end; return seconds."""
    began = time.monotonic()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def wrong_with(out, undisturbed):
    """All that is wrong with a finished folder, as sentences; empty if nothing is."""
    problems = []
    store = ResultStore(out)
    records = [record.cell for record in store.records()]
    planned = planned_cells(out)
    problems += [f"{cell} is there {n} times" for cell, n in Counter(records).items() if n != 1]
    problems += [f"{cell} is missing" for cell in set(planned) - set(records)]
    problems += [f"{cell} was never planned" for cell in set(records) - set(planned)]
    problems += [f"{record.cell} is {record.status}: {record.reason}" for record in store.records() if record.status != "ok"]
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and not _EXPECTED.fullmatch(name):
            problems.append(f"{name} was left behind")
        if path.suffix == ".safetensors" and hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
            problems.append(f"{name} is damaged")
    for record in store.records():
        content = store.paths(record.cell)[0].read_bytes()
        if hashlib.sha256(content).hexdigest() != record.predictions_sha256:
            problems.append(f"the predictions of {record.cell} are not those of its record")
        for entry in record.networks:
            if not (out / "networks" / entry["sha256"][:2] / f"{entry['sha256']}.safetensors").is_file():
                problems.append(f"a network of {record.cell} is missing")
        y, probabilities = store.predictions(record.cell)
        y_before, before = ResultStore(undisturbed).predictions(record.cell)
        if (y.tobytes(), probabilities.tobytes()) != (y_before.tobytes(), before.tobytes()):
            problems.append(f"{record.cell} has other probabilities than undisturbed")
        networks = [entry["sha256"] for entry in record.networks]
        if networks != [entry["sha256"] for entry in ResultStore(undisturbed).read(record.cell).networks]:
            problems.append(f"{record.cell} has other weights than undisturbed")
    return problems


def shares(kills):
    """How many kills hit the parent, a worker, and the inside of a write."""
    counts = Counter("parent" if kill.kind == "parent" else "worker" for kill in kills)
    return counts["parent"], counts["worker"], sum(bool(kill.inside_write) for kill in kills)
