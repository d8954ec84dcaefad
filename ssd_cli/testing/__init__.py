"""Contract checks for authors of methods and backbones; no test framework is needed.

A check raises AssertionError with a message that says what is wrong:

    from ssd_cli.testing import check_backbone, check_method

    def test_my_method():
        check_method(MyMethod())
"""

from ssd_cli.testing.backbones import check_backbone
from ssd_cli.testing.methods import check_method

__all__ = ["check_backbone", "check_method"]
