"""A malformed file gives an error that names the line, not a wrong array."""

import random
import re

import numpy as np
import pytest

from ssd_cli.archives.read import read_part
from ssd_cli.errors import SsdBenchError

GOOD = """\
# Two channels, three steps.
@problemName Toy
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength true
@seriesLength 3
@classLabel true 1 10 Up
@data
1,2,3:4,5,6:1
1.5,-2e3,.5:4,+5.,6 : up
?,NaN,3.25:1,2,3:10
"""

# what stands in GOOD, what stands there instead, the line that is named, a piece of the message
MALFORMED = {
    "a value is text": ("-2e3", "-2x3", 12, "value 2 of channel 1 is '-2x3'"),
    "a value is empty": ("1,2,3:4", "1,,3:4", 11, "value 2 of channel 1 is ''"),
    "a comma at the end of a channel": ("4,5,6:1", "4,5,6,:1", 11, "value 4 of channel 2 is ''"),
    "two numbers without a comma": ("4,5,6:1", "4,5 6:1", 11, "value 2 of channel 2 is '5 6'"),
    "an underscore in a number": ("4,5,6:1", "4,5_0,6:1", 11, "5_0"),
    "infinity": ("4,5,6:1", "4,inf,6:1", 11, "inf"),
    "a number beyond 64 bits": ("4,5,6:1", "4,1e999,6:1", 11, "too large"),
    "a decimal comma": ("1.5,-2e3", "1,5,-2e3", 12, "channel 2 has 3 values"),
    "time stamps": ("1,2,3:4", "(0,1),(1,2),(2,3):4", 11, "'(0'"),
    "a digit of another script": ("4,5,6:1", "4,٥,6:1", 11, "u0665"),
    "a series is shorter": ("?,NaN,3.25:1,2,3", "?,NaN:1,2", 13, "2 values a channel"),
    "the first series is shorter": ("1,2,3:4,5,6", "1,2:4,5", 11, "@seriesLength 3"),
    "a channel is shorter": ("4,+5.,6", "4,+5.", 12, "channel 2 has 2 values, channel 1 has 3"),
    "a channel is missing": ("?,NaN,3.25:1,2,3", "?,NaN,3.25", 13, "1 channels"),
    "a channel more than declared": ("@dimensions 2", "@dimensions 1", 11, "2 channels"),
    "more channels than univariate": ("@univariate false", "@univariate true", 11, "@univariate is true"),
    "an unknown label": (":10", ":2", 13, "the label '2' is not declared"),
    "an empty label": (":10", ":", 13, "the label is ''"),
    "no label": ("1.5,-2e3,.5:4,+5.,6 : up", "1.5,-2e3,.5", 12, "no label"),
    "an empty line among the cases": ("4,5,6:1\n", "4,5,6:1\n\n", 12, "an empty line"),
    "a comment among the cases": ("4,5,6:1\n", "4,5,6:1\n# half way\n", 12, "no label"),
    "two cases on one line": ("4,5,6:1\n", "4,5,6:1", 11, "4 channels"),
    "no cases": (GOOD[GOOD.index("1,2,3") :], "", 10, "no case"),
    "no @data": ("@data\n", "", 10, "'1,2,3:4,5,6:1' in the header"),
    "text after @data": ("@data", "@data 1,2,3", 10, "text after @data"),
    "a flag that is neither": ("@equalLength true", "@equalLength yes", 7, "@equallength is 'yes'"),
    "a flag without a value": ("@missing true", "@missing", 4, "@missing is ''"),
    "a flag twice": ("@missing true", "@equalLength false", 7, "a second @equallength"),
    "time stamps declared": ("@timeStamps false", "@timeStamps true", 3, "time stamps"),
    "a regression problem": ("@missing true", "@targetLabel true", 4, "regression"),
    "no classes": ("@classLabel true 1 10 Up\n", "", 9, "no classes are declared"),
    "classes without names": ("@classLabel true 1 10 Up", "@classLabel true", 9, "declares no classes"),
    "classes switched off": ("@classLabel true 1 10 Up", "@classLabel false", 10, "no classes are declared"),
    "a label with a colon": ("@classLabel true 1 10 Up", "@classLabel true 1 1:0 Up", 9, "a label contains a colon"),
    "a size in digits of another script": ("@seriesLength 3", "@seriesLength ３", 8, "@serieslength is"),
    "a size of five thousand digits": ("@seriesLength 3", f"@seriesLength {'3' * 5000}", 8, "@serieslength is"),
    "a missing label": (":10", ":NaN", 13, "the label is 'NaN'"),
    "a label twice": (":10", ":1 10 1", 13, "the label '1 10 1' is not declared"),
    "a size that is no number": ("@seriesLength 3", "@seriesLength three", 8, "'three'"),
    "text in the header": ("@missing true", "missing true", 4, "'missing true' in the header"),
}


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "Toy_TRAIN.ts"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_good_file_is_read_to_the_last_value(write):
    part = read_part(write(GOOD))
    expected = [[[1, 2, 3], [4, 5, 6]], [[1.5, -2000, 0.5], [4, 5, 6]], [[np.nan, np.nan, 3.25], [1, 2, 3]]]
    np.testing.assert_array_equal(np.stack(part.X), expected)
    assert part.y.tolist() == ["1", "up", "10"]  # lower case, without the blanks around it
    assert part.missing and part.groups is None


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_names_file_and_line(write, case):
    old, new, line, piece = MALFORMED[case]
    assert GOOD.count(old) == 1 or old == "@data\n"
    path = write(GOOD.replace(old, new))
    with pytest.raises(SsdBenchError) as caught:
        read_part(path)
    assert f"{path}, line {line}: " in caught.value.what
    assert piece in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(("at", "line"), [(b"# Two", 1), (b"Toy", 2), (b"-2e3", 12), (b"up", 12)])
def test_bytes_that_are_not_utf8_name_their_line(write, at, line):
    path = write(GOOD.encode().replace(at, b"\xff" + at, 1))
    with pytest.raises(SsdBenchError, match=f"line {line}: "):
        read_part(path)


def test_an_empty_file_is_an_error(write):
    with pytest.raises(SsdBenchError, match="ends before @data"):
        read_part(write(""))


def test_a_file_cut_anywhere_is_an_error_or_holds_only_true_cases(write):
    whole = read_part(write(GOOD))
    lengths = set()
    for end in range(len(GOOD)):
        try:
            part = read_part(write(GOOD[:end]))
        except SsdBenchError:
            continue
        lengths.add(part.n_cases)
        np.testing.assert_array_equal(np.stack(part.X), np.stack(whole.X[: part.n_cases]), err_msg=GOOD[:end])
        assert part.y.tolist() == whole.y.tolist()[: part.n_cases], GOOD[:end]
    assert lengths == {1, 2, 3}  # cut at the end of a line: only the published size can tell


def test_unequal_lengths_must_be_declared(write):
    unequal = GOOD.replace("@seriesLength 3\n", "").replace("1,2,3:4,5,6:1", "1,2:4,5:1")
    with pytest.raises(SsdBenchError, match="line 11: 3 values a channel"):
        read_part(write(unequal))
    part = read_part(write(unequal.replace("@equalLength true", "@equalLength false")))
    assert part.lengths.tolist() == [2, 3, 3] and part.n_channels == 2


def test_empty_lines_at_the_end_are_no_cases(write):
    assert len(read_part(write(GOOD.rstrip("\n") + "\n\n \n")).X) == 3


def test_windows_line_ends_change_nothing(write):
    part = read_part(write(GOOD.replace("\n", "\r\n")))
    assert part.y.tolist() == ["1", "up", "10"] and part.X[0].shape == (2, 3)


def test_a_hostile_text_is_escaped_in_the_error(write):
    with pytest.raises(SsdBenchError) as caught:
        read_part(write(GOOD.replace("-2e3", "\x1b[31mred")))
    assert "\x1b" not in str(caught.value)


def test_random_damage_gives_an_error_with_its_line_or_a_file_that_means_what_it_says(write):
    generator = random.Random(0)
    alphabet = "0123456789.,:-+eE?nNaA#@_ \n\t\x00é"
    refused = 0
    for _ in range(400):
        text = list(GOOD)
        for _ in range(generator.randint(1, 3)):
            at = generator.randrange(len(text))
            text[at : at + generator.randint(0, 2)] = generator.choices(alphabet, k=generator.randint(0, 2))
        damaged = "".join(text)
        try:
            part = read_part(write(damaged))
        except SsdBenchError as error:
            refused += 1
            assert re.search(r"Toy_TRAIN\.ts, line \d+: ", error.what), damaged
            continue
        cases = re.split(r"(?m)^@data *\n", damaged, maxsplit=1, flags=re.IGNORECASE)[1].splitlines()
        for case, series, label in zip(cases, part.X, part.y, strict=True):
            *channels, last = case.split(":")
            expected = [[float(value.replace("?", "nan")) for value in channel.split(",")] for channel in channels]
            np.testing.assert_array_equal(series, expected, err_msg=damaged)
            assert label == last.strip().lower(), damaged
    assert 100 < refused < 400  # both outcomes were met
