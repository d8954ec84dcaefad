"""The two assertions that every file of golden trainings makes about one run."""

import pytest

from tests.golden.results import BITS, EXACT, TOLERANCE, differences, far, load, read
from tests.golden.runs import RUNS, execute


def run_once(name, data, folder):
    """Return the name of a run, its results, its golden values, and why their bits cannot be compared here."""
    golden, other_machine = load("trainings")
    return name, read(execute(RUNS[name], data, folder / "out")), golden[name], other_machine


def assert_exact_parts(finished):
    """Assert that identities, names of folders, keys of networks and counts are the golden ones."""
    name, found, golden, _ = finished
    assert differences(found, golden, EXACT) == [], f"of the run '{name}'"


def assert_bits(finished):
    """Assert that weights, losses and probabilities have the golden bits; on another processor, that probabilities are near."""
    name, found, golden, other_machine = finished
    if other_machine:
        assert far(found, golden) == [], f"of the run '{name}', beyond the tolerance of {TOLERANCE}. {other_machine}"
        pytest.skip(f"Only probabilities were compared, with the tolerance {TOLERANCE}. {other_machine}")
    assert differences(found, golden, BITS) == [], f"of the run '{name}'"
