from functools import partial

import pytest
import torch

from ssd_cli.running import threads
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.plan import make_plan
from ssd_cli.running.plugins import add_plugins
from ssd_cli.running.resume import look
from ssd_cli.running.threads import restore_threads, warnings_before
from tests.running.builders import make_suite, write_dataset

PLUGIN = '''
from dataclasses import dataclass

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor


@methods.register("test-greedy")
@dataclass(frozen=True)
class Greedy(Method):
    """Takes all cores, as some libraries do."""

    def fit(self, training_set, workbench):
        import torch

        network = workbench.base_network()
        torch.set_num_threads(3)
        return Predictor([network])
'''


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 2)


@pytest.fixture
def restored():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ({"workers": 2}, False),
        ({"workers": 0, "threads": 2}, False),
        ({"workers": 1, "threads": 2}, False),
        ({"workers": 2, "threads": 2}, True),
        ({"workers": 3}, True),
        ({"workers": 3, "device": "cuda"}, False),
    ],
)
def test_more_threads_than_cores_are_a_warning(tmp_path, options, warned):
    found = warnings_before(make_suite(tmp_path, **options), {})
    assert bool(found) == warned
    if warned:
        assert f"--workers {2 // options.get('threads', 1)} is faster" in found[0]


@pytest.mark.parametrize("name", ["OMP_PROC_BIND", "GOMP_CPU_AFFINITY"])
def test_variables_that_bind_all_workers_to_one_core_are_a_warning(tmp_path, name):
    two, one = (make_suite(tmp_path, workers=workers) for workers in (2, 1))
    assert name in warnings_before(two, {name: "true"})[0]
    assert warnings_before(one, {name: "true"}) == warnings_before(two, {name: "false"}) == warnings_before(two, {}) == []


@pytest.mark.usefixtures("restored")
def test_the_number_of_threads_is_restored():
    torch.set_num_threads(2)
    assert restore_threads(2) == ""
    assert "from 1 to 2" in restore_threads(1)
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("restored")
def test_a_method_that_changes_the_threads_is_a_warning_and_does_not_change_those_of_the_next_cell(tmp_path):
    write_dataset(tmp_path, "Waves")
    file = tmp_path / "greedy.py"
    file.write_text(PLUGIN)
    add_plugins((file,))
    options = {"dataset": ("Waves",), "backbone": ("lite",), "recipe": "smoke", "data_dir": (tmp_path,), "device": "cpu"}
    suite = make_suite(tmp_path / "out", method=("test-greedy", "single"), **options)
    job = partial(Job, out=suite.out, data_dirs=suite.data_dir)
    outcomes = [execute(job(cell), lambda progress: None) for cell in look(make_plan(suite, dry_run=False), suite).cells]
    assert [outcome.status for outcome in outcomes] == ["ok", "ok"]
    assert "from 1 to 3" in outcomes[0].warning
    assert outcomes[1].warning == ""
    assert torch.get_num_threads() == 1
