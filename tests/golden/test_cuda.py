"""Trainings with CUDA graphs, where a GPU is: near the golden probabilities of the processor, and the same bits twice."""

import pytest
import torch

from tests.golden.results import BITS, EXACT, TOLERANCE, differences, far, load, read
from tests.golden.runs import RUNS, execute


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="There is no GPU; tests/golden/compare_checkouts.py compares bits on one."
)
def test_captured_trainings_are_near_the_golden_probabilities_and_repeat_their_bits(data, tmp_path):
    golden, _ = load("trainings")
    first, second = (read(execute(RUNS["execution graph"], data, tmp_path / name, device="cuda")) for name in ("first", "second"))
    assert far(first, golden["execution graph"]) == [], f"beyond the tolerance of {TOLERANCE}"
    assert differences(second, first, (*EXACT, *BITS)) == []
