import socket
import sys
from pathlib import Path

import pytest

from ssd_cli.running.provenance import provenance, reduce_command, reduce_paths


@pytest.mark.parametrize(
    ("text", "reduced"),
    [
        (
            'File "/home/ada/env/lib/python3.11/site-packages/torch/nn/modules/conv.py", line 3',
            'File "torch/nn/modules/conv.py", line 3',
        ),
        ('File "/home/ada/src/ssd-bench/ssd_cli/training/loop.py", line 9', 'File "ssd_cli/training/loop.py", line 9'),
        ("[Errno 13] Permission denied: '/home/ada/my results/seed0'", "[Errno 13] Permission denied: '…/seed0'"),
        ("cannot read /mnt/data/ada/GunPoint_TRAIN.ts, line 3", "cannot read …/GunPoint_TRAIN.ts, line 3"),
        ("in C:\\Users\\ada\\runs: full", "in …/runs: full"),
        ("see ~/runs/x and (/tmp/y/z)", "see …/x and (…/z)"),
        ("a rate of 3/4 and 1e-3/2, https://example.org/page", "a rate of 3/4 and 1e-3/2, https://example.org/page"),
        ("loss / epochs", "loss / epochs"),
    ],
)
def test_paths_are_cut_down(text, reduced):
    assert reduce_paths(text) == reduced


def test_the_name_of_the_machine_is_removed(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "ada-laptop")
    assert reduce_paths("no route from ada-laptop to x") == "no route from host to x"


def test_the_command_line_keeps_its_meaning_without_its_folders():
    command = [
        "/home/ada/.venv/bin/ssd-bench",
        "run",
        "benchmarks/demo.yaml",
        "--out",
        "/home/ada/runs",
        "--data-dir=../../ada/data",
        "--seeds",
        "3,",
    ]
    assert reduce_command(command) == "ssd-bench run benchmarks/demo.yaml --out …/runs --data-dir=…/data --seeds 3,"
    assert reduce_command(["/x/ssd_cli/__main__.py", "run"]) == "python -m ssd_cli run"


def test_provenance_says_with_what_and_on_what_but_not_where():
    found = provenance(2, [sys.argv[0], "run"])
    assert found["threads"] == 2 and found["cpu"] and found["cores"] >= 1
    assert {"python", "torch", "numpy", "aeon", "sktime", "ssd-bench"} <= found["versions"].keys()
    assert str(Path.home()) not in repr(found) and socket.gethostname() not in repr(found)


def test_a_process_that_uses_a_gpu_names_it(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: False)
    assert "accelerator" not in provenance(1, [])
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Some GPU")
    monkeypatch.setattr("torch.version.cuda", "13.0")
    assert provenance(1, []).items() >= {"accelerator": "Some GPU", "cuda": "13.0"}.items()
