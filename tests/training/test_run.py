import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssd_cli.backbones.base import Dropout
from ssd_cli.backbones.fcn import FCNBackbone
from ssd_cli.engine import footprint
from ssd_cli.engine.planner import plan
from ssd_cli.engine.precision import set_arithmetic
from ssd_cli.errors import MisuseError
from ssd_cli.methods.ensembles import EnsAvg, EnsVote
from ssd_cli.methods.soups import train_branches
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.store.networks import NetworkStore
from ssd_cli.training.base_networks import obtain_all
from ssd_cli.training.loop import train
from ssd_cli.training.networks import MemoryNetworks
from ssd_cli.training.predict import predict_proba
from ssd_cli.training.stacked import StackedStep
from tests.small import EXACT, SHORT, fingerprint, waves, waves_training_set, workbench

DROPOUT = Dropout(0.2, 0.3)


def states(networks):
    return [network.state_dict() for network in networks]


@pytest.mark.parametrize("execution", ["batched", "graph"])
def test_networks_of_a_joint_step_equal_networks_trained_alone(execution):
    together = workbench(recipe=EXACT, execution=execution)
    apart = workbench(recipe=EXACT)
    for one, other in zip(
        states(together.base_networks(range(3), DROPOUT)), states(apart.base_networks(range(3), DROPOUT)), strict=True
    ):
        for name, value in one.items():
            atol = 1e-6 if name in ("second.0.bias", "second.1.running_mean") else 1e-12  # a bias before a batch norm is noise
            torch.testing.assert_close(value, other[name], rtol=1e-9, atol=atol)
    for mine, theirs in zip(together.ledger.entries, apart.ledger.entries, strict=True):
        assert (mine.label, mine.epochs, mine.steps, mine.n_cases) == (theirs.label, theirs.epochs, theirs.steps, theirs.n_cases)
        assert mine.curve["loss"] == pytest.approx(theirs.curve["loss"], rel=1e-9)


def test_a_plain_execution_trains_base_networks_with_the_bits_of_single_ones():
    bench = workbench()
    assert fingerprint(*bench.base_networks(range(2))) == fingerprint(bench.base_network(0), bench.base_network(1))


def test_a_joint_training_runs_once_and_its_networks_have_other_keys_than_single_ones():
    store = MemoryNetworks()
    first = workbench(networks=store, execution="batched")
    networks = first.base_networks(range(3))
    again = workbench(networks=store, execution="batched")
    assert fingerprint(*again.base_networks(range(3))) == fingerprint(*networks)
    assert [entry.reused for entry in again.ledger.entries] == [True] * 3
    single = workbench(networks=store, execution="batched")
    single.base_network(0)
    single.base_networks(range(2))
    assert [entry.reused for entry in single.ledger.entries] == [False] * 3
    assert len({entry.key for entry in first.ledger.entries + single.ledger.entries}) == 6


def test_the_same_joint_training_has_the_same_bits():
    one, other = (workbench(execution="batched") for _ in range(2))
    other.base_network(7)
    assert fingerprint(*one.base_networks(range(3), DROPOUT)) == fingerprint(*other.base_networks(range(3), DROPOUT))


def test_both_ensembles_use_the_same_joint_training():
    bench = workbench(execution="batched")
    mean = EnsAvg(members=3).fit(bench.training_set, bench)
    vote = EnsVote(members=3).fit(bench.training_set, bench)
    assert fingerprint(*mean.networks) == fingerprint(*vote.networks)
    assert len(bench.ledger.entries) == 3


def test_progress_is_reported():
    told = []
    workbench(execution="batched", on_epoch=told.append).base_networks(range(2))
    assert [(progress.label, progress.epoch, progress.epochs) for progress in told] == [
        ("member 0 to 1", epoch, 4) for epoch in (1, 2, 3, 4)
    ]


def test_joint_trainings_fit_into_memory(monkeypatch):
    made = []

    def train_watched(specs, *arguments, **options):
        if isinstance(arguments[0], StackedStep):
            made.append(len(specs))
        return train(specs, *arguments, **options)

    monkeypatch.setattr("ssd_cli.training.run.train", train_watched)
    each = footprint.training_bytes(workbench().backbone, 1, 32, 3, 8)
    monkeypatch.setattr(footprint, "PASS_BYTES", 3 * each + 1)
    assert len(workbench(execution="batched").base_networks(range(5))) == 5
    assert made == [3, 2]
    monkeypatch.setattr(footprint, "PASS_BYTES", 1)
    bench = workbench(execution="batched")
    assert fingerprint(*bench.base_networks(range(2))) == fingerprint(bench.base_network(0), bench.base_network(1))
    assert made == [3, 2]


def test_the_estimate_grows_with_the_batch_and_counts_what_is_kept():
    backbone = workbench().backbone
    small, large = (footprint.training_bytes(backbone, 1, 64, 3, batch) for batch in (8, 80))
    weights = 4 * sum(parameter.nbytes for parameter in backbone.build(1, 3).parameters())
    maps = 8 * 64 * 4 * (4 + 6)  # both convolutions' outputs, which batch norm keeps
    assert small > weights + maps
    assert large - weights == pytest.approx(10 * (small - weights), rel=0.2)


def weights_of(number):
    return {"weight": torch.full((2,), float(number)).numpy()}, {"label": str(number)}


def test_a_joint_training_of_which_half_is_stored_is_completed(tmp_path):
    store = NetworkStore(tmp_path)
    keys = [character * 64 for character in "abc"]
    store.obtain(keys[1], lambda: weights_of(1))
    trained = []

    def train():
        trained.append(1)
        return [weights_of(number) for number in range(3)]

    found = obtain_all(store, keys, range(3), train).values()
    assert [reused for _, _, reused in found] == [False, True, False]
    assert [report["label"] for _, report, _ in found] == ["0", "1", "2"]
    assert all(reused for _, _, reused in obtain_all(store, keys, range(3), train).values())
    assert trained == [1]


def test_two_processes_that_ask_at_once_train_once(tmp_path):
    keys = [character * 64 for character in "abcde"]
    trained, found = [], []
    together = threading.Barrier(2)

    def train():
        trained.append(1)
        return [weights_of(number) for number in range(5)]

    def ask():
        store = NetworkStore(tmp_path, poll_seconds=0.01)
        together.wait()
        found.append([report["label"] for _, report, _ in obtain_all(store, keys, range(5), train).values()])

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trained == [1]
    assert found == [["0", "1", "2", "3", "4"]] * 2


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("execution", ["plain", "graph"])
def test_other_precisions_run_and_stay_near(precision, execution):
    exact = workbench(execution=execution)
    rough = workbench(recipe=replace(SHORT, precision=precision), execution=execution)
    training_set = waves_training_set()
    pairs = list(zip(exact.base_networks(range(2), DROPOUT), rough.base_networks(range(2), DROPOUT), strict=True))
    pairs.append((exact.base_network(0), rough.base_network(0)))
    for one, other in pairs:
        assert all(value.dtype != torch.bfloat16 for value in other.state_dict().values())
        difference = abs(predict_proba(one, training_set.X) - predict_proba(other, training_set.X)).max()
        assert 0 < difference < 0.05 if precision == "bf16" else difference == 0  # a CPU has no tf32


def test_on_cuda_fp32_means_fp32():
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32, convolutions.deterministic, convolutions.benchmark
    try:
        convolutions.allow_tf32 = True
        set_arithmetic("cpu", "fp32")
        assert convolutions.allow_tf32
        set_arithmetic("cuda", "fp32")
        assert not convolutions.allow_tf32
        assert not products.allow_tf32
        assert convolutions.deterministic
        set_arithmetic("cuda", "tf32")
        assert convolutions.allow_tf32
        assert products.allow_tf32
    finally:
        convolutions.allow_tf32, products.allow_tf32, convolutions.deterministic, convolutions.benchmark = before


def test_bf16_is_never_given_to_the_fast_executions():
    with pytest.raises(MisuseError, match="bf16"):
        workbench(recipe=replace(SHORT, precision="bf16"), backbone=FCNBackbone(width=4), execution="fast")
    network = FCNBackbone(width=4).build(1, 3)
    assert plan(network, 32).label == "bilinear"
    assert plan(network, 32, precision="bf16").label == "plain"


def test_padded_series_of_unequal_length_are_trained_jointly_too():
    X, y = waves(21)
    X[::3, :, 20:] = np.nan
    together, apart = (
        workbench(TrainingSet(X, y, 3, "Waves"), EXACT, execution=execution).base_networks(range(2), DROPOUT)
        for execution in ("batched", "plain")
    )
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(predict_proba(one, X), predict_proba(other, X), rtol=1e-6)


@pytest.mark.parametrize("holdout", [False, True])
def test_the_branches_of_a_soup_are_trained_jointly_too(holdout):
    together, apart = (workbench(recipe=EXACT, execution=execution) for execution in ("batched", "plain"))
    for one, other in zip(train_branches(together, holdout), train_branches(apart, holdout), strict=True):
        assert not one.training
        np.testing.assert_allclose(predict_proba(one, waves(9)[0]), predict_proba(other, waves(9)[0]), rtol=1e-6)
    assert [entry.label for entry in together.ledger.entries] == [entry.label for entry in apart.ledger.entries]
    for mine, theirs in zip(together.ledger.entries, apart.ledger.entries, strict=True):
        assert mine.curve["loss"] == pytest.approx(theirs.curve["loss"], rel=1e-9)
        assert mine.curve["learning_rate"] == theirs.curve["learning_rate"]
