import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssd_cli.backbones.base import NO_DROPOUT, Dropout
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.backbones.resnet import ResNetBackbone
from ssd_cli.errors import SsdBenchError
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.networks import MemoryNetworks
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.stopwatch import Spent
from tests.small import SHORT, SmallBackbone, fingerprint, waves, waves_training_set, workbench


class Counting(MemoryNetworks):
    """A store that records the keys it was asked for."""

    def __init__(self):
        super().__init__()
        self.asked, self.trained = [], []

    def obtain(self, key, train):
        self.asked.append(key)
        weights, report, reused = super().obtain(key, train)
        if not reused:
            self.trained.append(key)
            json.dumps(report, allow_nan=False)  # it is written into the file's metadata
        return weights, report, reused


class Watched(CrossEntropy):
    """Remembers the batch order and the first loss of each batch."""

    def __init__(self):
        super().__init__()
        self.order = []

    def losses(self, network, batch):
        self.order.append(batch.index.tolist())
        return super().losses(network, batch)


@pytest.fixture
def watched(monkeypatch):
    """Every plain objective the workbench makes, in order."""
    made = []

    def make():
        made.append(Watched())
        return made[-1]

    monkeypatch.setattr("ssd_cli.training.base_networks.CrossEntropy", make)
    return made


def test_a_base_network_is_trained_once_and_shared_between_cells_bit_for_bit():
    store = Counting()
    first = workbench(networks=store)
    network = first.base_network(0)
    second = workbench(networks=store)
    assert fingerprint(second.base_network(0)) == fingerprint(network)
    assert len(store.trained) == 1
    assert [entry.reused for entry in (*first.ledger.entries, *second.ledger.entries)] == [False, True]


def test_training_a_base_network_further_does_not_change_the_shared_one():
    bench = workbench()
    network = bench.base_network(0)
    before = fingerprint(network)
    bench.train(network, CrossEntropy())
    assert fingerprint(bench.base_network(0)) == before != fingerprint(network)


def test_deleting_the_store_changes_nothing_but_time():
    assert fingerprint(workbench().base_network(1)) == fingerprint(workbench().base_network(1))


def test_asking_first_for_other_base_networks_changes_nothing():
    bench = workbench()
    for index in (3, 1, 2):
        bench.base_network(index)
    bench.train(bench.fresh(0), CrossEntropy())
    torch.manual_seed(99)
    assert fingerprint(bench.base_network(0)) == fingerprint(workbench().base_network(0))


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"recipe": replace(SHORT, epochs=3)},
        {"training_set": waves_training_set(seed=5)},
        {"training_set": waves_training_set(resample=1)},
        {"backbone": SmallBackbone(5)},
    ],
)
def test_another_cell_shares_nothing(changed):
    store = Counting()
    workbench(networks=store).base_network(0)
    workbench(networks=store, **changed).base_network(0)
    assert len(store.trained) == 2


def test_another_execution_trains_another_network_of_nearly_the_same_weights():
    store = Counting()
    backbone = {"backbone": LITEBackbone(width=4), "recipe": replace(SHORT, precision="fp64")}
    plain = workbench(networks=store, **backbone).base_network(0)
    fast = workbench(networks=store, execution="fast", **backbone).base_network(0)
    assert len(store.trained) == 2
    for name, value in plain.state_dict().items():  # rtol: sums in another order, in float64
        torch.testing.assert_close(fast.state_dict()[name], value, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("asked", [{"index": 1}, {"dropout": Dropout(0.2)}, {"stop": 0.5}, {"holdout": True}, {"keep": "best"}])
def test_another_base_network_is_another_training(asked):
    store = Counting()
    bench = workbench(networks=store)
    bench.base_network(0)
    bench.base_network(**asked)
    assert len(store.trained) == 2


def test_equal_options_give_the_same_base_network():
    store = Counting()
    bench = workbench(networks=store)
    bench.base_network()
    bench.base_network(dropout=NO_DROPOUT, stop=1.0, keep="last")  # the recipe keeps the last epoch anyway
    assert len(set(store.asked)) == 1
    assert len(bench.ledger.entries) == 1


def test_dropout_and_early_stops_keep_initialisation_and_batch_order(watched):
    bench = workbench()
    bench.base_network(0)
    bench.base_network(0, dropout=Dropout(0.5, 0.5))
    bench.base_network(0, stop=0.5)
    plain, dropped, stopped = (objective.order for objective in watched)
    assert dropped == plain
    assert stopped == plain[: len(plain) // 2]


def test_base_networks_differ_in_batch_order_and_initialisation(watched):
    bench = workbench()
    first, second = bench.base_network(0), bench.base_network(1)
    assert watched[0].order != watched[1].order
    assert fingerprint(first) != fingerprint(second)


def test_an_early_stop_is_a_point_on_the_way_of_the_whole_training():
    seen = {}

    class Snapshots:
        def after_step(self, network):
            pass

        def after_epoch(self, network):
            seen[len(seen) + 1] = fingerprint(network)

    bench = workbench()
    bench.train(bench.fresh(0), CrossEntropy(), purpose="member", averager=Snapshots())
    assert fingerprint(bench.base_network(0, stop=0.5)) == seen[2]
    assert fingerprint(bench.base_network(0)) == seen[4]


def test_trainings_of_one_purpose_and_index_see_the_same_batches_and_masks():
    bench = workbench()
    students = [bench.train(bench.fresh(0, Dropout(0.3, 0.3)), CrossEntropy(), epochs=2) for _ in range(2)]
    other = bench.train(bench.fresh(0, Dropout(0.3, 0.3)), CrossEntropy(), epochs=2, index=1)
    assert fingerprint(students[0]) == fingerprint(students[1]) != fingerprint(other)


def test_a_holdout_network_never_sees_the_validation_cases(watched):
    bench = workbench()
    bench.base_network(0, holdout=True)
    train_part, _ = bench.validation_split()
    cases = {case for batch in watched[0].order for case in batch}
    assert cases == set(range(train_part.n_cases))
    assert train_part.n_cases < bench.training_set.n_cases


def with_class_sizes(*sizes):
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = np.arange(len(y) * 4, dtype=np.float32).reshape(len(y), 1, 4)
    return TrainingSet(X, y, len(sizes), "Sizes")


def test_validation_takes_a_fifth_of_each_class_rounded_up_and_leaves_one():
    training_part, validation_part = workbench(with_class_sizes(2, 4, 5, 6, 10, 11)).validation_split()
    assert validation_part.class_counts == (1, 1, 1, 2, 2, 3)
    assert training_part.class_counts == (1, 3, 4, 4, 8, 8)
    firsts = np.concatenate([training_part.X, validation_part.X])[:, 0, 0]
    assert sorted(firsts) == sorted(with_class_sizes(2, 4, 5, 6, 10, 11).X[:, 0, 0])


def test_no_validation_where_a_class_has_one_case_and_absent_classes_do_not_matter():
    assert workbench(with_class_sizes(5, 1)).validation_split() is None
    assert workbench(with_class_sizes(5, 0, 5)).validation_split() is not None


def test_the_validation_split_depends_on_the_seed_alone():
    sets = [workbench(seed=seed).validation_split()[1].digest for seed in (0, 0, 1)]
    assert sets[0] == sets[1] != sets[2]


def test_a_copy_is_trainable_independent_and_may_have_other_dropout():
    bench = workbench()
    original = bench.base_network(0, dropout=Dropout(0.2)).requires_grad_(False)
    twin = bench.copy(original, Dropout(0.1, 0.4))
    assert fingerprint(twin) == fingerprint(original)
    assert (twin.dropout, original.dropout) == (Dropout(0.1, 0.4), Dropout(0.2))
    before = fingerprint(original)
    bench.train(twin, CrossEntropy(), epochs=1)
    assert fingerprint(original) == before != fingerprint(twin)


def test_the_ledger_books_every_network_alone_and_as_spent():
    store = MemoryNetworks()
    workbench(networks=store).base_network(0)
    bench = workbench(networks=store)
    bench.base_network(0)
    bench.base_network(0)
    bench.train(bench.base_network(1), CrossEntropy(), epochs=2, label="student")
    entries = bench.ledger.entries
    assert [entry.label for entry in entries] == ["member 0", "member 1", "student"]
    assert [(entry.epochs, entry.steps, entry.n_cases) for entry in entries] == [(4, 12, 21), (4, 12, 21), (2, 6, 21)]
    assert len(entries[0].curve["loss"]) == 4  # a reused network keeps its curve
    costs = bench.ledger.summary(sum((entry.spent for entry in entries[1:]), Spent(0.5, 0.5, 0.5)), "cpu")
    assert (costs["networks_trained"], costs["networks_reused"]) == (3, 1)
    assert (costs["optimiser_steps"], costs["cases_seen"]) == (30, 210)
    assert costs["fit_seconds_alone"] == pytest.approx(costs["fit_seconds_spent"] + entries[0].fit_seconds)
    assert all(entry.fit_seconds > 0 and entry.cpu_seconds > 0 for entry in entries)


def test_progress_is_reported_after_every_epoch():
    told = []
    bench = workbench(on_epoch=told.append)
    bench.base_network(0, stop=0.5)
    assert [(step.label, step.epoch, step.epochs) for step in told] == [("member 0", 1, 2), ("member 0", 2, 2)]
    assert all(step.loss > 0 for step in told)


def test_predictions_do_not_depend_on_the_batch_they_are_made_in():
    from ssd_cli.training.predict import predict_proba

    network = workbench().base_network(0)
    X, _ = waves(9, seed=3)
    whole = predict_proba(network, X)
    single = np.concatenate([predict_proba(network, X[i : i + 1]) for i in range(9)])
    np.testing.assert_allclose(single, whole, rtol=0, atol=1e-6)
    np.testing.assert_allclose(whole.sum(1), 1, rtol=0, atol=1e-12)
    assert whole.dtype == np.float64


@pytest.mark.parametrize(
    ("backbone", "execution"),
    [(SmallBackbone(), "plain"), (SmallBackbone(), "batched"), (LITEBackbone(), "fast"), (ResNetBackbone(4), "bilinear")],
)
def test_a_batch_of_a_single_value_is_refused_with_an_explanation(backbone, execution):
    X = np.random.default_rng(0).standard_normal((9, 1, 1), dtype=np.float32)
    bench = workbench(TrainingSet(X, np.arange(9) % 3, 3, "Points"), backbone=backbone, execution=execution)
    with pytest.raises(SsdBenchError, match="9 training cases and a batch size of 8") as caught:
        bench.base_networks([0, 1])
    assert "batch_size" in caught.value.remedy


def test_statistics_of_a_single_value_are_refused_with_an_explanation():
    X = np.random.default_rng(0).standard_normal((257, 1, 1), dtype=np.float32)
    bench = workbench(TrainingSet(X, np.arange(257) % 3, 3, "Points"))
    with pytest.raises(SsdBenchError, match="257 training cases and a batch size of 256"):
        bench.refresh_batch_norm(bench.fresh())


def test_layers_that_draw_from_the_global_stream_have_the_bits_of_their_seed_and_leave_the_stream_alone():
    class WithDropout(SmallBackbone):
        def build(self, n_channels, n_classes, dropout=NO_DROPOUT):
            network = super().build(n_channels, n_classes, dropout)
            network.second.append(torch.nn.Dropout(0.3))
            return network

    torch.manual_seed(5)
    first = fingerprint(workbench(backbone=WithDropout()).base_network(0))
    drawn = torch.rand(3)
    assert fingerprint(workbench(backbone=WithDropout()).base_network(0)) == first
    assert fingerprint(workbench(backbone=WithDropout(), seed=1).base_network(0)) != first
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)
