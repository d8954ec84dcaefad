import subprocess
import sys

import pytest
import typer

from ssd_cli.cli.app import app
from ssd_cli.core.version import __version__
from ssd_cli.errors import SsdBenchError
from tests.cli.helpers import failing, ssd_bench
from tests.running.builders import make_planned, write_dataset

HEAVY = {"torch", "aeon", "sktime", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "numba", "yaml", "multiprocessing"}


def modules_of(*arguments):
    """Modules that a command has loaded when it ends."""
    code = "import sys, atexit; atexit.register(lambda: print('LOADED', *sys.modules)); from ssd_cli.cli.app import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False)
    return set(done.stdout.rpartition("LOADED")[2].split()), done


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["--version"], ["ls", "methods"], ["ls", "recipes"], ["ls", "archives"]]
)
def test_looking_around_loads_nothing_heavy(arguments):
    loaded, done = modules_of(*arguments)
    assert done.returncode == 0 and "ssd_cli.cli.app" in loaded
    assert not loaded & HEAVY


def test_the_list_of_commands_imports_none_of_them():
    loaded, done = modules_of("--help")
    assert done.returncode == 0
    assert {name for name in loaded if name.startswith("ssd_cli.cli.")} == {
        f"ssd_cli.cli.{name}" for name in ("app", "console", "lazy")
    }


def test_every_listed_command_can_be_imported():
    commands = typer.main.get_command(app).commands
    assert len(commands) > 10
    assert all(command.load().name == name for name, command in commands.items())


def test_status_and_a_refused_run_do_without_torch(tmp_path):
    (tmp_path / "out").mkdir()
    for arguments in (["status", tmp_path / "out"], ["run", "--dataset", "GunPoint"]):
        loaded, _ = modules_of(*arguments)
        assert "ssd_cli.cli.app" in loaded and not loaded & {"torch", "aeon", "sktime"}


def test_help_and_version():
    assert ssd_bench("--version").stdout == f"ssd-bench {__version__}\n"
    text = ssd_bench("--help").stdout
    assert all(command in text for command in ("run", "compare", "ls", "status"))
    text = ssd_bench("run", "--help").stdout
    assert all(option in text for option in ("--archive", "--data-dir", "--retry-failed", "--overwrite", "--dry-run", "--plugin"))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("archives", ["ucr112", "112", "bundled"]),
        ("datasets", ["GunPoint", "150", "ucr ucr112 bundled"]),
        ("methods", ["ssd-random-k", "ens-avg", "An ensemble"]),
        ("backbones", ["h-inception", "lite"]),
        ("recipes", ["standard", "paper", "fast", "smoke"]),
    ],
)
def test_ls(what, expected):
    done = ssd_bench("ls", what)
    assert done.returncode == 0
    assert all(text in done.stdout for text in expected)


def test_ls_shows_the_folders_and_plugins_that_are_named(tmp_path):
    write_dataset(tmp_path, "Waves")
    assert "own folder" in ssd_bench("ls", "datasets", "--data-dir", tmp_path).stdout
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from ssd_cli.methods import methods\nfrom ssd_cli.methods.single import Single\n\n"
        "@methods.register('mine')\nclass Mine(Single):\n    '''My own method.'''\n"
    )
    assert "My own method." in ssd_bench("ls", "methods", "--plugin", plugin).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "No dataset is named"),
        (["run", "absent.yaml"], "Cannot read the suite absent.yaml"),
        (["run", "GunPoint"], "For a dataset: --dataset GunPoint"),
        (
            ["run", "--dataset", "GunPoint", "--method", "single", "--seeds", "x"],
            "--seeds cannot be 'x'. Expected 5 (for 0 to 4)",
        ),
        (["run", "--workers", "many"], "--workers"),
        (["rnu"], "rnu"),
        (["ls", "method"], "method"),
        (["status", "absent"], "There is no folder absent"),
        (["compare", "absent"], "There is no folder absent"),
        (["recount", "absent"], "There is no folder absent"),
    ],
)
def test_misuse_is_a_sentence_and_exit_code_2(arguments, message, tmp_path):
    assert message in failing(*arguments, code=2, cwd=tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    shown = failing("data", "bundle", "taken/b.zip", "--dataset", "GunPoint", code=1, cwd=tmp_path)
    assert "taken" in shown and "Expected files and folders that exist" in shown and "foresaw" not in shown


def test_debug_shows_the_traceback(tmp_path):
    for arguments in (["--debug", "status", "absent"], ["status", "absent", "--debug"]):
        done = ssd_bench(*arguments, cwd=tmp_path)
        assert done.returncode == 2 and "Traceback" in done.stderr and "There is no folder absent" in done.stderr


def complete(line):
    return ssd_bench(_SSD_BENCH_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1)).stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ssd-bench run --method ens", {"ens-avg", "ens-kd", "ens-vote"}),
        ("ssd-bench run --backbone h", {"h-inception"}),
        ("ssd-bench run --recipe f", {"fast"}),
        ("ssd-bench run --archive ucr", {"ucr", "ucr112"}),
        ("ssd-bench run --dataset GunPointA", {"GunPointAgeSpan"}),
    ],
)
def test_completion(line, expected):
    assert set(complete(line)) == expected


def test_status_tells_done_failed_left_and_claimed(tmp_path):
    from ssd_cli.core.claims import Claims
    from ssd_cli.running.plan_file import save_plan
    from ssd_cli.store.results import ResultStore
    from tests.running.builders import make_plan
    from tests.running.test_plan import finish

    cells = [make_planned(name, "single") for name in ("Alpha", "Beta", "Gamma", "Delta")]
    save_plan(tmp_path, make_plan(cells))
    finish(tmp_path, cells[0])
    finish(tmp_path, cells[1], "failed")
    with Claims(tmp_path / ".claims").take(cells[2].key, str(cells[2].cell)):
        text = ssd_bench("status", tmp_path).stdout
    assert text.startswith("1 done, 1 failed, 0 skipped, 1 left, 1 claimed\n")
    assert "it rained" in text.partition("Failed:")[2].splitlines()[2]
    assert "Gamma, single on lite, resample 0, seed 0  process" in text
    left = text.partition("Left:")[2]
    assert "Delta" in left and "Gamma" not in left and "Alpha" not in left
    ResultStore(tmp_path).paths(cells[0].cell)[0].unlink()  # predictions that are gone are computed again
    assert ssd_bench("status", tmp_path).stdout.startswith("0 done, 1 failed, 0 skipped, 3 left")


def test_status_names_all_records_that_cannot_be_read_and_counts_trainings_that_were_cut_off(tmp_path):
    from ssd_cli.running.resume import look
    from ssd_cli.store.checkpoints import CheckpointStore
    from ssd_cli.store.results import ResultStore
    from tests.running.builders import make_plan, make_suite
    from tests.running.test_plan import finish

    cells = [make_planned(name, "single") for name in ("Alpha", "Beta", "Gamma", "Delta")]
    for cell in cells:
        finish(tmp_path, cell)
    damaged = [ResultStore(tmp_path).paths(cell.cell)[1] for cell in cells[:3]]
    for path in damaged:
        path.write_text(path.read_text()[:100])
    CheckpointStore(tmp_path).save("c" * 64, {}, {})
    shown = ssd_bench("status", tmp_path).stdout
    assert shown.startswith("1 done, 0 failed, 0 skipped, 3 unreadable, 0 left, 0 claimed\n1 training cut off")
    recounted = failing("recount", tmp_path, code=1)
    assert all(f"{path} is not a readable record" in text for path in damaged for text in (shown, recounted))
    with pytest.raises(SsdBenchError, match=r"recount DIR' names all such files; .* --overwrite"):  # and both do
        look(make_plan(cells), make_suite(tmp_path))
    assert look(make_plan(cells), make_suite(tmp_path, overwrite=True)).pending == cells[:3]


@pytest.mark.parametrize("arguments", [["ls", "datasets"], ["--version"]], ids=["in the middle", "at the end"])
def test_the_reader_of_the_output_may_leave(arguments):
    code = "from ssd_cli.cli.app import main; main()"
    writer = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer.stdout.close()
    assert writer.stderr.read() == b"" and writer.wait() == 141
