"""A training that is killed and resumed from a checkpoint ends with the bits of one that is not killed."""

import json
from pathlib import Path

import pytest

from tests.golden.results import BITS, EXACT, differences, read
from tests.golden.runs import execute

PLUGIN = Path(__file__).with_name("plugin.py")
RECIPE = "paper[epochs=8,student_epochs=7,batch_size=6]"
OPTIONS = ["--dataset", "Waves", "--method", "ssd", "--backbone", "fcn[width=8]", "--recipe", RECIPE]


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    return read(execute(OPTIONS, data, tmp_path_factory.mktemp("undisturbed") / "out"))


@pytest.mark.parametrize("where", ["shared network", "cell"])
def test_a_killed_training_is_resumed_with_the_same_bits(where, undisturbed, data, tmp_path):
    kill = {"SSD_BENCH_GOLDEN_KILL": str(tmp_path), "SSD_BENCH_GOLDEN_KILL_IN": where}
    found = read(execute([*OPTIONS, "--plugin", PLUGIN], data, tmp_path / "out", **kill))
    assert (tmp_path / "killed").exists() and (tmp_path / "resumed").read_text() == "4"
    assert len(found) == 1 and next(iter(found.values()))["status"] == "ok"
    assert differences(found, undisturbed, (*EXACT, *BITS)) == []
    assert json.dumps(found) == json.dumps(undisturbed)
