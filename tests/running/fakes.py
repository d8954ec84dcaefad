"""Tasks for workers in tests; they are imported by name in the worker process."""

import os
import signal
import sys
import time
from pathlib import Path

from ssd_cli.errors import MisuseError


def add(a, b, tell):
    return a + b


def environment(tell):
    import torch

    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {name: os.environ[name] for name in names}, torch.get_num_threads(), os.getpid()


def process(tell):
    return os.getpid()


def misuse(nothing, tell):
    raise MisuseError("what", "expected", "remedy")


def surprise(nothing, tell):
    raise KeyError("unforeseen")


def die(number, tell):
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), number)
    time.sleep(60)


def leave(code, tell):
    os._exit(code)


def die_once(marker, tell):
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return "second life"


def first_dies(marker, tell):
    """Of several workers that do this at once exactly one dies."""
    try:
        Path(marker).open("x").close()
    except FileExistsError:
        return "lives"
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def chatter(times, tell):
    for number in range(times):
        tell(number)
        time.sleep(0.001)
    return "talked"


def shout(tell):
    for _ in range(1000):
        print("x" * 1000, flush=True)
    return "shouted"


def wait_in(folder, tell):
    """Touch `started`, wait for ever, and touch `given back` when stopped."""
    try:
        (Path(folder) / f"started-{os.getpid()}").touch()
        while True:
            time.sleep(0.01)
    finally:
        (Path(folder) / f"given-back-{os.getpid()}").touch()


def run_fake(job, tell):
    """Instead of `execute`: behaves as the cell's method is called, and writes down every execution in `<out>/executed`."""
    from ssd_cli.core.claims import Claims
    from ssd_cli.running.execute import CellResults, Outcome, cell_record, finished_by_another
    from ssd_cli.running.resume import record_mark
    from ssd_cli.store.results import ResultStore
    from tests.store.builders import make_predictions

    cell, store = job.planned.cell, ResultStore(job.out)
    behaviour = cell.method.partition("-")[0]
    claim = Claims(job.out / ".claims").take(job.planned.key, str(cell))
    if claim is None:
        return Outcome("claimed")
    with claim:
        if record_mark(store, job.planned) != job.mark and (found := finished_by_another(store, job.planned)):
            return found
        with (job.out / "executed").open("a") as file:
            file.write(f"{cell.dataset} {cell.method} {cell.resample} {os.getpid()}\n")
        tell("at work")
        marker = job.out / f"died-{cell.dataset}"
        if behaviour == "killed" or (behaviour == "killedonce" and not marker.exists()):
            marker.touch()
            print("last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        if behaviour == "slow":
            time.sleep(0.3)
        if behaviour == "endless":
            wait_in(job.out, tell)
        if behaviour == "full":
            from ssd_cli.core.atomic import StorageError

            raise StorageError("The disk is full.")
        if behaviour == "surprise":
            raise KeyError("unforeseen")
        if behaviour.startswith("memory") and not job.alone:
            return Outcome("memory")
        if behaviour in ("failing", "memoryless"):
            store.put(cell_record(job, "failed", "it rained", None, CellResults()))
            return Outcome("failed", "it rained", 0.1)
        y, probabilities = make_predictions()
        store.put(cell_record(job, "ok", None, None, CellResults(scores={"accuracy": 0.5})), y, probabilities)
    return Outcome("ok", "", 0.1, 0.5, "it took all cores" if behaviour == "warned" else "")


class WorkerDied(BaseException):
    """Raised by a task to play the death of its worker."""


def run_or_die(job, report):
    """As `run_fake`; a cell of the method "dying" ends its worker, for an executor that plays with `WorkerDied`."""
    if job.planned.cell.method == "dying":
        raise WorkerDied("the worker died")
    return run_fake(job, report)
