"""Tables in Markdown and LaTeX (booktabs), with the best value bold and the second underlined."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ssd_cli.core import atomic
from ssd_cli.core.text import printable
from ssd_cli.leaderboard.caption import caption, warning
from ssd_cli.metrics import MATCHED_RANK, METRICS, RANKED, metrics
from ssd_cli.statistics.ranks import TIE

if TYPE_CHECKING:
    from ssd_cli.leaderboard.compare import Comparison

Floats = npt.NDArray[np.float64]

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "χ": r"$\chi$", "–": "--", "<": r"$<$", ">": r"$>$",
}  # fmt: skip


class Column(NamedTuple):
    """A column of the printed tables, one value per method."""

    title: str
    values: Floats
    form: str
    direction: str
    """Direction of better values, which decides the marks: "up", "down", or "none" for no mark."""
    terminal: int = 0
    """Priority in a narrow terminal; see `Metric`."""


def columns(comparison: Comparison) -> list[Column]:
    """Return every column with a number of any method: the ranking first, then the metrics."""
    values = comparison.summary.values
    listed = [Column("rank", comparison.average_ranks, ".3f", "down")]
    listed += [_accuracy(comparison, ".4f")]
    if not _same_datasets(comparison):
        listed.append(Column("datasets", comparison.n_scores.astype(float), ".0f", "none", 14))
    for metric in metrics("table"):
        if metric.key not in values:
            continue
        marked = metric.kind == "score" and (metric.key != MATCHED_RANK or len(comparison.matched_backbones) == 1)
        direction = metric.direction if marked else "none"
        column = Column(metric.heading, values[metric.key] * metric.factor, metric.format, direction, metric.terminal)
        listed.insert(1 if metric.key == MATCHED_RANK else len(listed), column)
    return [column for column in listed if np.isfinite(column.values).any()]


def _same_datasets(comparison: Comparison) -> bool:
    return len(comparison.complete_datasets) == len(comparison.datasets)


def _accuracy(comparison: Comparison, form: str) -> Column:
    """Return the column of mean accuracies; it has no marks if the means are over different datasets."""
    direction = METRICS[RANKED].direction if _same_datasets(comparison) else "none"
    return Column(METRICS[RANKED].title, comparison.mean_scores, form, direction)


MARKDOWN, LATEX = ("**{}**", "<u>{}</u>"), (r"\textbf{{{}}}", r"\underline{{{}}}")
"""Marks of the best and of the second value."""


def markdown(comparison: Comparison) -> str:
    """Return the leaderboard with its caption in Markdown."""
    listed = columns(comparison)
    head = ["", "method", *(column.title for column in listed), "groups"]
    rows = [
        [str(place + 1), _piped(name), *(_marked(column, place, MARKDOWN) for column in listed), comparison.letters[place]]
        for place, name in enumerate(comparison.names)
    ]
    lines = [_line(head), _line(["--:", ":--", *(["--:"] * len(listed)), ":--"]), *(_line(row) for row in rows), ""]
    return "\n".join([*lines, *(f"{_piped(text)}  " for text in [*warning(comparison), *caption(comparison)])]) + "\n"


def latex(comparison: Comparison) -> str:
    """Return the leaderboard with its caption in LaTeX."""
    listed = columns(comparison)
    rows = [
        [_tex(name), *(_marked(column, place, LATEX) for column in listed), comparison.letters[place]]
        for place, name in enumerate(comparison.names)
    ]
    head = ["method", *(_tex(column.title).replace("×", r"$\times$") for column in listed), "groups"]
    text = " ".join(map(_tex, [*warning(comparison), *caption(comparison)]))
    return _tabular("l" + "r" * len(listed) + "l", head, rows, text, "leaderboard")


def latex_per_dataset(comparison: Comparison) -> str:
    """Return the accuracy of every method on every dataset in LaTeX; columns are places in the leaderboard."""
    direction, n = METRICS[RANKED].direction, len(comparison.names)
    listed = [
        Column(_tex(name), scores, ".3f", direction) for name, scores in zip(comparison.datasets, comparison.scores, strict=True)
    ]
    listed.append(_accuracy(comparison, ".3f")._replace(title="mean"))
    rows = [[column.title, *(_marked(column, i, LATEX) for i in range(n))] for column in listed]
    places = "; ".join(f"{place + 1}: {_tex(name)}" for place, name in enumerate(comparison.names))
    head = ["dataset", *(str(place + 1) for place in range(n))]
    return _tabular("l" + "r" * n, head, rows, f"Accuracy by dataset. {places}.", "per-dataset")


def write_published(comparison: Comparison, folder: Path) -> list[Path]:
    """Write leaderboard.md, leaderboard.tex and per_dataset.tex."""
    contents = {"leaderboard.md": markdown, "leaderboard.tex": latex, "per_dataset.tex": latex_per_dataset}
    return atomic.write_into(folder, [(folder / name, text(comparison).encode()) for name, text in contents.items()])


def _marked(column: Column, place: int, marks: tuple[str, str]) -> str:
    """Return the formatted value, marked if it is the best or the second of its column."""
    _, values, form, direction, _ = column
    if not np.isfinite(values[place]):
        return "–"
    text = format(float(values[place]), form)
    if direction == "none":
        return text
    upwards = values if direction == "up" else -values
    ahead = int((upwards[np.isfinite(upwards)] > upwards[place] + TIE).sum())
    return marks[ahead].format(text) if ahead < len(marks) else text


def _tabular(form: str, head: list[str], rows: list[list[str]], text: str, label: str) -> str:
    # The {} is needed since after \\ LaTeX reads [ as an optional length and * as part of the command.
    lines = [
        ("{}" if row[0][:1] in ("[", "*") else "") + " & ".join(cell.replace("–", "--") for cell in row) + r" \\" for row in rows
    ]
    return "\n".join(
        [r"% needs \usepackage{booktabs}", r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{form}}}", r"\toprule",
         " & ".join(head) + r" \\", r"\midrule", *lines, r"\bottomrule", r"\end{tabular}", rf"\caption{{{text}}}",
         rf"\label{{tab:{label}}}", r"\end{table}", ""]
    )  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in printable(text))


def _piped(text: str) -> str:
    return re.sub(r"([|*_<\[\]`\\])", r"\\\1", printable(text))


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("\n", " ")
