import pytest
from ssd_bench_example.gru import GRU
from ssd_bench_example.mixup import Mixup

from ssd_cli.testing import check_backbone, check_method


def test_mixup():
    check_method(Mixup())


def test_gru():
    check_backbone(GRU(width=4))


def test_alpha_is_positive():
    with pytest.raises(ValueError, match="alpha must be above 0"):
        Mixup(alpha=0)
