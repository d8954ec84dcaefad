"""Every registered backbone against the contract of `ssd_cli.testing`; a new backbone is included without a change here."""

import pytest

from ssd_cli.backbones import backbones
from ssd_cli.testing import check_backbone
from tests.contract.test_methods import small


@pytest.mark.parametrize("name", backbones.names())
def test_contract(name):
    check_backbone(small(name))
