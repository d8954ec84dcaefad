"""Tables for papers and pages: Markdown and LaTeX (booktabs), the best bold and the second underlined."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.leaderboard.caption import caption, warning
from ssd_cli.leaderboard.deployed import KINDS
from ssd_cli.statistics.ranks import TIE
from ssd_cli.store import atomic

if TYPE_CHECKING:
    from ssd_cli.leaderboard.comparison import Comparison

Floats = npt.NDArray[np.float64]

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "χ": r"$\chi$", "–": "--", "<": r"$<$", ">": r"$>$",
}  # fmt: skip

# title, name in Facts.means, format, whether higher is better (None: nothing is marked), factor
_COLUMNS: tuple[tuple[str, str, str, bool | None, float], ...] = (
    ("balanced acc.", "balanced_accuracy", ".4f", True, 1),
    ("macro F1", "macro_f1", ".4f", True, 1),
    ("NLL", "nll", ".4f", False, 1),
    ("Brier", "brier", ".4f", False, 1),
    ("ECE", "ece", ".4f", False, 1),
    ("trainings", "trainings", ".3g", None, 1),
    ("nets stored", "networks_stored", ".3g", None, 1),
    ("latency [ms]", "latency_ms_p50", ".3g", None, 1),
    ("MMACs", "macs", ".4g", None, 1e-6),
    ("parameters", "parameters", ",.0f", None, 1),
    ("kB", "size_bytes", ",.0f", None, 1e-3),
    ("teacher acc.", "teacher_accuracy", ".4f", None, 1),
    ("agreement", "teacher_agreement", ".4f", None, 1),
    ("disagreement", "disagreement", ".4f", None, 1),
    *(
        (f"{title} {text}", f"deployed_{kind}_{figure}", form, higher, factor)
        for kind, title in KINDS.items()
        for text, figure, form, higher, factor in (
            ("acc.", "accuracy", ".4f", True, 1),
            ("kB", "size_bytes", ",.0f", None, 1e-3),
            ("p50 [ms]", "latency_ms_p50", ".3g", None, 1),
            ("p95 [ms]", "latency_ms_p95", ".3g", None, 1),
        )
    ),
)
Column = tuple[str, Floats, str, bool | None]


def columns(comparison: Comparison) -> list[Column]:
    """Title, values, format and direction of every column that some method has a number for; the ranking comes first."""
    facts = comparison.facts
    listed: list[Column] = [
        ("rank", comparison.average_ranks, ".3f", False),
        ("rank at 1×", facts.matched_ranks, ".3f", False if len(comparison.matched_backbones) == 1 else None),
        _accuracy(comparison, ".4f"),
    ]
    if not _same_datasets(comparison):
        listed.append(("datasets", comparison.n_scores.astype(float), ".0f", None))
    for title, name, form, higher, factor in _COLUMNS:
        if name in facts.means:
            listed.append((title, facts.means[name] * factor, form, higher))
        if name == "networks_stored":
            shown = (("fit alone ×single", "fit_alone"), ("fit spent ×single", "fit_spent"), ("inference ×single", "inference"))
            listed += [(title, facts.relative[key], ".2f", None) for title, key in shown if key in facts.relative]
        if name == "teacher_accuracy" and name in facts.means:
            listed.append(("gap to teacher", facts.gap, "+.4f", None))
    return [column for column in listed if np.isfinite(column[1]).any()]


def _same_datasets(comparison: Comparison) -> bool:
    return len(comparison.complete_datasets) == len(comparison.datasets)


def _accuracy(comparison: Comparison, form: str) -> Column:
    """Each method's mean over the datasets that it has; nothing is the best of means over different datasets."""
    return "accuracy", comparison.mean_scores, form, True if _same_datasets(comparison) else None


def markdown(comparison: Comparison) -> str:
    """The leaderboard, its columns as of `columns`, and the caption below it."""
    listed = columns(comparison)
    head = ["", "method", *(column[0] for column in listed), "groups"]
    rows = [
        [
            str(place + 1),
            _piped(name),
            *(_marked(column, place, "**{}**", "<u>{}</u>") for column in listed),
            comparison.letters[place],
        ]
        for place, name in enumerate(comparison.names)
    ]
    lines = [_line(head), _line(["--:", ":--", *(["--:"] * len(listed)), ":--"]), *(_line(row) for row in rows), ""]
    return "\n".join([*lines, *(f"{_piped(text)}  " for text in [*warning(comparison), *caption(comparison)])]) + "\n"


def latex(comparison: Comparison) -> str:
    """The leaderboard as a booktabs table, with the caption."""
    listed = columns(comparison)
    rows = [
        [
            _tex(name),
            *(_marked(column, place, r"\textbf{{{}}}", r"\underline{{{}}}") for column in listed),
            comparison.letters[place],
        ]
        for place, name in enumerate(comparison.names)
    ]
    head = ["method", *(_tex(column[0]).replace("×", r"$\times$") for column in listed), "groups"]
    text = " ".join(map(_tex, [*warning(comparison), *caption(comparison)]))
    return _tabular("l" + "r" * len(listed) + "l", head, rows, text, "leaderboard")


def latex_per_dataset(comparison: Comparison) -> str:
    """Accuracy of every method on every dataset as a booktabs table; methods by their place in the leaderboard."""
    rows = []
    for dataset, scores in zip(comparison.datasets, comparison.scores, strict=True):
        cells = [_marked(("", scores, ".3f", True), i, r"\textbf{{{}}}", r"\underline{{{}}}") for i in range(len(scores))]
        rows.append([_tex(dataset), *cells])
    means = _accuracy(comparison, ".3f")
    rows.append(["mean", *(_marked(means, i, r"\textbf{{{}}}", r"\underline{{{}}}") for i in range(len(rows[0]) - 1))])
    places = "; ".join(f"{place + 1}: {_tex(name)}" for place, name in enumerate(comparison.names))
    head = ["dataset", *(str(place + 1) for place in range(len(comparison.names)))]
    return _tabular("l" + "r" * len(comparison.names), head, rows, f"Accuracy by dataset. {places}.", "per-dataset")


def write_published(comparison: Comparison, folder: Path) -> list[Path]:
    """Write leaderboard.md, leaderboard.tex and per_dataset.tex.

    Raises
    ------
    SsdBenchError
        If the folder cannot be written.
    """
    contents = {
        "leaderboard.md": markdown(comparison),
        "leaderboard.tex": latex(comparison),
        "per_dataset.tex": latex_per_dataset(comparison),
    }
    files = [(folder / name, text.encode()) for name, text in contents.items()]
    return atomic.write_into(folder, files)


def _marked(column: Column, place: int, best: str, second: str) -> str:
    """The number, marked where it is the best or the second of its column."""
    _, values, form, higher = column
    if not np.isfinite(values[place]):
        return "–"
    text = format(float(values[place]), form)
    if higher is None:
        return text
    known = values[np.isfinite(values)] * (1 if higher else -1)
    ahead = int((known > values[place] * (1 if higher else -1) + TIE).sum())
    return best.format(text) if ahead == 0 else second.format(text) if ahead == 1 else text


def _tabular(form: str, head: list[str], rows: list[list[str]], text: str, label: str) -> str:
    # {}: after \\ of the row before, LaTeX would take [ for an optional length, and * for a part of the command
    lines = [
        ("{}" if row[0][:1] in ("[", "*") else "") + " & ".join(cell.replace("–", "--") for cell in row) + r" \\" for row in rows
    ]
    return "\n".join(
        [r"% needs \usepackage{booktabs}", r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{form}}}", r"\toprule",
         " & ".join(head) + r" \\", r"\midrule", *lines, r"\bottomrule", r"\end{tabular}", rf"\caption{{{text}}}",
         rf"\label{{tab:{label}}}", r"\end{table}", ""]
    )  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _piped(text: str) -> str:
    return re.sub(r"([|*_<\[\]])", r"\\\1", text)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
