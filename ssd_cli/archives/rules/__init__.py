"""The rules of preparation by name: lengths, missing values and scaling.

A rule is a class in a file of this folder, registered under its name. The options of ``run``, suites, identities, estimators and
exports read these registries, so a new rule is one new class. Importing this module imports neither numpy nor torch.
"""

from __future__ import annotations

from typing import Any

from ssd_cli.core.options import require_choice
from ssd_cli.registry import Registry, RegistryEntry


class Rules(Registry[Any]):
    """The rules of one `option` of ``run``, which is also the key in suites and identities, in the order of their files."""

    def __init__(self, kind: str, option: str) -> None:
        super().__init__(kind, __name__, pluggable=False, sort=False)
        self.option = option

    def entry(self, name: str) -> RegistryEntry:
        """Return the entry of the rule `name`; an unknown name raises an error that lists the known names."""
        require_choice(self.option, name, self.names())
        return super().entry(name)


length_rules: Rules = Rules("length rule", "length")
imputation_rules: Rules = Rules("imputation rule", "impute")
scaling_rules: Rules = Rules("scaling rule", "scale")
RULES: tuple[Rules, ...] = (length_rules, imputation_rules, scaling_rules)
