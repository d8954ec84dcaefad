"""The compared methods and their registry, whose import does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssd_cli.registry import Registry, RegistryEntry

if TYPE_CHECKING:
    from ssd_cli.methods.base import Method

_MODULE = "ssd_cli.methods.external_classifiers"

EXTERNAL_CLASSIFIERS = {
    "1nn-dtw": ("aeon:KNeighborsTimeSeriesClassifier", "Nearest neighbour under dynamic time warping, of aeon: the old yardstick."),
    "dummy": ("aeon:DummyClassifier", "The class frequencies of the training set, of aeon: the floor of every table."),
    "hydra": ("aeon:HydraClassifier", "Hydra of aeon (Dempster et al. 2023): competing random convolutions, no network."),
    "minirocket": (
        "aeon:MiniRocketClassifier",
        "MiniRocket of aeon (Dempster et al. 2021): random convolutions, no network.",
    ),
}
"""Short names of classifiers of other libraries, with class and summary."""


class MethodRegistry(Registry["Method"]):
    """Methods of this package and of plug-ins, and classifiers of other libraries as ``library:Name``."""

    def get(self, name: str) -> type[Method]:
        """Return the class called `name`; for a classifier of another library, create the class from the classifier."""
        target = EXTERNAL_CLASSIFIERS[name][0] if name in EXTERNAL_CLASSIFIERS else name
        if ":" not in target:
            return super().get(name)
        from ssd_cli.methods.external_classifiers import external_class

        return external_class(*target.split(":", 1))

    def entry(self, name: str) -> RegistryEntry:
        if name in EXTERNAL_CLASSIFIERS:
            return RegistryEntry(name, EXTERNAL_CLASSIFIERS[name][1], _MODULE)
        if ":" in name:
            return RegistryEntry(name, f"{name.partition(':')[2]} of {name.partition(':')[0]}.", _MODULE)
        return super().entry(name)

    def listed(self) -> list[str]:
        """Return the names of all methods, and the short names of external classifiers."""
        return sorted([*self.names(), *EXTERNAL_CLASSIFIERS])

    def external_classifiers(self) -> list[RegistryEntry]:
        """Return the entries of external classifiers with a short name; `entries` lacks them, since they train no network."""
        return [self.entry(name) for name in EXTERNAL_CLASSIFIERS]


methods: MethodRegistry = MethodRegistry("method", "ssd_cli.methods")
