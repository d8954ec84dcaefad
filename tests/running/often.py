"""A plug-in for tests of kills: every training keeps where it stands at the end of every epoch."""

import os
from dataclasses import dataclass
from pathlib import Path

from ssd_cli.methods import methods
from ssd_cli.methods.single import Single
from ssd_cli.training import checkpoint

checkpoint.SECONDS = 0.0

restore = checkpoint.TrainingState.restore


def restore_and_tell(state, arrays, facts):
    restore(state, arrays, facts)
    if "SSD_BENCH_RESUMED" in os.environ:
        Path(os.environ["SSD_BENCH_RESUMED"]).write_text(str(state.epoch))


checkpoint.TrainingState.restore = restore_and_tell


@methods.register("often")
@dataclass(frozen=True)
class Often(Single):
    """Not asked for: a plug-in must define something."""
