"""Contract checks for authors of methods and backbones; a check raises AssertionError with a message that says what is wrong.

A test of a plug-in::

    from ssd_cli.testing import check_method

    def test_contract():
        check_method(Mixup(alpha=0.4))
"""

from ssd_cli.testing.backbones import check_backbone
from ssd_cli.testing.methods import check_method

__all__ = ["check_backbone", "check_method"]
