"""Windows of a stream: one on each line, values separated by commas, channels by colons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.text import number
from ssd_cli.errors import SsdBenchError

_EXPECTED = "Expected a line of numbers: values by comma, channels by colon; ?, NaN or nothing where a value is missing."


def windows(lines: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each window, without a byte order mark; blank lines are no windows."""
    texts = (line.decode("utf-8" if at else "utf-8-sig", "replace") for at, line in enumerate(lines))
    yield from enumerate(filter(str.strip, texts))


def read_window(text: str, at: int) -> Series:
    """Return the values (n_channels, n_timepoints) of window number `at`; NaN where a value is missing.

    Raises SsdBenchError if a value is no number, or the channels differ in length.
    """

    def wrong(what: str, expected: str) -> SsdBenchError:
        return SsdBenchError(f"Window {at} cannot be read: {what}.", _EXPECTED)

    channels = [[number(value, wrong, empty=True) for value in channel.split(",")] for channel in text.split(":")]
    if len({len(channel) for channel in channels}) > 1:
        lengths = ", ".join(str(len(channel)) for channel in channels)
        raise SsdBenchError(f"Window {at} has channels of {lengths} steps.", "Expected channels of equal length.")
    return np.array(channels, dtype=np.float64)
