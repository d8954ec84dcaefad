"""Short trainings give the golden bits: joint training, other series, other recipes, averages over several epochs."""

import pytest

from tests.golden.check import assert_bits, assert_exact_parts, run_once

NAMES = ["together", "other series", "unequal lengths and gaps", "recipe paper", "methods that average", "recipe of equal compute"]


@pytest.fixture(scope="module", params=NAMES)
def finished(request, data, tmp_path_factory):
    return run_once(request.param, data, tmp_path_factory.mktemp("run"))


def test_identities_keys_and_counts_are_the_golden_ones(finished):
    assert_exact_parts(finished)


def test_weights_and_probabilities_have_the_golden_bits(finished):
    assert_bits(finished)
