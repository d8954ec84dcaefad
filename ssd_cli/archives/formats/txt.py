"""The UCR archive's ``.txt`` of before 2018: as ``.tsv``, with blanks or commas between label and values."""

from __future__ import annotations

import re
from pathlib import Path

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.formats.tsv import label_first
from ssd_cli.archives.text import without_blank_end

HOLDS_SUBJECTS = False
_BLANKS = " \t\r\n"
_SEPARATOR = re.compile(r"[ \t]+")


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part; short series are filled with NaN at the end. The error names the first malformed line."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = without_blank_end(enumerate(file, start=1))
        cells = ((line, _SEPARATOR.split(text.strip(_BLANKS)) if "," not in text else text.split(",")) for line, text in lines)
        return label_first(path, cells, "blanks or commas", equal_length, missing_label)
