"""A wrong generated file gives an error that names a line, not a wrong array."""

import re
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssd_cli.archives.read import read_part
from ssd_cli.errors import SsdBenchError

NUMBERS = st.one_of(
    st.floats(-1e6, 1e6).map(repr),
    st.integers(-99, 99).map(str),
    st.sampled_from(["?", "NaN", ".5", "4.", "-1e-3", " 7 "]),
)
LABELS = ("1", "10", "Up")
NOT_NUMBERS = ["", "x", "1_0", "inf", "-inf", "1e999", "0x1f", "1,5x", "٣", "1.2.3", "--1", "(0,1)", "\x00", "é", "nanx", "1 2"]
EXAMPLES = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def good_files(draw):
    """Lines of a header, and (channels, label) of every case."""
    n_channels, n_steps = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    equal = draw(st.booleans())
    cases = []
    for _ in range(draw(st.integers(1, 4))):
        length = n_steps if equal else draw(st.integers(1, 4))
        channels = [draw(st.lists(NUMBERS, min_size=length, max_size=length)) for _ in range(n_channels)]
        cases.append((channels, draw(st.sampled_from(LABELS))))
    head = ["# comment", "@problemName Toy", f"@univariate {str(n_channels == 1).lower()}", f"@dimensions {n_channels}"]
    head += [f"@equalLength {str(equal).lower()}", *([f"@seriesLength {n_steps}"] if equal else [])]
    return [*head, f"@classLabel true {' '.join(LABELS)}", "@data"], cases


def _lines(head, cases):
    return head + [":".join([*(",".join(channel) for channel in channels), label]) for channels, label in cases]


def _read(text: str):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Toy_TRAIN.ts"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return read_part(path)


@given(good_files())
@EXAMPLES
def test_a_good_file_is_read_exactly(file):
    head, cases = file
    part = _read("\n".join(_lines(head, cases)) + "\n")
    assert part.y.tolist() == [label.lower() for _, label in cases]
    for series, (channels, _) in zip(part.X, cases, strict=True):
        np.testing.assert_array_equal(series, [[float(value.replace("?", "nan")) for value in channel] for channel in channels])


@st.composite
def broken_files(draw):
    """A good file with one mistake, and the line of the mistake."""
    head, cases = draw(good_files())
    lines = _lines(head, cases)
    at = draw(st.integers(0, len(cases) - 1))
    line = len(head) + at
    channels, label = cases[at]
    which = draw(st.integers(0, len(channels) - 1))
    step = draw(st.integers(0, len(channels[which]) - 1))
    kind = draw(
        st.sampled_from(["value", "label", "blank", "joined", "channel", "ragged", "comma", "bytes", "flag", "size", "no data"])
    )
    if kind == "value":
        bad = [list(channel) for channel in channels]
        bad[which][step] = draw(st.sampled_from(NOT_NUMBERS))
        lines[line] = _lines([], [(bad, label)])[0]
    elif kind == "label":
        lines[line] = _lines([], [(channels, draw(st.sampled_from(["2", "", "upp", "1 0", "?"])))])[0]
    elif kind == "blank":
        lines.insert(line, draw(st.sampled_from(["", "   ", "# comment", "@data"])))
    elif kind == "joined":
        lines[line] += lines[line]
    elif kind == "channel":
        lines[line] = _lines([], [([*channels, *channels], label)])[0]
    elif kind == "ragged":
        lines[line] = _lines([], [([[*channels[0], "1"], *[channels[0]] * len(channels)], label)])[0]
    elif kind == "comma":
        lines[line] = lines[line].replace(":", ",:", 1)
    elif kind == "bytes":
        position = draw(st.integers(0, len(lines[line])))
        lines[line] = lines[line][:position] + "\udcff" + lines[line][position:]
    else:
        index, text = {
            "flag": (2, "@univariate maybe"),
            "size": (3, "@dimensions " + draw(st.sampled_from(["0", "-1", "x", "", "1.5", "9"]))),
            "no data": (len(head) - 1, "@dat"),
        }[kind]
        lines[index] = text
        line = len(head) if text == "@dimensions 9" or kind == "no data" else index
    return "\n".join(lines) + "\n", line + 1


@given(broken_files())
@settings(EXAMPLES, max_examples=300)
def test_a_broken_file_is_an_error_with_its_line(file):
    text, line = file
    try:
        part = _read(text)
    except SsdBenchError as error:
        found = re.search(r"Toy_TRAIN\.ts, line (\d+): ", error.what)
        assert found, error.what
        # What two joined cases break may show one line later, never earlier.
        assert line <= int(found[1]) <= line + 1, (error.what, text)
        return
    raise AssertionError(f"read as {part.X} {part.y}: {text}")
