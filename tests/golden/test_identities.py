"""Identities, names of folders, random streams and resamples stay what they were: exactly, on every machine."""

import pytest

from tests.golden import adapter, identities
from tests.golden.results import load
from tests.plugins import forgotten

GOLDEN, _ = load("identities")


@pytest.mark.parametrize("name", identities.SETS)
def test_identities_and_folders_are_the_golden_ones(name, data, environment_without_data):
    with forgotten():
        found = identities.planned(name, data)
    assert found.keys() == GOLDEN[name].keys()
    changed = [f"{cell}: {golden} before, {found[cell]} now" for cell, golden in GOLDEN[name].items() if found[cell] != golden]
    assert changed == []


def test_every_golden_method_and_backbone_is_still_there():
    methods, backbones = adapter.names_of_methods_and_backbones()
    assert set(identities.PLAIN_METHODS) <= set(methods)
    assert set(identities.BACKBONES) <= set(backbones)


def test_random_streams_are_the_golden_ones():
    assert identities.streams() == GOLDEN["streams"]


def test_resamples_are_the_golden_ones(data, environment_without_data):
    assert identities.resamples(data) == GOLDEN["resamples"]
