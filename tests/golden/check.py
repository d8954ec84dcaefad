"""The two tests of every file of golden trainings, and the fixture that they use."""

import pytest

from tests.golden.results import BITS, EXACT, TOLERANCE, differences, far, load, read
from tests.golden.runs import RUNS, execute


def executed_runs(*names):
    """Return the fixture `finished`: name, results and golden values of each run, and why its bits cannot be compared here."""

    @pytest.fixture(scope="module", params=names)
    def finished(request, data, tmp_path_factory):
        golden, other_machine = load("trainings")
        found = read(execute(RUNS[request.param], data, tmp_path_factory.mktemp("run") / "out"))
        return request.param, found, golden[request.param], other_machine

    return finished


def test_identities_keys_and_counts(finished):
    """Identities, names of folders, keys of networks and counts are the golden ones."""
    name, found, golden, _ = finished
    assert differences(found, golden, EXACT) == [], f"of the run '{name}'"


def test_weights_and_probabilities(finished):
    """Weights, losses and probabilities have the golden bits; on another processor, the probabilities are near."""
    name, found, golden, other_machine = finished
    if other_machine:
        assert far(found, golden) == [], f"of the run '{name}', beyond the tolerance of {TOLERANCE}. {other_machine}"
        pytest.skip(f"Only probabilities were compared, with the tolerance {TOLERANCE}. {other_machine}")
    assert differences(found, golden, BITS) == [], f"of the run '{name}'"
