"""Every suite under benchmarks/ loads, and names methods, backbones and recipes that exist."""

from pathlib import Path

import pytest

from ssd_cli.backbones import backbones
from ssd_cli.configuration import configure, parse_label
from ssd_cli.methods import methods
from ssd_cli.running.plugins import add_plugins
from ssd_cli.running.suite import parse_suite
from ssd_cli.training import recipes
from tests.plugins import forgotten

ROOT = Path(__file__).parents[2]
SUITES = sorted((ROOT / "benchmarks").rglob("*.yaml"))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_a_suite_names_what_exists(path):
    suite = parse_suite(path, {})
    with forgotten():
        add_plugins(tuple(ROOT / plugin for plugin in suite.plugin))
        for registry, labels in ((methods, suite.method), (backbones, suite.backbone), (recipes, (suite.recipe,))):
            for label in labels:
                name, parameters = parse_label(label)
                configure(registry.get(name), name, parameters)
    assert suite.dataset


def test_suites_are_found():
    assert {"demo", "gate", "pilot", "contestants", "lite40"} <= {path.stem for path in SUITES}
