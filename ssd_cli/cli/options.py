"""Options that several commands share: which datasets, and where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ssd_cli.cli import completion

Archives = Annotated[
    list[str] | None, typer.Option("--archive", help="Archive of datasets; repeatable.", autocompletion=completion.complete_archive)
]
Datasets = Annotated[
    list[str] | None, typer.Option("--dataset", help="Dataset, or Gun*; repeatable.", autocompletion=completion.complete_dataset)
]
DataDirs = Annotated[
    list[Path] | None, typer.Option("--data-dir", help="Folder of datasets, searched before $SSD_BENCH_DATA; repeatable.")
]
