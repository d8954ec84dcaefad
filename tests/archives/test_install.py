"""Effects of an installation on the files of the data folder."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ssd_cli.archives import custom
from ssd_cli.archives.install import locked
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import locate
from ssd_cli.archives.verify import verify
from ssd_cli.errors import SsdBenchError

from .conftest import TEST, TRAIN


def test_files_of_a_failed_attempt_are_not_used(files, tmp_path):
    (tmp_path / "bad.csv").write_text("subject,row\n")
    with pytest.raises(SsdBenchError, match="line 1: the columns"):
        custom.add("Mine", files / "a.ts", files / "b.ts", tmp_path / "bad.csv", tmp_path / "root")
    X, y = np.arange(8.0).reshape(4, 2), np.array(["a", "b", "a", "b"])
    np.savez(tmp_path / "new.npz", X=X, y=y)
    custom.add("Mine", tmp_path / "new.npz", tmp_path / "new.npz", None, tmp_path / "root")
    assert np.array_equal(np.stack(load("Mine", [tmp_path / "root"]).train.X)[:, 0], X)


@pytest.mark.parametrize("force", [False, True])
def test_other_files_in_the_folder_of_the_name_stay(files, tmp_path, force):
    folder = tmp_path / "root" / "Watch"
    (folder / "figures").mkdir(parents=True)
    for name, content in (("raw_train.ts", TRAIN), ("raw_test.ts", TEST), ("notes.txt", "mine"), ("figures/a.svg", "<svg/>")):
        (folder / name).write_text(content)
    custom.add("Watch", folder / "raw_train.ts", folder / "raw_test.ts", None, tmp_path / "root")
    if force:
        custom.add("Watch", files / "b.ts", files / "a.ts", None, tmp_path / "root", force=True)
    assert load("Watch", [tmp_path / "root"]).train.n_cases == (2 if force else 3)
    assert (folder / "notes.txt").read_text() == "mine" and (folder / "figures" / "a.svg").read_text() == "<svg/>"
    assert (folder / "raw_train.ts").read_text() == TRAIN and (folder / "raw_test.ts").read_text() == TEST
    assert {path.name for path in (tmp_path / "root" / ".ssd-bench").iterdir()} == {".locks"}


def killed_while_replaced(files, root, monkeypatch, moment):
    """Install three cases and a note, then replace them by two cases and stop before a given step."""
    custom.add("Watch", files / "a.ts", files / "b.ts", None, root)
    (root / "Watch" / "notes.txt").write_text("mine")
    steps = []

    def step(real):
        def act(path, *arguments, **options):
            if path.name in ("Watch", ".Watch.old", "notes.txt", "Watch_TRAIN.ts"):
                steps.append(path)
            if len(steps) > moment and path.suffix != ".claim":  # the claim of a killed process is stale
                raise KeyboardInterrupt
            return real(path, *arguments, **options)

        return act

    with monkeypatch.context() as patch:
        for name in ("rename", "unlink", "rmdir"):
            patch.setattr(Path, name, step(getattr(Path, name)))
        with pytest.raises(KeyboardInterrupt):
            custom.add("Watch", files / "b.ts", files / "a.ts", None, root, force=True)


@pytest.mark.parametrize(("moment", "n_cases"), enumerate([3, 3, 2, 2, 2]))
def test_a_kill_while_a_dataset_is_replaced_loses_neither_it_nor_other_files(files, tmp_path, monkeypatch, moment, n_cases):
    root = tmp_path / "root"
    killed_while_replaced(files, root, monkeypatch, moment)
    with pytest.raises(SsdBenchError, match="There is a dataset Watch"):
        custom.add("Watch", files / "b.ts", files / "a.ts", None, root)
    assert load("Watch", [root]).train.n_cases == n_cases
    assert (root / "Watch" / "notes.txt").read_text() == "mine"
    custom.add("Watch", files / "b.ts", files / "a.ts", None, root, force=True)
    assert load("Watch", [root]).train.n_cases == 2 and (root / "Watch" / "notes.txt").read_text() == "mine"
    assert {path.name for path in (root / ".ssd-bench").iterdir()} == {".locks"}


def test_after_a_kill_a_folder_that_has_changed_since_is_kept(files, tmp_path, monkeypatch):
    killed_while_replaced(files, tmp_path / "root", monkeypatch, moment=1)
    (tmp_path / "root" / "Watch").mkdir()
    old = tmp_path / "root" / ".ssd-bench" / ".Watch.old"
    with pytest.raises(SsdBenchError, match=f"{old} holds the content of {tmp_path}/root/Watch before"):
        custom.add("Watch", files / "b.ts", files / "a.ts", None, tmp_path / "root", force=True)
    assert (old / "Watch_TRAIN.ts").read_text() == TRAIN and (old / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["Watch_TRAIN.csv", "Watch_TRAIN.ts", "Watch_subjects_train.csv"])
def test_one_part_of_a_users_dataset_is_not_replaced_without_force(files, tmp_path, name):
    folder = tmp_path / "root" / "Watch"
    folder.mkdir(parents=True)
    (folder / name).write_text("all that there is")
    with pytest.raises(SsdBenchError, match=rf"Watch holds {name}, but not a complete dataset") as caught:
        custom.add("Watch", files / "a.ts", files / "b.ts", None, tmp_path / "root")
    assert "--force" in caught.value.remedy and (folder / name).read_text() == "all that there is"
    custom.add("Watch", files / "a.ts", files / "b.ts", None, tmp_path / "root", force=True)
    assert load("Watch", [tmp_path / "root"]).train.n_cases == 3


def test_a_link_with_the_name_is_replaced_and_its_target_stays(files, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "notes.txt").write_text("mine")
    (tmp_path / "root" / "Watch").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "File").write_text("mine")
    custom.add("Watch", files / "a.ts", files / "b.ts", None, tmp_path / "root")
    assert (tmp_path / "elsewhere" / "notes.txt").read_text() == "mine" and verify(
        "Watch", locate("Watch", [tmp_path / "root"])
    ).wrong == []
    with pytest.raises(SsdBenchError, match="File is a file"):
        custom.add("File", files / "a.ts", files / "b.ts", None, tmp_path / "root")
    assert (tmp_path / "root" / "File").read_text() == "mine"


def test_no_name_of_a_dataset_is_that_of_the_folder_of_locks(files, tmp_path):
    with locked(tmp_path / "root", "more"):
        (lock,) = (tmp_path / "root" / ".ssd-bench").rglob("more.*")
        custom.add("locks", files / "a.ts", files / "b.ts", None, tmp_path / "root")
        assert lock.exists()
    assert not lock.exists()


def test_a_thread_waits_for_the_lock_of_another_and_can_give_up(tmp_path):
    def give_up():
        raise LookupError

    with locked(tmp_path, "ucr.zip"), locked(tmp_path, "other"), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(locked(tmp_path, "ucr.zip", give_up).__enter__)
        assert isinstance(waiting.exception(timeout=10), LookupError)
