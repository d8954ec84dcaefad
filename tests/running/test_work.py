"""Counts of work: steps and operations from shapes."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.methods.ensembles import EnsAvg
from ssd_cli.methods.kd import KD
from ssd_cli.methods.recording import record_trainings
from ssd_cli.methods.single import Single
from ssd_cli.methods.soups import SoupGreedy
from ssd_cli.running.work import RECOMPUTED, Counts, DatasetShape, rates_key, step_flops, work_of
from ssd_cli.training.recipe import Fast
from tests.running.builders import make_spec
from tests.small import SmallBackbone


def work(method=None, *, backbone=None, shape=(50, 1, 150, 150), execution="fast", epochs=20, **parameters):
    backbone, recipe = backbone or LITEBackbone(), Fast(epochs=epochs, **parameters).for_backbone(LITEBackbone)
    recorded = record_trainings(method or Single(), backbone, recipe)
    return work_of(recorded, backbone, recipe, DatasetShape(*shape), make_spec(execution=execution))


def total(one):
    """Sum of all trainings; the last part are the predictions."""
    return Counts(*(sum(column) for column in zip(*(counts for _, counts in one.parts[:-1]), strict=True)))


def test_counts_grow_with_epochs_cases_steps_and_channels():
    one = total(work())
    assert one.steps == 20  # a batch of 50 is a step
    assert one.flops == pytest.approx(20 * 50 * 150 * step_flops(LITEBackbone(), 1)[0])
    assert one.input_flops == 0
    assert total(work(epochs=40)) == pytest.approx(tuple(2 * value for value in one))
    assert total(work(shape=(50, 1, 300, 150))).flops == pytest.approx(2 * one.flops)
    assert total(work(shape=(65, 1, 150, 150))).steps == 40  # a full batch and one of a single case
    wide = total(work(shape=(50, 9, 150, 150)))
    assert wide.flops == one.flops
    assert wide.input_flops > 0
    assert total(work(EnsAvg(members=3))) == pytest.approx(tuple(3 * value for value in one))


def test_small_batches_cost_by_the_step():
    assert total(work(epochs=10, shape=(52, 1, 24), batch_size=5, batch_divisor=0)).steps == 110


def test_a_validation_part_is_not_trained_on():
    held_out = total(work(SoupGreedy(), shape=(100, 1, 24, 0)))
    assert held_out.flops == pytest.approx(2.6 * 20 * 80 * 24 * step_flops(LITEBackbone(), 1)[0])


def test_maps_that_are_computed_twice_are_counted_twice():
    short, long = (total(work(shape=(64, 1, n, 0))).flops for n in (1000, 5000))
    assert long == pytest.approx(5 * RECOMPUTED * short)


def test_prediction_counts_the_test_set():
    none, many = (work(shape=(50, 1, 150, n)).parts[-1][1] for n in (0, 4500))
    assert many.flops > 50 * none.flops
    assert many.steps > none.steps


@pytest.mark.parametrize("n_channels", [1, 5])
@pytest.mark.parametrize("name", ["inception", "h-inception", "resnet", "fcn", "lite"])
def test_the_operations_of_a_step_are_those_that_torch_counts(name, n_channels):
    backbone = backbones.get(name)()
    network, series = backbone.build(n_channels, 2), torch.zeros(1, n_channels, 200)
    with FlopCounterMode(display=False) as counter:
        network(series)
    assert sum(step_flops(backbone, n_channels)) == pytest.approx(3 * counter.get_total_flops() / 200, rel=0.01)


def test_a_backbone_for_several_channels_only_can_be_counted():
    class Several(SmallBackbone):
        def build(self, n_channels, n_classes, dropout=NO_DROPOUT):
            if n_channels < 2:
                raise ValueError("two channels are needed")
            return super().build(n_channels, n_classes, dropout)

    counts = total(work(backbone=Several(), shape=(50, 3, 24, 0)))
    assert counts.flops == pytest.approx(20 * 50 * 24 * sum(step_flops(SmallBackbone(), 3)))
    assert counts.input_flops == 0


def test_an_ensemble_that_is_trained_jointly_shares_with_no_single_network():
    texts = [{name for name, _ in work(method, execution="batched").parts if name} for method in (Single(), EnsAvg(), KD())]
    assert texts[0] <= texts[2]
    assert not texts[0] & texts[1]


def test_rates_belong_to_backbone_execution_device_and_precision():
    changes = [{}, {"execution": "fast"}, {"device": "cuda"}, {"backbone": {"name": "lite", "parameters": {"width": 8}}}]
    assert len({rates_key(make_spec(**change), precision) for change in changes for precision in ("fp32", "bf16")}) == 8
