"""An ensemble whose networks vote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ssd_cli.methods.base import Combination
from ssd_cli.methods.ens_avg import EnsAvg
from ssd_cli.methods.registry import methods


@methods.register("ens-vote")
@dataclass(frozen=True)
class EnsVote(EnsAvg):
    """An ensemble: the class that most of several networks vote for.

    The networks are those of `ens-avg`.

    Parameters
    ----------
    members : int
        Networks. Default of hfawaz/InceptionTime.
    """

    combination: ClassVar[Combination] = "vote"
