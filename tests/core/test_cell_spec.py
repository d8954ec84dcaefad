from dataclasses import replace

import pytest

from ssd_cli.core.cell_spec import NO_BACKBONE, CellSpec, JointCells, NamedConfiguration, differences
from tests.store.builders import make_record

IDENTITY = {
    "dataset": "GunPoint",
    "dataset_digest": "d" * 64,
    "preparation": {"length": "pad", "impute": "linear", "scale": "series"},
    "method": {"name": "mine", "parameters": {"rate": 0.5}, "plugin_sha256": "a" * 64, "versions": {"aeon": "1.0.0"}},
    "backbone": {"name": "lite", "parameters": {}},
    "recipe": {"name": "smoke", "parameters": {"epochs": 3}},
    "resample": 1,
    "seed": 2,
    "device": "cpu",
    "execution": "fast",
    "threads": 1,
    "protocol_version": 1,
    "together": {"resamples": [0, 1], "seeds": [2]},
    "batch_norm": "shuffled",
}


@pytest.mark.parametrize("absent", [(), ("together", "batch_norm"), ("device", "execution", "threads", "together", "batch_norm")])
def test_an_identity_is_read_and_written_without_a_change(absent):
    identity = {key: value for key, value in IDENTITY.items() if key not in absent}
    spec = CellSpec.from_identity(identity)
    assert spec.to_identity() == identity
    assert spec.method.parameters == {"rate": 0.5} and spec.recipe.name == "smoke"
    assert spec.together == (None if absent else JointCells((0, 1), (2,)))


def test_entries_of_another_version_are_kept_and_count():
    newer = CellSpec.from_identity(IDENTITY | {"sampling": {"rate": 2}})
    assert newer.to_identity()["sampling"] == {"rate": 2}
    assert newer.identity_hash != CellSpec.from_identity(IDENTITY).identity_hash
    assert differences(CellSpec.from_identity(IDENTITY), newer) == ["sampling.rate: absent before, 2 now"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resample": "0"}, "'resample' of the identity is '0', not int"),
        ({"preparation": None}, "'preparation' of the identity is None, not dict"),
        ({"recipe": {"name": "smoke", "epochs": 3}}, "the recipe of the identity is .* not a name with parameters"),
        ({"method": {"name": "a", "parameters": {}, "taste": 1}}, "the method of the identity has unknown entries: taste"),
    ],
)
def test_an_invalid_identity_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CellSpec.from_identity(IDENTITY | change)
    with pytest.raises(ValueError, match="the identity lacks seed"):
        CellSpec.from_identity({key: value for key, value in IDENTITY.items() if key != "seed"})


def test_the_hash_is_known():
    """The digest of the canonical JSON, as in all records so far."""
    assert CellSpec.from_identity(IDENTITY).identity_hash == "cf0a787fc5e4350c9d18d526a385c9902d40402ecada7fddc1457ead9560c390"


def test_differences_name_what_changed():
    spec = make_record().spec
    changed = replace(spec, recipe=replace(spec.recipe, parameters={"epochs": 100}), threads=4)
    assert differences(spec, changed) == ["recipe.parameters.epochs: 3 before, 100 now", "threads: absent before, 4 now"]
    assert differences(spec, changed, ("threads",)) == ["threads: absent before, 4 now"]
    assert differences(spec, spec) == []


def test_a_method_without_networks_has_no_backbone():
    spec = make_record().spec
    assert spec.has_backbone
    assert not replace(spec, backbone=NO_BACKBONE).has_backbone
    assert NO_BACKBONE.to_identity() == NamedConfiguration("none").to_identity() == {"name": "none", "parameters": {}}
