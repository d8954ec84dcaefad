"""A plug-in whose bytes stay the same: its SHA-256 is part of the golden identities."""

import os
from dataclasses import dataclass

from tests.golden.adapter import Single, checkpoint_every_epoch_and_kill_once, methods

if "SSD_BENCH_GOLDEN_KILL" in os.environ:
    checkpoint_every_epoch_and_kill_once()


@methods.register("golden-plugin")
@dataclass(frozen=True)
class GoldenPlugin(Single):
    """One network, as `single` trains it."""

    strength: float = 0.5
