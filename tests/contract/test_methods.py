"""Every registered method against the contract of `ssd_cli.testing`; a new method is included without a change here."""

import dataclasses

import pytest

from ssd_cli.backbones import backbones
from ssd_cli.methods import methods
from ssd_cli.testing import methods as checks
from ssd_cli.training.networks import MemoryNetworks

SHARED = MemoryNetworks()
"""One store for all checks of learning, as in a run: networks that one method leaves there are found by the next."""

CHECKS = (
    checks.check_identity,
    checks.check_recording,
    checks.check_test_labels_do_not_matter,
    checks.check_seeds_matter,
    checks.check_neighbours_do_not_matter,
    checks.check_resumes,
)


def small(backbone):
    """A registered backbone of the smallest width that its narrow version allows."""
    kind = backbones.get(backbone)
    return kind(width=2) if any(field.name == "width" for field in dataclasses.fields(kind)) else kind()


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, name):
    check(methods.get(name)())


@pytest.mark.parametrize("name", methods.names())
def test_learns(name):
    checks.check_learns(methods.get(name)(), SHARED)


@pytest.mark.parametrize("backbone", backbones.names())
@pytest.mark.parametrize("name", methods.names())
def test_runs_on_every_backbone(name, backbone):
    checks.check_runs_on(methods.get(name)(), small(backbone))
