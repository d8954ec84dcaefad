"""An executor in one file: it computes in this process, but in a folder of its own, as a machine without our files would."""

import pickle
import shutil
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path

from ssd_cli.core.claims import Claims
from ssd_cli.running.executors.base import Event, Executor, executors
from ssd_cli.running.executors.worker import compute
from ssd_cli.running.job import Job, Outcome
from ssd_cli.running.plugins import add_plugins
from tests.running.fakes import WorkerDied


@executors.register("in-process")
class InProcessExecutor(Executor):
    """Compute one task in every call of `events`."""

    def __init__(self, settings):
        super().__init__(settings)
        self.waiting = deque()
        self.cancelled = False
        add_plugins(settings.plugins)

    def submit(self, task):
        self.waiting.append(pickle.dumps(task))

    def events(self, seconds):
        if not self.waiting:
            return []
        task, found = pickle.loads(self.waiting.popleft()), []
        function = _in_another_folder(task.function) if isinstance(task.arguments[0], Job) else task.function
        try:
            kind, value = compute(function, task.arguments, lambda value: found.append(Event("progress", value, task)))
        except WorkerDied as death:
            kind, value = "died", str(death)
        return [*found, Event(kind, value, task, log="last words")]

    def cancel(self):
        self.waiting.clear()
        self.cancelled = True

    def close(self):
        self.waiting.clear()


def _in_another_folder(function):
    """Claim the cell here, send the networks there, and bring back what was written there."""

    def run(job, report):
        claim = Claims(job.out / ".claims").take(job.planned.key)
        if claim is None:
            return Outcome("claimed")
        with claim, tempfile.TemporaryDirectory() as folder:
            there = Path(folder)
            if (job.out / "networks").exists():
                shutil.copytree(job.out / "networks", there / "networks")
            outcome = function(replace(job, out=there), report)
            for name in ("networks", *(path.name for path in there.glob("seed*"))):
                if (there / name).exists():
                    shutil.copytree(there / name, job.out / name, dirs_exist_ok=True)
        return outcome

    return run
