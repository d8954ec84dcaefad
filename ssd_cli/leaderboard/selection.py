"""Selection of results by patterns of methods and datasets."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from ssd_cli.errors import MisuseError, did_you_mean, shortened
from ssd_cli.leaderboard.collect import Cells
from ssd_cli.leaderboard.conditions import warnings as differing_conditions


@dataclass(frozen=True)
class Selection:
    """Patterns of the results to compare, of which one must match; empty: all.

    ``*`` matches any text and ``?`` any character; brackets match themselves, since labels of methods have them. Patterns are
    matched with the label of a method, and with ``<method>@<backbone>`` if several backbones are compared.
    """

    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.methods or self.datasets)

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Return the selection with this `text`."""
        words = shlex.split(text)
        pairs = list(zip(words[::2], words[1::2], strict=False))
        methods, datasets = (tuple(value for name, value in pairs if name == option) for option in ("--method", "--dataset"))
        return cls(methods, datasets)

    @property
    def text(self) -> str:
        """The selection as options of the command line."""
        chosen = [("--method", one) for one in self.methods] + [("--dataset", one) for one in self.datasets]
        return shlex.join(word for pair in chosen for word in pair)

    def of(self, cells: Cells) -> Cells:
        """Return the selected cells; MisuseError for a pattern that matches nothing."""
        frame = cells.frame
        called = dict(zip(frame["name"], frame["method"], strict=True))
        names = _fitting(self.methods, {name: (name, label) for name, label in called.items()}, "method")
        # without own results the external ones give the datasets
        datasets = self.datasets_of(frame["dataset"]) if len(frame) else []
        chosen = frame[frame["name"].isin(names) & frame["dataset"].isin(datasets)]
        before = differing_conditions(frame)
        others = [text for text in cells.warnings if text not in before]
        return dataclasses.replace(cells, frame=chosen, warnings=(*others, *differing_conditions(chosen)))

    def datasets_of(self, names: Iterable[str]) -> list[str]:
        """Return the selected datasets, sorted; errors of `of`."""
        return sorted(_fitting(self.datasets, {name: (name,) for name in names}, "dataset"))


def _fitting(patterns: tuple[str, ...], known: dict[str, tuple[str, ...]], what: str) -> set[str]:
    if not patterns:
        return set(known)
    found: set[str] = set()
    for pattern in patterns:
        form = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
        fits = {key for key, texts in known.items() if any(form.fullmatch(text) for text in texts)}
        if not fits:
            raise MisuseError(
                f"No {what} of these results fits '{pattern}'.{did_you_mean(pattern, list(known))}",
                f"Expected one of {shortened(sorted(known), 20)}." if known else "Expected results of your own.",
            )
        found |= fits
    return found
