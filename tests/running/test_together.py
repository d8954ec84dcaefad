"""``--together``: members of all resamples and seeds of a run in common passes."""

from functools import partial

import numpy as np
import pytest

from ssd_cli.errors import MisuseError
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.packing import needs_of
from ssd_cli.running.plan import make_plan
from ssd_cli.running.resume import look
from ssd_cli.store.results import ResultStore
from tests.running.builders import make_suite, write_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_dataset(folder, "Waves")
    return folder


def planned(data, out, **options):
    defaults = {"dataset": ("Waves",), "backbone": ("lite",), "recipe": "smoke", "data_dir": (data,), "device": "cpu"}
    suite = make_suite(out, **(defaults | {"engine": "batched", "resamples": (0, 1), "seeds": (0, 2)} | options))
    return look(make_plan(suite, dry_run=False), suite), partial(Job, out=suite.out, data_dirs=suite.data_dir)


def run(data, out, **options):
    """Probabilities and costs of every cell."""
    plan, job = planned(data, out, **options)
    for cell in plan.pending:
        assert execute(job(cell), lambda progress: None).status == "ok"
    store = ResultStore(out)
    records = [store.read(cell.cell) for cell in plan.cells]
    return [store.predictions(cell.cell)[1] for cell in plan.cells], [record.costs for record in records]


def test_cells_of_a_run_are_trained_in_one_pass_and_predict_as_if_alone(data, tmp_path):
    together, costs = run(data, tmp_path / "together", together=True)
    apart, _ = run(data, tmp_path / "apart")
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)  # float32, a few epochs: the sums have another order
    assert [cost["networks_reused"] for cost in costs] == [0, 1, 1, 1]


def test_a_run_of_other_seeds_into_the_same_folder_is_refused(data, tmp_path):
    run(data, tmp_path, together=True)
    with pytest.raises(MisuseError, match="together"):
        planned(data, tmp_path, together=True, seeds=(0, 2, 4))


def test_a_worker_goes_on_with_the_cells_of_its_pass(data, tmp_path):
    plan, _ = planned(data, tmp_path, together=True)
    assert len({cell.group for cell in plan.cells}) == 1


def test_the_memory_of_a_pass_is_reckoned_with(data, tmp_path):
    together, _ = planned(data, tmp_path / "a", together=True)
    apart, _ = planned(data, tmp_path / "b")
    many, few = (min(needs_of(plan.cells, (data,)).values()) for plan in (together, apart))
    assert many > few


def test_an_execution_without_passes_is_named(data, tmp_path):
    with pytest.raises(MisuseError, match=r"--together.*'fast'"):
        planned(data, tmp_path, together=True, engine="auto")
