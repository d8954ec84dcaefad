"""``--together``: members of all resamples and seeds of a run in common passes."""

from functools import partial

import numpy as np
import pytest

from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.engine.footprint import training_bytes
from ssd_cli.errors import MisuseError
from ssd_cli.running.estimate import price
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.networks import discard_group
from ssd_cli.running.packing import needs_of
from ssd_cli.running.plan import make_plan
from ssd_cli.running.resume import look
from ssd_cli.store.networks import NetworkStore
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


def run(data, out, keep_networks=True, **options):
    """Probabilities and costs of every cell."""
    plan, job = planned(data, out, **options)
    for cell in plan.pending:
        assert execute(job(cell, keep_networks=keep_networks), lambda progress: None).status == "ok"
    store = ResultStore(out)
    records = [store.read(cell.cell) for cell in plan.cells]
    return [store.predictions(cell.cell)[1] for cell in plan.cells], [record.costs for record in records]


def test_cells_of_a_run_are_trained_jointly_and_predict_as_if_alone(data, tmp_path):
    together, costs = run(data, tmp_path / "together", together=True)
    apart, _ = run(data, tmp_path / "apart")
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)  # float32, a few epochs: the sums have another order
    assert [cost["networks_reused"] for cost in costs] == [0, 1, 1, 1]
    for cost in costs:  # each books its share of the pass
        assert cost["fit_seconds_spent"] == pytest.approx(cost["fit_seconds_alone"])


def test_a_run_of_other_seeds_into_the_same_folder_is_refused(data, tmp_path):
    run(data, tmp_path, together=True)
    with pytest.raises(MisuseError, match="together"):
        planned(data, tmp_path, together=True, seeds=(0, 2, 4))


def test_a_worker_continues_with_the_cells_of_its_joint_training(data, tmp_path):
    plan, _ = planned(data, tmp_path, together=True)
    assert len({cell.group for cell in plan.cells}) == 1


def test_the_memory_of_a_joint_training_is_counted(data, tmp_path):
    seeds = {"resamples": (0,), "seeds": (0, 1, 2)}
    plans = [planned(data, tmp_path / str(together), **seeds, together=together)[0] for together in (True, False)]
    many, few = (min(needs_of(plan.cells).values()) for plan in plans)
    each = training_bytes(LITEBackbone(), 1, 16, 2, 8)
    assert many - few == pytest.approx(2 * each, rel=0.2)


def test_discarding_networks_deletes_those_of_all_seeds(data, tmp_path):
    run(data, tmp_path, keep_networks=False, together=True)
    plan, _ = planned(data, tmp_path, together=True)
    keys = [curve["key"] for cell in plan.cells for curve in ResultStore(tmp_path).read(cell.cell).curves]
    networks = NetworkStore(tmp_path)
    assert len(set(keys)) == 4
    assert all(networks.find(key) for key in keys)
    discard_group(ResultStore(tmp_path), networks, plan.cells)
    left = [networks.find(key) for key in keys]
    assert left == [None] * 4


def test_the_networks_of_each_seed_are_priced(data, tmp_path):
    plan, _ = planned(data, tmp_path, together=True)
    costs = [cell.cost for cell in price(plan, {}).cells]
    assert len(costs) == 4
    assert min(costs) == pytest.approx(max(costs))


def test_an_execution_without_joint_training_is_refused(data, tmp_path):
    with pytest.raises(MisuseError, match=r"--together.*'fast'"):
        planned(data, tmp_path, together=True, engine="auto")
