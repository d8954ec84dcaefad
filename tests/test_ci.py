"""The script of continuous integration reports what it cannot install; small programs replace apt-get, make and id."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("bash", "dirname", "sed", "tr", "cp")
MADE = ["make lint", "make test", "make gate"]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def program(path, script):
    path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def run(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool))
    program(programs / "make", 'echo "make $1"')
    program(programs / "id", "echo ${USER_ID:-0}")
    (tmp_path / "repo" / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / "repo" / ".ci" / "run")

    def start(*existing, apt=None, **environment):
        for name in existing:
            program(programs / name, "")
        if apt is not None:
            program(programs / "apt-get", apt.format(bin=programs))
        command = [shutil.which("bash"), str(tmp_path / "repo" / ".ci" / "run")]
        variables = {"PATH": str(programs), **environment}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)

    return start


def test_with_browser_and_node_nothing_is_installed(run):
    assert run("chromium", "node", apt="exit 1").stdout.splitlines() == MADE


def test_what_is_missing_is_installed(run):
    done = run("chromium", apt="[ $1 = update ] || cp {bin}/chromium {bin}/node")
    assert done.stdout.splitlines() == MADE, done.stderr


@pytest.mark.parametrize(("existing", "missing"), [((), "chromium fonts-dejavu-core nodejs"), (("chromium",), "nodejs")])
@pytest.mark.parametrize("apt", ["exit 1", "exit 0"])  # exit 0: it succeeds and installs nothing
def test_what_cannot_be_installed_is_an_error(run, existing, missing, apt):
    done = run(*existing, apt=apt)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"Error: {missing} could not be installed" in done.stderr


@pytest.mark.parametrize(("apt", "user"), [(None, "0"), ("exit 1", "1000")])
def test_where_nothing_can_be_installed_the_tests_run(run, apt, user):
    assert run(apt=apt, USER_ID=user).stdout.splitlines() == MADE


def test_the_tests_name_what_they_skip():
    assert " -rs" in (ROOT / "Makefile").read_text().split("\ntest:")[1].split("\n\n")[0]
