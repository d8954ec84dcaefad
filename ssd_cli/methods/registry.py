"""The registry of methods; importing it does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssd_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from ssd_cli.methods.base import Method

CONTESTANTS = {
    "1nn-dtw": ("aeon:KNeighborsTimeSeriesClassifier", "Nearest neighbour under dynamic time warping, of aeon: the old yardstick."),
    "dummy": ("aeon:DummyClassifier", "The class frequencies of the training set, of aeon: the floor of every table."),
    "hydra": ("aeon:HydraClassifier", "Hydra of aeon (Dempster et al. 2023): competing random convolutions, no network."),
    "minirocket": (
        "aeon:MiniRocketClassifier",
        "MiniRocket of aeon (Dempster et al. 2021): random convolutions, no network.",
    ),
}
"""Short names of classifiers of other libraries, and what they are."""


class MethodRegistry(Registry["Method"]):
    """Methods of this package and of plug-ins, and classifiers of other libraries as ``library:Name``."""

    def get(self, name: str) -> type[Method]:
        """The class called `name`; a classifier of another library is looked up there."""
        target = CONTESTANTS[name][0] if name in CONTESTANTS else name
        if ":" not in target:
            return super().get(name)
        from ssd_cli.methods.contestants import contestant_class

        return contestant_class(*target.split(":", 1))

    def entry(self, name: str) -> Entry:
        """The entry called `name`."""
        if name in CONTESTANTS:
            return Entry(name, CONTESTANTS[name][1], "ssd_cli.methods.contestants")
        if ":" in name:
            return Entry(name, f"{name.partition(':')[2]} of {name.partition(':')[0]}.", "ssd_cli.methods.contestants")
        return super().entry(name)

    def listed(self) -> list[str]:
        """Methods, and the short names of contestants."""
        return sorted([*self.names(), *CONTESTANTS])

    def contestants(self) -> list[Entry]:
        """Classifiers of other libraries that have a short name here; they are not among `entries`, since they train no network."""
        return [self.entry(name) for name in CONTESTANTS]


methods: MethodRegistry = MethodRegistry("method", "ssd_cli.methods")
