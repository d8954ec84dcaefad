"""Complete names in the shell, without heavy imports."""

from __future__ import annotations

from collections.abc import Iterable


def complete_archive(incomplete: str) -> list[str]:
    """Complete the name of an archive."""
    from ssd_cli.archives import catalog

    return _matching(catalog.archives(), incomplete)


def complete_dataset(incomplete: str) -> list[str]:
    """Complete the name of a dataset in the catalogue or in ``$SSD_BENCH_DATA``."""
    from ssd_cli.archives import catalog, locate

    return _matching({*catalog.names(), *locate.folders()}, incomplete)


def complete_method(incomplete: str) -> list[str]:
    """Complete the name of a method."""
    from ssd_cli.methods.registry import methods

    return _matching([*methods.names(), *(entry.name for entry in methods.external_classifiers())], incomplete)


def complete_backbone(incomplete: str) -> list[str]:
    """Complete the name of a backbone."""
    from ssd_cli.backbones.registry import backbones

    return _matching(backbones.names(), incomplete)


def complete_recipe(incomplete: str) -> list[str]:
    """Complete the name of a recipe."""
    from ssd_cli.training.registry import recipes

    return _matching(recipes.names(), incomplete)


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
