"""Tasks for workers in tests; they are imported by name in the worker process."""

import os
import signal
import sys
import time
from pathlib import Path

from ssd_cli.errors import MisuseError


def add(a, b, report):
    return a + b


def environment(report):
    import torch

    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {name: os.environ[name] for name in names}, torch.get_num_threads(), os.getpid()


def process(report):
    return os.getpid()


def misuse(nothing, report):
    raise MisuseError("what", "expected", "remedy")


def surprise(nothing, report):
    raise KeyError("unforeseen")


def die(number, report):
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), number)
    time.sleep(60)


def leave(code, report):
    os._exit(code)


def die_once(marker, report):
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return "second life"


def first_dies(marker, report):
    """Of several workers that do this at once exactly one dies."""
    try:
        Path(marker).open("x").close()
    except FileExistsError:
        return "lives"
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def chatter(times, report):
    for number in range(times):
        report(number)
        time.sleep(0.001)
    return "talked"


def shout(report):
    for _ in range(1000):
        print("x" * 1000, flush=True)
    return "shouted"


def wait_in(folder, report):
    """Touch `started`, wait for ever, and touch `released` when stopped."""
    try:
        (Path(folder) / f"started-{os.getpid()}").touch()
        while True:
            time.sleep(0.01)
    finally:
        (Path(folder) / f"released-{os.getpid()}").touch()


def run_fake(job, report):
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
        report("at work")
        marker = job.out / f"died-{cell.dataset}"
        if behaviour == "killed" or (behaviour == "killedonce" and not marker.exists()):
            marker.touch()
            print("last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        if behaviour == "slow":
            time.sleep(0.3)
        if behaviour == "endless":
            wait_in(job.out, report)
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
