import os
import re
import resource
import signal
import subprocess
import time

import psutil
import pytest

from ssd_cli.cli import run
from ssd_cli.core.claims import Claims
from ssd_cli.running.progress import RunProgress
from ssd_cli.store.results import ResultStore
from tests.cli.helpers import command, failing, probabilities, ssd_bench
from tests.cli.test_app import modules_of
from tests.running.builders import make_plan as plan_of
from tests.running.builders import make_planned, make_suite, write_dataset
from tests.store.builders import make_record

PLUGIN = '''
from dataclasses import dataclass

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor


@methods.register("my-pair")
@dataclass(frozen=True)
class Pair(Method):
    """Two networks, from a file outside the package."""

    first: int = 0

    def fit(self, training_set, workbench):
        return Predictor([workbench.base_network(self.first), workbench.base_network(self.first + 1)])
'''


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_dataset(folder, "Waves")
    write_dataset(folder, "Tides", n_timepoints=20, shift=0.3)
    write_dataset(folder, "OneClass", n_train=1, n_test=4)
    return folder


def options(data, *datasets, methods=("single",), recipe="smoke"):
    chosen = [("--dataset", dataset) for dataset in datasets] + [("--method", method) for method in methods]
    pairs = [*chosen, ("--backbone", "lite"), ("--recipe", recipe), ("--data-dir", data), ("--device", "cpu"), ("--workers", 1)]
    return [str(part) for pair in pairs for part in pair]


def test_run_again_and_dry_run(data, tmp_path):
    arguments = [
        "run",
        *options(data, "Waves", "Tides", methods=("single", "ens-avg[members=2]")),
        "--workers",
        "2",
        "--out",
        "out dir",
    ]
    cache = {"SSD_BENCH_CACHE": str(tmp_path / "cache")}
    before, kept = (ssd_bench(*arguments, "--dry-run", cwd=tmp_path, **cache) for _ in range(2))
    assert before.returncode == 0 and "4 cells: 0 done, 4 to do on cpu" in before.stdout
    assert "measured just now" in before.stdout
    assert "measured just now" not in kept.stdout and "measured on 2" in kept.stdout
    assert re.search(r"About .* with 2 workers: .* of work, since cells share networks", kept.stdout)
    assert not (tmp_path / "out dir").exists()
    done = ssd_bench(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 cells finished" in done.stdout and "4 ok, 0 failed, 0 skipped" in done.stdout
    assert done.stdout.endswith("Next: ssd-bench compare 'out dir'\n")
    assert done.stderr.count("accuracy") == 4 and "[4/4]" in done.stderr
    written = probabilities(tmp_path / "out dir")
    assert len(written) == 4 and "seed0/single@lite/Predictions/Waves/testResample0.csv" in written
    again = ssd_bench(*arguments, cwd=tmp_path)
    assert "0 cells finished" in again.stdout and "4 cells had been finished before: 4 ok" in again.stdout
    assert "4 done, 0 failed, 0 skipped, 0 left, 0 claimed" in ssd_bench("status", "out dir", cwd=tmp_path).stdout
    changed = failing(*arguments, "--recipe", "smoke[epochs=2]", code=2, cwd=tmp_path)
    assert "recipe.parameters.epochs: 3 before, 2 now" in changed and "--overwrite" in changed
    assert probabilities(tmp_path / "out dir") == written


def test_one_worker_or_two_and_any_order_give_the_same_probabilities(data, tmp_path):
    methods = ["single", "ens-avg[members=2]", "ssd", "kd"]
    runs = {
        "one": [*options(data, "Waves", "Tides", methods=methods)],
        "two": [*options(data, "Tides", "Waves", methods=methods[::-1]), "--workers", "2"],
    }
    for name, arguments in runs.items():
        assert ssd_bench("run", *arguments, "--out", tmp_path / name).returncode == 0
    alone = [*options(data, "Waves", methods=["kd"]), "--out", tmp_path / "alone"]  # trains its teacher itself
    assert ssd_bench("run", *alone).returncode == 0
    one = probabilities(tmp_path / "one")
    assert len(one) == 8 and one == probabilities(tmp_path / "two")
    assert probabilities(tmp_path / "alone").items() <= one.items()


def test_a_suite_is_the_same_as_its_options_and_the_parent_never_loads_torch(data, tmp_path):
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        f"dataset: [Waves]\nmethod: [single]\nbackbone: lite\nrecipe: fast\ndata-dir: {data}\nout: suite\nworkers: 1\n"
    )
    loaded, done = modules_of("run", suite, "--recipe", "smoke", "--out", tmp_path / "suite")
    assert done.returncode == 0 and "1 cell finished" in done.stdout
    assert "ssd_cli.running.suite_run" in loaded and not loaded & {"torch", "aeon", "sktime", "pandas"}
    record = next(ResultStore(tmp_path / "suite").records())
    assert (record.cell.recipe, record.cell.dataset, record.cell.backbone) == ("smoke", "Waves", "lite")
    suite.write_text(suite.read_text().replace("backbone", "backbones"))
    assert "suite.yaml, line 3: unknown option 'backbones'. Did you mean 'backbone'?" in failing("run", suite, code=2, cwd=tmp_path)


def test_a_method_from_a_file_outside_the_package(data, tmp_path):
    plugin = tmp_path / "my_method.py"
    plugin.write_text(PLUGIN)
    arguments = [
        "run",
        *options(data, "Waves", "Tides", methods=("my-pair[first=1]", "single")),
        "--plugin",
        plugin,
        "--out",
        tmp_path / "out",
    ]
    done = ssd_bench(*arguments)
    assert done.returncode == 0, done.stderr
    assert "my-pair" in ssd_bench("ls", "methods", "--plugin", plugin).stdout
    assert "my-pair[first=1]" in ssd_bench("compare", tmp_path / "out").stdout
    plugin.write_text(PLUGIN + "# changed\n")
    assert "plugin_sha256" in failing(*arguments, code=2)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (["--method", "sdd"], 2, "Unknown method 'sdd'. Did you mean 'ssd'?"),
        (["--method", "mini-rocket"], 2, "Did you mean 'minirocket'?"),
        (["--method", "mine"], 2, "--plugin FILE.py"),
        (["--dataset", "Coffee", "--no-download"], 1, "The dataset 'Coffee' is not on this machine"),
    ],
)
def test_nothing_is_computed_where_the_plan_has_an_error(data, tmp_path, change, code, message):
    assert message in failing("run", *options(data, "Waves"), *change, "--out", tmp_path / "out", code=code)
    assert not list((tmp_path / "out").glob("seed*"))


def test_status_of_a_folder_without_results_says_so(tmp_path):
    assert "holds no results and no plan" in failing("status", tmp_path, code=2)


def test_a_malformed_file_is_named_with_its_line(tmp_path):
    place = write_dataset(tmp_path, "Waves")
    lines = (place / "Waves_TRAIN.ts").read_text().splitlines()
    lines[9] = lines[9].replace(",", ",x", 1)
    (place / "Waves_TRAIN.ts").write_text("\n".join(lines))
    assert "Waves_TRAIN.ts, line 10" in failing("run", *options(tmp_path, "Waves"), "--out", tmp_path / "out", code=1)


def test_cells_that_fail_make_the_exit_code_1_and_the_others_go_on(data, tmp_path):
    arguments = ["run", *options(data, "Waves", "OneClass"), "--out", tmp_path / "out"]
    first = failing(*arguments, code=1)
    assert "FAILED: The training set of OneClass, resample 0, has one class only" in first
    done = ssd_bench(*arguments)
    assert done.returncode == 1 and "2 cells had been finished before: 1 failed, 1 ok" in done.stdout
    assert "--retry-failed" in done.stdout
    assert "1 done, 1 failed" in ssd_bench("status", tmp_path / "out").stdout


def test_the_summary_counts_the_failures_it_does_not_name_and_shows_tracebacks_where_asked(tmp_path, capsys, monkeypatch):
    cells = [make_planned(f"D{number}", "mine") for number in range(12)]
    for cell in cells:
        record = make_record(cell.cell, "failed", identity=cell.spec.to_identity(), traceback="Traceback: it rained")
        ResultStore(tmp_path).put(record)
    progress = RunProgress(12, 0, 0.0, failed=12, failures=[(cell, "it rained") for cell in cells])
    run.show_summary(progress, plan_of(cells), make_suite(tmp_path))
    text = capsys.readouterr().out
    assert text.count("FAILED") == 10 and "and 2 more failed." in text and "--debug shows the tracebacks" in text
    assert "Traceback" not in text and "Next:" not in text
    monkeypatch.setattr("sys.argv", ["ssd-bench", "--debug"])
    run.show_summary(progress, plan_of(cells), make_suite(tmp_path))
    assert "Traceback: it rained" in capsys.readouterr().out
    assert ssd_bench("status", tmp_path, "--debug").stdout.count("Traceback: it rained") == 12
    assert "--debug shows the tracebacks" in ssd_bench("status", tmp_path).stdout


def test_an_output_folder_that_cannot_be_written(data, tmp_path):
    (tmp_path / "file").write_text("")
    message = failing("run", *options(data, "Waves"), "--out", tmp_path / "file" / "out", code=1)
    assert "Cannot write in" in message and "--out" in message


def test_a_full_disk_ends_the_run_without_a_failed_cell(data, tmp_path):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    arguments = command("run", *options(data, "Waves"), "--out", tmp_path / "out")
    done = subprocess.run(arguments, capture_output=True, text=True, preexec_fn=small_files, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"Cannot write in {tmp_path / 'out'}: File too large" in done.stderr
    assert not list(ResultStore(tmp_path / "out").records())
    assert subprocess.run(arguments, capture_output=True, check=False).returncode == 0


def interrupt(arguments, times):
    """Start a run, send Ctrl-C to its whole group once an endless cell is claimed, and return exit code, stderr, its children."""
    kept = signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a script runs in its background ignores it, children included
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    signal.signal(signal.SIGINT, kept)
    claims = Claims(arguments[-1] / ".claims")
    deadline = time.monotonic() + 300  # of a machine that does much else beside
    while not any(key.startswith("cell-") for key, _ in claims.live()) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    children = psutil.Process(process.pid).children(recursive=True)
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.1)
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr, children


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_stops_cleanly_and_the_run_can_go_on(data, tmp_path, times):
    endless = ["run", *options(data, "Waves", "Tides", recipe="smoke[epochs=1000000]"), "--workers", "2", "--out", tmp_path / "out"]
    code, stderr, children = interrupt(endless, times)
    assert code == 130 and "Traceback" not in stderr and "KeyboardInterrupt" not in stderr
    assert children and not psutil.wait_procs(children, timeout=20)[1]
    assert not list((tmp_path / "out" / ".claims").iterdir()) and not list((tmp_path / "out" / ".tmp").iterdir())
    assert not list(ResultStore(tmp_path / "out").records())
    if times == 1:
        assert "the same command goes on from there" in stderr
        assert ssd_bench("run", *options(data, "Waves"), "--out", tmp_path / "out").returncode == 0


def test_networks_can_be_discarded(data, tmp_path):
    methods = ("single", "ens-avg[members=2]", "kd")
    done = ssd_bench("run", *options(data, "Waves", methods=methods), "--discard-networks", "--out", tmp_path / "out")
    assert done.returncode == 0
    assert not list((tmp_path / "out" / "networks").rglob("*.*"))
    assert all(not network["kept"] for record in ResultStore(tmp_path / "out").records() for network in record.networks)


def test_a_terminal_shows_a_live_display(data, tmp_path):
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    arguments = command("run", *options(data, "Waves", recipe="smoke[epochs=500]"), "--out", tmp_path / "out")
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=follower, env=os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait() == 0 and b"1 cell finished" in process.stdout.read()
    text = shown.decode()
    assert "0 of 1 cell done, 1 left" in text and "worker 0" in text and "Waves, single on lite" in text
    assert re.search(r"member 0, epoch \d+/500, loss \d", text)


def test_only_present_names_what_it_leaves_out(data, tmp_path):
    arguments = ("run", "--data-dir", data, "--dataset", "Waves", "--method", "single", "--backbone", "lite", "--recipe", "smoke")
    result = ssd_bench(*arguments, "--archive", "har", "--only-present", "--dry-run", "--out", tmp_path / "out")
    assert result.returncode == 0
    assert "left out, not on this machine" in result.stderr and "WISDM2" in result.stderr
    assert "2 cells: 0 done, 2 to do" in result.stdout  # of the archive, BasicMotions comes with aeon
