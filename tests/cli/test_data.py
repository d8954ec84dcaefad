"""``ssd-bench data`` from the command line: download, verify, move to a machine without a network, run."""

import csv
import json

import pytest

from tests.archives.conftest import TEST, TRAIN
from tests.archives.server import Archive

from .helpers import failing, ssd_bench


@pytest.fixture
def archive():
    from ssd_cli.archives import catalog

    archive = Archive()
    for name in ("WISDM", "Skoda"):
        archive.add(catalog.record_of(name), **{f"{name}_TRAIN": TRAIN, f"{name}_TEST": TEST})
    yield archive
    archive.close()


@pytest.fixture
def machine(tmp_path, archive):
    """Return the environment of an empty machine with the local server as Zenodo; `no_proxy` excludes it from proxies."""

    def environment(name="first"):
        home = tmp_path / name
        return {
            "SSD_BENCH_ZENODO": archive.url,
            "SSD_BENCH_CACHE": str(home / "cache"),
            "AEON_DATA": str(home / "data"),
            "SSD_BENCH_DATA": "",
            "no_proxy": "127.0.0.1",
        }

    return environment


def ok(*arguments, **environment):
    done = ssd_bench(*arguments, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_download_verify_move_and_run_without_a_network(machine, tmp_path, archive):
    first, second = machine("first"), machine("second") | {"SSD_BENCH_OFFLINE": "1"}
    done = ok("data", "download", "--dataset", "WISDM", "--dataset", "Skoda", **first)
    assert "2 datasets in" in done.stdout and "WISDM: placed" in done.stderr
    assert "2 datasets already here." in ok("data", "download", "--dataset", "WISDM", "--dataset", "Skoda", **first).stdout
    verified = ok("data", "verify", "WISDM", "Skoda", **first).stdout
    assert "checksums" in verified and "2 datasets: 2 ok, 0 wrong." in verified
    ok("data", "bundle", tmp_path / "all.zip", "--dataset", "WISDM", **first)

    n_requests = len(archive.requests)
    assert "not on this machine" in failing("data", "download", "--dataset", "WISDM", code=1, **second)
    assert "WISDM: imported" in ok("data", "import", tmp_path / "all.zip", **second).stderr
    out = tmp_path / "runs"
    suite = ("--method", "single", "--backbone", "lite", "--recipe", "smoke", "--workers", "1", "--out", out)
    told = failing("run", "--dataset", "WISDM", "--dataset", "Skoda", "--dataset", "PAMAP2", *suite, code=1, **second)
    assert "2 datasets (PAMAP2, Skoda) are not on this machine, and SSD_BENCH_OFFLINE forbids the network" in told
    done = ok("run", "--dataset", "WISDM", "--resamples", "0,1", *suite, **second)
    assert "2 ok" in done.stdout and "WISDM: the subjects are unknown" in done.stderr
    assert len(archive.requests) == n_requests  # the second machine never asked


def test_run_offline_sends_no_request(machine, tmp_path, archive):
    arguments = ("run", "--dataset", "WISDM", "--method", "single", "--out", tmp_path / "runs", "--offline")
    assert "'WISDM' is not on this machine, and downloading is switched off" in failing(*arguments, code=1, **machine())
    assert "not on this machine: WISDM" in failing("data", "download", "--dataset", "WISDM", "--offline", code=1, **machine())
    assert archive.requests == []


def test_a_plan_warns_of_windows_whose_subjects_are_unknown(machine, tmp_path):
    suite = ("--dataset", "BasicMotions", "--method", "single", "--resamples", "2", "--out", tmp_path / "runs")
    assert "BasicMotions: the subjects are unknown" in ok("run", *suite, "--dry-run", **machine()).stderr


def test_equal_errors_are_shown_once(machine, tmp_path):
    (tmp_path / "mirror").mkdir()
    done = ssd_bench(
        "data", "download", "--dataset", "Skoda", "--dataset", "WISDM", "--mirror", tmp_path / "mirror", "--no-zip", **machine()
    )
    assert done.returncode == 1 and "2 failed" in done.stdout
    assert "Skoda, WISDM: The mirror" in done.stderr and done.stderr.count("has no") == 1


def test_failures_are_listed_at_the_end_and_the_rest_is_installed(machine, archive):
    from ssd_cli.archives import catalog

    del archive.records[catalog.record_of("Skoda")]
    done = ssd_bench("data", "download", "--dataset", "WISDM", "--dataset", "Skoda", **machine())
    assert done.returncode == 1 and "404" in done.stderr and "1 dataset in" in done.stdout and "1 failed" in done.stdout
    assert "WRONG" not in ok("data", "verify", **machine()).stdout


def test_mirrors(machine, tmp_path):
    ok("data", "download", "--dataset", "WISDM", "--to", tmp_path / "mirror", **machine())
    other = machine("other") | {"SSD_BENCH_ZENODO": "http://127.0.0.1:9"}
    done = ok("data", "download", "--dataset", "WISDM", "--mirror", tmp_path / "mirror", "--offline", **other)
    assert "1 dataset in" in done.stdout


def test_wrong_files_are_named(machine, tmp_path):
    ok("data", "download", "--dataset", "WISDM", **machine())
    path = tmp_path / "first" / "data" / "WISDM" / "WISDM_TEST.ts"
    path.write_text(path.read_text().replace("2,2,2", "2,2,3"))
    done = ssd_bench("data", "verify", "WISDM", **machine())
    assert done.returncode == 1 and f"{path} has another checksum" in done.stderr and "1 wrong" in done.stdout
    done = ssd_bench("data", "verify", "Coffee", "GunPoint", **machine())
    assert done.returncode == 1 and "Not on this machine: Coffee." in done.stderr
    assert "2 datasets: 1 ok, 0 wrong, 1 absent." in done.stdout


def test_an_incomplete_folder_is_named_and_the_others_are_verified(machine, tmp_path):
    for name in ("Half", "Whole", "GunPoint"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        (tmp_path / "mine" / name / f"{name}_TRAIN.ts").write_text(TRAIN)
    (tmp_path / "mine" / "Whole" / "Whole_TEST.ts").write_text(TEST)
    where = ("--data-dir", tmp_path / "mine")
    lacks = f"{tmp_path}/mine/Half holds Half_TRAIN.ts but no Half_TEST.ts"
    for arguments, counts in (
        (("Half", "Whole"), "2 datasets: 1 ok, 1 wrong."),
        ((), "9 datasets: 7 ok, 2 wrong."),  # the seven that come with aeon, of which one is half, and two more
    ):
        done = ssd_bench("data", "verify", *arguments, *where, **machine())
        assert done.returncode == 1 and lacks in done.stderr and counts in done.stdout, done.stdout + done.stderr
    for arguments in (("data", "info", "Half"), ("run", "--dataset", "Half", "--method", "single", "--out", tmp_path / "out")):
        assert lacks in failing(*arguments, *where, code=1, **machine())
    assert lacks in failing("data", "bundle", tmp_path / "all.zip", "--dataset", "Half", *where, code=1, **machine())
    assert "does not exist" in failing("data", "verify", "--archive", "ucr", "--data-dir", "nowhere", code=2, **machine())


def test_info(machine, tmp_path):
    shown = ok("data", "info", "GunPoint", **machine()).stdout
    for piece in ("50 training, 150 test", "z-normalised", "https://zenodo.org/records/11191244", "█"):
        assert piece in shown
    shown = ok("data", "info", "WISDM", **machine()).stdout
    assert "not on this machine" in shown and "leaks" in shown
    shown = ok("data", "info", "UCIHAR", **machine()).stdout
    assert "not on this machine" in shown and "leave out the same number of subjects" in shown
    (tmp_path / "first" / "data" / "Mine").mkdir(parents=True)
    for part, text in (("TRAIN", TRAIN), ("TEST", TEST)):
        (tmp_path / "first" / "data" / "Mine" / f"Mine_{part}.ts").write_text(text)
    head, _ = ok("data", "info", "Mine", **machine()).stdout.split("\n\n", 1)
    assert [line.split()[0] for line in head.splitlines()] == ["Mine", "archives", "folder"]
    assert "Did you mean 'GunPoint'" in failing("data", "info", "gunpoint", code=2, **machine())


def test_add(machine, tmp_path):
    for part, text in (("train", TRAIN), ("test", TEST)):
        (tmp_path / f"{part}.ts").write_text(text)
    with (tmp_path / "groups.csv").open("w", newline="") as file:
        rows = [("train", 0, 1, "a"), ("train", 1, 1, "b"), ("train", 2, 2, "a"), ("test", 0, 3, "b"), ("test", 1, 3, "a")]
        csv.writer(file).writerows([("part", "row", "subject", "label"), *rows])
    parts = ("--train", tmp_path / "train.ts", "--test", tmp_path / "test.ts", "--groups", tmp_path / "groups.csv")
    assert "Subjects: 2 in training, 1 in test." in ok("data", "add", "Mine", *parts, **machine()).stdout
    assert "Mine" in ok("ls", "datasets", **machine()).stdout
    (tmp_path / "long.csv").write_text("case,step,label,acc,gyro\n0,0,a,1,2\n1,0,b,3,5\n")
    long = ("--train", tmp_path / "long.csv", "--test", tmp_path / "long.csv")
    assert "Channels: acc, gyro." in ok("data", "add", "Long", *long, **machine()).stdout
    assert "Channels: acc, gyro." in ok("data", "info", "Long", **machine()).stdout
    (tmp_path / "test.csv").write_text("label,0,1\na,1,2\nd,3,6\n")
    (tmp_path / "train.csv").write_text("label,0,1\na,1,2\nb,3,5\n")
    done = ok("data", "add", "Odd", "--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv", **machine())
    assert "test cases have the label d" in done.stderr and "Next: ssd-bench run --dataset Odd" in done.stdout
    assert "same series" not in done.stderr
    twice = ("--train", tmp_path / "train.csv", "--test", tmp_path / "train.csv")
    assert "Warning: both parts hold the same series" in ok("data", "add", "Twice", *twice, **machine()).stderr
    assert "cannot be the name" in failing("data", "add", "../x", *parts, code=2, **machine())
    assert json.loads((tmp_path / "first" / "data" / "Mine" / "Mine_checksums.json").read_text())["dataset"] == "Mine"


@pytest.mark.parametrize("parts", [("TRAIN", "TEST"), ("TRAIN",)])
def test_add_warns_if_another_folder_with_the_name_is_searched_first(machine, tmp_path, parts):
    (tmp_path / "mine.csv").write_text("label,0,1\na,1,2\nb,3,5\n")
    mine = ("--train", tmp_path / "mine.csv", "--test", tmp_path / "mine.csv")
    assert "--data-dir" not in ok("data", "add", "Mine", *mine, **machine()).stdout
    (tmp_path / "others" / "Mine").mkdir(parents=True)
    for part in parts:
        (tmp_path / "others" / "Mine" / f"Mine_{part}.ts").write_text(TRAIN)
    done = ok("data", "add", "Mine", *mine, "--force", **(machine() | {"SSD_BENCH_DATA": str(tmp_path / "others")}))
    where = f"--data-dir {tmp_path / 'first' / 'data'}"
    assert f"--method single {where}" in done.stdout and "is searched before" in done.stderr and where in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "piece"),
    [
        (["download"], 2, "No dataset is named"),
        (["download", "--dataset", "Nope"], 2, "Unknown dataset 'Nope'"),
        (["download", "--dataset", "UCIHAR"], 1, "no download for UCIHAR"),
        (["download", "--dataset", "WISDM", "--mirror", "nowhere"], 2, "neither a web address nor a folder"),
        (["download", "--monster", "WISDM", "--offline"], 1, "MONSTER needs the network"),
        (
            ["download", "--monster", "M", "--archive", "ucr", "--dataset", "W"],
            2,
            "cannot be combined with --archive and --dataset",
        ),
        (["download", "--monster", "M", "--mirror", "m", "--no-zip"], 2, "cannot be combined with --mirror and --zip/--no-zip"),
        (["download", "--dataset", "WISDM", "--fold", "0"], 2, "--fold has no effect without --monster"),
        (["bundle", "x.zip", "--dataset", "WISDM"], 1, "Not on this machine: WISDM"),
        (["import", "nothing.zip"], 2, "There is no file"),
    ],
)
def test_misuse(machine, tmp_path, arguments, code, piece):
    assert piece in failing("data", *arguments, code=code, cwd=tmp_path, **machine())
