"""Every registered method against the contract; a new one is swept without a change here."""

import pytest

from ssd_cli.backbones.registry import backbones
from ssd_cli.methods import methods
from tests.contract import checks


@pytest.mark.parametrize("name", methods.names())
class TestMethod:
    def test_learns(self, name):
        checks.check_learns(name)

    def test_test_labels_do_not_matter_and_the_same_seed_gives_the_same_bits(self, name, tmp_path, monkeypatch):
        monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
        checks.check_test_labels_do_not_matter(name, tmp_path)

    def test_seeds_matter(self, name):
        checks.check_seeds_matter(name)

    def test_neighbours_do_not_matter(self, name):
        checks.check_neighbours_do_not_matter(name)


@pytest.mark.parametrize("backbone", backbones.names())
@pytest.mark.parametrize("name", methods.names())
def test_runs_on_every_backbone(name, backbone):
    checks.check_runs_on(name, backbone)
