"""``ssd-bench export-tsml``: results in the layout that tsml-eval and aeon read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ssd_cli.cli.console import plural, say


def export_tsml(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of 'ssd-bench run'.", show_default=False)],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.", show_default=False)],
) -> None:
    """Write the predictions of every finished cell to OUT/<estimator>/Predictions/<dataset>/testResample<k>.csv."""
    from ssd_cli.store.tsml_export import NAMES
    from ssd_cli.store.tsml_export import export_tsml as export

    done = export(folder, out)
    say(f"{plural(done.n_files, 'file')} of {plural(len(done.estimators), 'estimator')} in {out}; {NAMES} says what each one is.")
    if done.n_without:
        say(f"{plural(done.n_without, 'cell')} without predictions (failed or skipped) left out.")
