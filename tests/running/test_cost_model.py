"""Seconds from counts: arithmetic on rates that are made up."""

import dataclasses
import itertools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.methods.ens_avg import EnsAvg
from ssd_cli.methods.kd import KD
from ssd_cli.methods.recording import RecordedTraining, record_trainings
from ssd_cli.methods.single import Single
from ssd_cli.methods.soup_greedy import SoupGreedy
from ssd_cli.running.cost_model import ASSUMED, CELL_SECONDS, START_SECONDS, price, wall_seconds
from ssd_cli.running.plan import make_plan
from ssd_cli.running.schedule import Queue
from ssd_cli.running.work import RECOMPUTED, Counts, Shape, Work, counts_of, rates_key, step_flops, work_of
from ssd_cli.training.recipe import Fast
from tests.running.builders import make_plan as plan_of
from tests.running.builders import make_planned, make_spec, make_suite, write_dataset
from tests.small import SmallBackbone

RATES = {"rates": Counts(steps=1.0)}
"""Of networks whose time is the number of their steps."""


def cell(method, trainings, *, dataset="A"):
    """A cell with trainings given as (shared, steps)."""
    work = Work("rates", tuple((shared, Counts(steps=steps)) for shared, steps in trainings), Counts())
    return dataclasses.replace(make_planned(dataset, method), work=work)


SINGLE, ENSEMBLE = [("m0", 10)], [("m0", 10), ("m1", 10), ("m2", 10)]
DISTILLED, SSD = [("m0", 10), ("", 10)], [("m0 dropout", 10), ("", 2.5)]


def costs(cells, done=(), rates=RATES):
    plan = dataclasses.replace(plan_of(cells), done={cells[number].key: "ok" for number in done})
    return [round(one.cost - CELL_SECONDS, 9) for one in price(plan, rates).cells]


def test_a_network_is_paid_for_once_by_the_cell_that_is_handed_out_first():
    cells = [cell("single", SINGLE), cell("ens-avg", ENSEMBLE), cell("kd", DISTILLED), cell("ssd", SSD)]
    assert costs(cells) == [0, 30, 10, 12.5]
    assert [one.alone - CELL_SECONDS for one in price(plan_of(cells), RATES).cells] == pytest.approx([10, 30, 20, 12.5])


def test_the_sum_is_that_of_all_networks_in_any_order():
    cells = [cell("single", SINGLE), cell("ens-avg", ENSEMBLE), cell("kd", DISTILLED), cell("ssd", SSD)]
    assert {sum(costs(order)) for order in itertools.permutations(cells)} == {52.5}


def test_the_order_of_the_queue_is_the_order_in_which_cells_pay():
    pair = cell("ens-avg[members=2]", ENSEMBLE[:2])  # alone as long as kd
    plan = price(plan_of([cell("single", SINGLE), pair, cell("kd", DISTILLED), cell("ens-avg", ENSEMBLE)]), RATES)
    queue, order = Queue(plan.cells), []
    while queue:
        order.append(queue.take(order[-1].group if order else None))
    assert [one.cell.method for one in order] == ["ens-avg", "kd", "ens-avg[members=2]", "single"]
    trained: set[str] = set()
    for one in order:
        fresh = [counts.steps for shared, counts in one.work.trainings if not shared or shared not in trained]
        trained |= {shared for shared, _ in one.work.trainings}
        assert one.cost - CELL_SECONDS == pytest.approx(sum(fresh))


def test_of_two_equally_long_cells_the_one_that_the_queue_hands_out_first_pays():
    plan = price(plan_of([cell("ens-avg[members=2]", ENSEMBLE[:2]), cell("kd", DISTILLED)]), RATES)
    first = Queue(plan.cells).take()
    assert first.cost == first.alone
    assert sum(one.cost for one in plan.cells) == pytest.approx(30 + 2 * CELL_SECONDS)


def test_cells_of_other_datasets_share_nothing():
    assert costs([cell("single", SINGLE), cell("single", SINGLE, dataset="B")]) == [10, 10]


def test_what_done_cells_left_on_the_disk_costs_nothing_and_they_cost_nothing_more():
    cells = [cell("single", SINGLE), cell("ens-avg", ENSEMBLE), cell("kd", DISTILLED)]
    plan = dataclasses.replace(plan_of(cells), done={cells[1].key: "ok"})
    priced = price(plan, RATES)
    assert [one.cost - CELL_SECONDS for one in priced.pending] == pytest.approx([0, 10])
    failed = price(dataclasses.replace(plan, done={cells[1].key: "failed"}), RATES)
    assert sum(one.cost - CELL_SECONDS for one in failed.pending) == pytest.approx(20)


def test_workers_share_the_time_but_no_cell_is_cut():
    cells = [make_planned(name, cost=cost) for name, cost in (("A", 6.0), ("B", 2.0), ("C", 2.0))]
    assert wall_seconds(cells, 1) == START_SECONDS + 10
    assert wall_seconds(cells, 2) == wall_seconds(cells, 9) == START_SECONDS + 6
    assert wall_seconds([], 2) == 0


def work(method=None, *, backbone=None, epochs=20, shape=(50, 1, 150, 150), **identity):
    backbone, recipe = backbone or LITEBackbone(), Fast(epochs=epochs).for_backbone("lite")
    recorded = record_trainings(method or Single(), backbone, recipe)
    return work_of(recorded, backbone, recipe, Shape(*shape), make_spec(**({"execution": "fast"} | identity)))


def total(one):
    return Counts(*(sum(column) for column in zip(*(counts for _, counts in one.trainings), strict=True)))


def test_counts_grow_with_epochs_cases_steps_and_channels():
    one = total(work())
    assert one.steps == 20  # a batch of 50 is a step
    assert one.flops == pytest.approx(20 * 50 * 150 * step_flops(LITEBackbone(), 1))
    assert one.input_flops == 0
    assert total(work(epochs=40)) == pytest.approx(tuple(2 * value for value in one))
    assert total(work(shape=(50, 1, 300, 150))).flops == pytest.approx(2 * one.flops)
    assert total(work(shape=(65, 1, 150, 150))).steps == 40  # a full batch and one of a single case
    wide = total(work(shape=(50, 9, 150, 150)))
    assert wide.flops == one.flops
    assert wide.input_flops > 0
    assert total(work(EnsAvg(members=3))) == pytest.approx(tuple(3 * value for value in one))


def test_small_batches_cost_by_the_step():
    recipe = Fast(epochs=10, batch_size=5, batch_divisor=0).for_backbone("lite")
    counts = counts_of(RecordedTraining(10), LITEBackbone(), recipe, Shape(52, 1, 24))
    assert counts.steps == 110


def test_a_validation_part_is_not_trained_on():
    held_out = total(work(SoupGreedy(), shape=(100, 1, 24, 0)))
    assert held_out.flops == pytest.approx(2.6 * 20 * 80 * 24 * step_flops(LITEBackbone(), 1))


def test_maps_that_are_computed_twice_are_counted_twice():
    short, long = (total(work(shape=(64, 1, n, 0))).flops for n in (1000, 5000))
    assert long == pytest.approx(5 * RECOMPUTED * short)


def test_prediction_counts_the_test_set():
    none, many = (work(shape=(50, 1, 150, n)).prediction for n in (0, 4500))
    assert many.pass_flops > 50 * none.pass_flops
    assert many.passes > none.passes


@pytest.mark.parametrize("n_channels", [1, 5])
@pytest.mark.parametrize("name", ["inception", "h-inception", "resnet", "fcn", "lite"])
def test_the_operations_of_a_step_are_those_that_torch_counts(name, n_channels):
    backbone = backbones.get(name)()
    network, series = backbone.build(n_channels, 2), torch.zeros(1, n_channels, 200)
    with FlopCounterMode(display=False) as counter:
        network(series)
    assert step_flops(backbone, n_channels) == pytest.approx(3 * counter.get_total_flops() / 200, rel=0.01)


def test_a_backbone_for_several_channels_only_can_be_counted():
    class Several(SmallBackbone):
        def build(self, n_channels, n_classes, dropout=NO_DROPOUT):
            if n_channels < 2:
                raise ValueError("two channels are needed")
            return super().build(n_channels, n_classes, dropout)

    counts = total(work(backbone=Several(), shape=(50, 3, 24, 0)))
    assert counts.flops == pytest.approx(20 * 50 * 24 * step_flops(SmallBackbone(), 3))
    assert counts.input_flops == 0


def test_an_ensemble_of_one_pass_shares_with_no_single_network():
    texts = [{shared for shared, _ in work(method, execution="batched").trainings} for method in (Single(), EnsAvg(), KD())]
    assert texts[0] < texts[2]
    assert not texts[0] & texts[1]


def test_rates_belong_to_backbone_execution_device_and_precision():
    changes = [{}, {"execution": "fast"}, {"device": "cuda"}, {"backbone": {"name": "lite", "parameters": {"width": 8}}}]
    assert len({rates_key(make_spec(**change), precision) for change in changes for precision in ("fp32", "bf16")}) == 8


def test_costs_decide_nothing_but_costs(tmp_path):
    write_dataset(tmp_path, "Waves")
    suite = make_suite(
        tmp_path / "out",
        dataset=("Waves",),
        method=("single", "ssd", "dummy"),
        backbone=("lite",),
        recipe="smoke",
        data_dir=(tmp_path,),
    )
    plan = make_plan(suite, dry_run=False)
    rates = {one.work.rates: Counts(7, 7, 7, 7, 7) for one in plan.cells if one.work}
    priced = [price(plan, of).cells for of in ({}, rates)]
    assert priced[0][0].cost != priced[1][0].cost
    for cells in priced:
        assert [(one.identity_hash, one.key, one.group) for one in cells] == [
            (one.identity_hash, one.key, one.group) for one in plan.cells
        ]
    assert [one.alone for one in priced[0] if one.work is None] == [CELL_SECONDS]


def test_without_rates_they_are_assumed():
    assert costs([cell("single", SINGLE)], rates={}) == [10 * ASSUMED.steps]
