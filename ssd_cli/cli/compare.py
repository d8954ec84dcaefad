"""``ssd-bench compare``: ranks, tests and figures of folders of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssd_cli.cli.console import announce_reading, plural, say, show_warning, warn
from ssd_cli.cli.options import Others, Published, external_sources
from ssd_cli.core.text import printable
from ssd_cli.errors import MisuseError
from ssd_cli.statistics.tests import DEFAULT
from ssd_cli.statistics.tests import names as test_names

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ssd_cli.leaderboard.compare import Comparison

_MANY_PAIRS = 10
"""Largest number of pairs that the terminal shows (those of five methods); the file has all pairs."""
_MANY_MISSING = 20
_CAPTION_WIDTH = 100
_SCREEN_WIDTH = 104  # columns of the screenshot


def compare(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Output folders of 'ssd-bench run'.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for tables and figures. [default: leaderboard, inside the first DIR]")
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            metavar="fail|complete|worst-rank",
            help="Where a method lacks results on a dataset: refuse, leave the dataset out for all, or rank the method last on it.",
        ),
    ] = "fail",
    alpha: Annotated[float, typer.Option("--alpha", help="Family-wise error rate of all pairwise tests.")] = 0.05,
    test: Annotated[
        str,
        typer.Option(
            "--convention",
            "--test",
            metavar="|".join(test_names()),
            help="By whose rules pairs are judged and joined; the others reproduce published figures (aeon's own alpha is 0.1).",
        ),
    ] = DEFAULT,
    rope: Annotated[
        float | None, typer.Option("--rope", help="Add the Bayesian signed-rank test; differences below this are none.")
    ] = None,
    figures: Annotated[
        bool,
        typer.Option(
            "--figures",
            help="Also draw the multi-comparison matrix, accuracy against cost, the leader against all, boxes of differences.",
        ),
    ] = False,
    published: Published = None,
    others: Others = None,
    deployed: Annotated[
        list[Path] | None,
        typer.Option(
            "--deployed", help="Files of 'ssd-bench export', or a folder of them: their size and latency beside accuracy."
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", metavar="PATTERN", help="Compare these methods only, such as 'ssd*' or '*@lite'. Repeatable."),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="PATTERN", help="Compare on these datasets only, such as 'Gun*'. Repeatable."),
    ] = None,
    formats: Annotated[str, typer.Option("--format", metavar="svg,png,pdf", help="Formats of the figures.")] = "svg,png",
    screenshot: Annotated[
        Path | None,
        typer.Option("--screenshot", metavar="FILE.svg", help="Also draw the leaderboard as the terminal shows it."),
    ] = None,
) -> None:
    """Rank the methods, test every pair, and write tables (CSV, Markdown, LaTeX) and a critical-difference diagram."""
    from ssd_cli.leaderboard.collect import Selection
    from ssd_cli.leaderboard.compare import compare as compare_folders
    from ssd_cli.leaderboard.drawing import check_formats
    from ssd_cli.leaderboard.figures import DIAGRAM, left_over, names, write_figures
    from ssd_cli.leaderboard.publish import write_published
    from ssd_cli.leaderboard.table import write_csv

    if screenshot is not None and screenshot.suffix != ".svg":
        raise MisuseError(f"--screenshot cannot write {screenshot}.", "Expected a file name that ends in .svg.")
    chosen = tuple(part.strip() for part in formats.split(","))
    check_formats(chosen)
    externals = external_sources(published, others)
    if not folders and not externals:
        raise MisuseError("There is nothing to compare.", "Expected a folder of results, --published names, or --with a file.")
    comparison = compare_folders(
        folders or [],
        missing,
        alpha,
        announce_reading,
        test=test,
        rope=rope,
        externals=externals,
        selection=Selection(tuple(method or ()), tuple(dataset or ())),
    )
    if deployed:
        from ssd_cli.leaderboard.deployed import with_deployed

        comparison = with_deployed(comparison, deployed, folders or [])
    for text in comparison.warnings:
        show_warning(text)
    _show(comparison, new_console())
    folder = out or (folders[0] / "leaderboard" if folders else Path("leaderboard"))
    drawn = tuple(names()) if figures else (DIAGRAM,)
    written = [*write_csv(comparison, folder), *write_published(comparison, folder)]
    written += write_figures(comparison, folder, chosen, drawn)
    if screenshot is not None:
        written.append(_photograph(comparison, screenshot))
    say(f"\nWritten to {folder}: {', '.join(path.name for path in written)}")
    old = ", ".join(path.name for path in left_over(folder, written))
    if old:
        warn(f"Warning: {old} there show an earlier comparison. --figures and --format draw them again.")


def _show(comparison: Comparison, console: Console, first: int = 0) -> None:
    """Print the tables, beginning with number `first`, and the caption."""
    from ssd_cli.leaderboard.caption import caption, warning

    for heading, table in _tables(comparison, console)[first:]:
        _print(console, heading, table)
    for text in [*warning(comparison), *caption(comparison)]:
        console.print(printable(text), width=min(console.width, _CAPTION_WIDTH))


def _photograph(comparison: Comparison, path: Path) -> Path:
    """Write the leaderboard and its caption as an SVG picture of a terminal, without fonts; deterministic."""
    import io
    import re

    from rich.console import Console

    from ssd_cli.core import atomic

    console = Console(
        record=True, file=io.StringIO(), force_terminal=True, width=_SCREEN_WIDTH, highlight=False, markup=False, emoji=False
    )
    _show(comparison, console, first=-1)
    picture = console.export_svg(title="ssd-bench compare")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    return atomic.write_into(path.parent, [(path, picture.encode())])[0]


def new_console() -> Console:
    """Return a console that prints names unchanged, without markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _tables(comparison: Comparison, console: Console) -> list[tuple[str, Table]]:
    """Return headings and tables; the leaderboard is last, next to the prompt."""
    from ssd_cli.leaderboard.caption import effects_note
    from ssd_cli.leaderboard.publish import columns
    from ssd_cli.leaderboard.table import PAIRWISE_HEADER, leaderboard_rows, missing_rows, pairwise_rows, per_dataset_rows
    from ssd_cli.metrics import METRICS, RANKED

    rows = per_dataset_rows(comparison)
    n_methods = len(comparison.names)
    fitting = n_methods
    if console.is_terminal:
        fitting = max(1, min(n_methods, (console.width - max(len(row[0]) for row in rows)) // 8))
    rest = f", {n_methods - fitting} more in per_dataset.csv" if fitting < n_methods else ""
    heading = f"Accuracy by dataset (columns: places in the leaderboard{rest}; * is the best)"
    places = [str(place + 1) + " " for place in range(fitting)]
    tables = [(heading, _table(["dataset", *places], [row[: fitting + 1] for row in rows]))]
    tests = comparison.tests
    if tests.enough and tests.n_pairs <= _MANY_PAIRS:
        heading = f"Pairs of methods. {effects_note()}"
        tables.append((heading, _table(PAIRWISE_HEADER, pairwise_rows(comparison), texts=(0, 1))))
    lacking = missing_rows(comparison)
    if lacking:
        shown = f" (the first {_MANY_MISSING} of {len(lacking)}; all in per_dataset.csv)" if len(lacking) > _MANY_MISSING else ""
        header = ["dataset", "method", "results", "reason"]
        tables.append((f"Missing results{shown}", _table(header, lacking[:_MANY_MISSING], texts=(0, 1, 3))))
    beside = [column for column in columns(comparison) if column.title not in ("rank", METRICS[RANKED].title)]
    if beside:
        header = ["", *(column.title for column in beside)]
        numbers = [[str(i + 1), *(_number(column.values[i], column.form) for column in beside)] for i in range(n_methods)]
        known = [row for row in numbers if set(row[1:]) != {"–"}]  # external results have no such numbers
        chosen = _fitting(header, known, [0, *(column.terminal for column in beside)], console)
        n_more = len(header) - len(chosen)
        rest = f"; {plural(n_more, 'more column')} in leaderboard.md" if n_more else ""
        heading = f"Other scores, costs and distillation (rows: places in the leaderboard{rest})"
        tables.append((heading, _table([header[i] for i in chosen], [[row[i] for i in chosen] for row in known])))
    header = ["", "method", "rank", "accuracy", "datasets", "wins/ties/losses", "group"]
    board = _table(header, leaderboard_rows(comparison), texts=(1, 6))
    return [*tables, ("Leaderboard (wins, ties and losses against all other methods)", board)]


def _fitting(header: list[str], rows: list[list[str]], priorities: list[int], console: Console) -> list[int]:
    """Return the columns that fit into the terminal, chosen by priority, in the order of the header."""
    if not console.is_terminal:
        return list(range(len(header)))
    widths = [2 + max(map(len, column)) for column in zip(header, *rows, strict=True)]
    chosen, left = [0], console.width - widths[0]
    for column in sorted(range(1, len(header)), key=priorities.__getitem__):
        if widths[column] <= left:
            chosen.append(column)
            left -= widths[column]
    return sorted(chosen)


def _number(value: float, form: str) -> str:
    return "–" if value != value else format(float(value), form)  # noqa: PLR0124 - NaN


def _table(header: list[str], rows: list[list[str]], texts: tuple[int, ...] = (0,)) -> Table:
    """Return a table with right-aligned numbers and left-aligned texts, which fold in narrow terminals."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, title in enumerate(map(printable, header)):
        if column in texts:
            table.add_column(title, overflow="fold")
        else:
            table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(printable, row))
    return table


def _print(console: Console, heading: str, table: Table) -> None:
    """Print the table; without a terminal its width is not limited, so that each row is one line."""
    if not console.is_terminal:
        console.width = max(console.width, console.measure(table, options=console.options.update(width=10_000)).maximum)
    console.print(printable(heading), style="bold")
    console.print(table)
    console.print()
