from pathlib import Path

import pytest

from ssd_cli.errors import MisuseError
from ssd_cli.running.suite import parse_numbers, parse_suite


def write(tmp_path, text):
    file = tmp_path / "suite.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("5", range(5)),
        (5, range(5)),
        ("1", [0]),
        ("0,3,7", [0, 3, 7]),
        ("3,", [3]),
        ("0,", [0]),
        ("7,3,3", [3, 7]),
        ([4, 2], [2, 4]),
        ([0], [0]),
    ],
)
def test_numbers(text, numbers):
    assert parse_numbers(text, "--seeds") == tuple(numbers)


@pytest.mark.parametrize(
    "text", ["", ",", "0", 0, "-1", "1,-2", "a", "1-5", "1.5", 1.5, True, [], [True], [1.5], "3;4", [1, None], [[1, 2]]]
)
def test_numbers_that_cannot_be_read(text):
    with pytest.raises(MisuseError, match="--seeds cannot be"):
        parse_numbers(text, "--seeds")


def test_a_suite_has_the_options_as_keys(tmp_path):
    file = write(
        tmp_path,
        "dataset: [GunPoint, Arrow*]\nmethod: ssd[keep=topk,dropout=0.3]\nbackbone: [lite, fcn]\nresamples: 3\nseeds: '0,2'\n"
        "recipe: smoke\nworkers: 2\nthreads: 1\ndata-dir: ~/data\nout: here\ndiscard-networks: true\nscale: train\n",
    )
    suite = parse_suite(file, {})
    assert suite.dataset == ("GunPoint", "Arrow*")
    assert suite.method == ("ssd[keep=topk,dropout=0.3]",)
    assert suite.backbone == ("lite", "fcn")
    assert (suite.resamples, suite.seeds) == ((0, 1, 2), (0, 2))
    assert (suite.recipe, suite.n_workers, suite.scale, suite.discard_networks) == ("smoke", 2, "train", True)
    assert suite.data_dir == (Path.home() / "data",)
    assert suite.out == Path("here")


def test_flags_win_over_the_suite_and_lists_are_replaced(tmp_path):
    file = write(tmp_path, "dataset: [GunPoint, ArrowHead]\nmethod: [single]\nseeds: 5\noverwrite: true\n")
    suite = parse_suite(file, {"dataset": ["Coffee"], "method": [], "seeds": "3,", "resamples": None, "overwrite": None})
    assert (suite.dataset, suite.method, suite.seeds, suite.resamples, suite.overwrite) == (
        ("Coffee",),
        ("single",),
        (3,),
        (0,),
        True,
    )


def test_null_leaves_an_option_out(tmp_path):
    without = "dataset: GunPoint\nmethod: single\n"
    keys = ("archive", "backbone", "recipe", "resamples", "workers", "out", "scale", "download")
    nulls = "".join(f"{key}: null\n" for key in keys)
    assert parse_suite(write(tmp_path, without + nulls), {}) == parse_suite(write(tmp_path, without), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: GunPoint\nmethods: [single]\n", "line 2: unknown option 'methods'. Did you mean 'method'?"),
        (
            "dataset: GunPoint\nmethod: single\nretry_failed: true\n",
            "line 3: unknown option 'retry_failed'. Did you mean 'retry-failed'?",
        ),
        ("dataset: GunPoint\n\nworkers: many\n", "line 3: workers cannot be 'many'"),
        ("dataset: GunPoint\nthreads: true\n", "line 2: threads cannot be True"),
        ("dataset: {a: 1}\n", "line 1: dataset cannot be"),
        ("dataset: GunPoint\nresamples: x\n", "line 2: resamples cannot be 'x'"),
        ("dataset: GunPoint\ndataset: Coffee\n", "line 2: the option 'dataset' is given twice"),
        ("dataset: GunPoint\ndataset: null\n", "line 2: the option 'dataset' is given twice"),
        ("dataset: null\nmethod: single\n", "No dataset is named"),
        ("dataset: [GunPoint\nmethod: single\n", "not valid YAML"),
        ("- GunPoint\n", "not a suite"),
        ("", "not a suite"),
        ("method: single\n", "No dataset is named"),
        ("dataset: GunPoint\n", "No method is named"),
        ("dataset: GunPoint\nmethod: single\nbackbone: []\n", "No backbone is named"),
        ("dataset: GunPoint\nmethod: single\nout: 2024-13-45\n", "not valid YAML (month must be in 1..12)"),
        ("dataset: a\nmethod: b\ndevice: gpu\n", "--device cannot be 'gpu'"),
        ("dataset: a\nmethod: b\nengine: fats\n", "--engine cannot be 'fats'. Did you mean 'fast'?"),
        ("dataset: a\nmethod: b\nengine: turbo\n", "auto, plain,"),
        ("dataset: a\nmethod: b\nscale: serie\n", "Did you mean 'series'?"),
        ("dataset: a\nmethod: b\nthreads: 0\n", "at least 1"),
    ],
)
def test_a_suite_with_a_mistake(tmp_path, text, message):
    with pytest.raises(MisuseError) as caught:
        parse_suite(write(tmp_path, text), {})
    assert message in str(caught.value)


def test_a_suite_that_does_not_exist(tmp_path):
    with pytest.raises(MisuseError, match="Cannot read the suite"):
        parse_suite(tmp_path / "absent.yaml", {})


def test_a_suite_cannot_run_code(tmp_path):
    with pytest.raises(MisuseError, match="not valid YAML"):
        parse_suite(write(tmp_path, "dataset: !!python/object/apply:os.getcwd []\n"), {})
