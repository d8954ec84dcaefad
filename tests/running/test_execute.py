import dataclasses
import hashlib
import json
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest

from ssd_cli.archives.load import load
from ssd_cli.archives.prepare import Preparation
from ssd_cli.core.claims import Claims
from ssd_cli.deployment.trained import restore
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.methods import methods
from ssd_cli.metrics import all_scores
from ssd_cli.protocol.split import split
from ssd_cli.running import execute as room
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.networks import discard_group
from ssd_cli.running.plan import make_plan
from ssd_cli.running.plugins import add_plugins
from ssd_cli.running.resume import look
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.results import ResultStore
from ssd_cli.training.build import PlanOutdated
from ssd_cli.training.ledger import LedgerEntry
from ssd_cli.training.predict import predict_proba
from tests.running.builders import make_suite, write_dataset

PLUGIN = '''
from dataclasses import dataclass

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.ensembles import EnsVote


@methods.register("test-thawed")
@dataclass(frozen=True)
class Thawed(Method):
    """Breaks in the middle, after one training."""

    def fit(self, training_set, workbench):
        workbench.base_network()
        raise RuntimeError("cannot read /home/ada/secret/file.txt")


@methods.register("test-broken")
@dataclass(frozen=True)
class Broken(Method):
    """Gives what no record may hold."""

    what: str = "probabilities"

    def fit(self, training_set, workbench):
        predictor = Predictor([workbench.base_network()])
        if self.what == "probabilities":
            predictor.combine = lambda members: members.mean(axis=0) * float("nan")
        else:
            setattr(predictor, self.what, {"seen": {1, 2}})
        return predictor


@methods.register("test-forgetful")
@dataclass(frozen=True)
class Forgetful(Method):
    """Trains, and returns nothing."""

    def fit(self, training_set, workbench):
        workbench.base_network()


@methods.register("test-curious")
@dataclass(frozen=True)
class Curious(Method):
    """Looks for the test set in all it is given."""

    def fit(self, training_set, workbench):
        import gc

        from ssd_cli.protocol.containers import SealedTest

        (sealed,) = [thing for thing in gc.get_objects() if isinstance(thing, SealedTest)]
        sealed.unseal(False)


class Ruled(Predictor):
    """Predicts by a rule of its own."""

    def combine(self, members):
        return members.max(axis=0) / members.max(axis=0).sum(-1, keepdims=True)


@methods.register("test-ruled")
@dataclass(frozen=True)
class WithRule(Method):
    """A plain network and more than it."""

    def fit(self, training_set, workbench):
        return Ruled([workbench.base_network()])


@methods.register("test-voting")
@dataclass(frozen=True)
class Voting(EnsVote):
    """Plurality under another name."""

    members: int = 2
'''


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_dataset(folder, "Waves")
    write_dataset(folder, "Lonely", n_train=3, labels=("a", "b"))
    write_dataset(folder, "OneClass", n_train=1, n_test=4)
    return folder


@pytest.fixture
def cells(data, tmp_path):
    def cells(out=tmp_path / "out", **options):
        defaults = {"dataset": ("Waves",), "backbone": ("lite",), "recipe": "smoke", "data_dir": (data,), "device": "cpu"}
        suite = make_suite(out, **(defaults | options))
        return look(make_plan(suite, dry_run=False), suite), partial(Job, out=suite.out, data_dirs=suite.data_dir)

    return cells


def silent(progress):
    pass


def run_one(cells, **options):
    plan, job = cells(**options)
    (cell,) = plan.cells
    outcome = execute(job(cell), silent)
    return outcome, ResultStore(job.keywords["out"]).read(cell.cell), cell


@pytest.mark.parametrize(("method", "n_networks"), [("single", 1), ("ens-avg[members=2]", 2)])
def test_a_record_says_whether_every_network_has_fitted_its_training_cases(cells, data, tmp_path, method, n_networks):
    _, record, _ = run_one(cells, method=(method,), recipe="fast[epochs=12]")
    training_set = split(load("Waves", (data,), download=False), 0, Preparation())[0]
    networks = restore(tmp_path / "out", record, (data,)).networks
    accuracies = [float((predict_proba(one, training_set.X).argmax(1) == training_set.y).mean()) for one in networks]
    assert len(accuracies) == n_networks
    assert record.scores["training_accuracy"] == min(accuracies)
    assert record.scores["converged"] == (min(accuracies) >= 0.95)


@pytest.mark.parametrize("fitted", [0.01, 1.0])
def test_the_limit_of_a_fitted_network_is_an_option(cells, fitted):
    plan, job = cells(method=("single",))
    execute(job(plan.cells[0], fitted=fitted), silent)
    scores = ResultStore(job.keywords["out"]).read(plan.cells[0].cell).scores
    assert scores["converged"] == (scores["training_accuracy"] >= fitted)


def test_no_record_says_so_of_a_method_that_does_not_fit_labels(cells, monkeypatch):
    monkeypatch.setattr(methods.get("single"), "fits_labels", False)
    _, record, _ = run_one(cells, method=("single",))
    assert record.status == "ok" and not {"training_accuracy", "converged"} & record.scores.keys()


def test_a_record_says_all_of_a_cell(cells, tmp_path):
    reported = []
    plan, job = cells(method=("ssd",))
    (cell,) = plan.cells
    outcome = execute(job(cell, command=("ssd-bench", "run"), busy_workers=3), reported.append)
    store = ResultStore(tmp_path / "out")
    record = store.read(cell.cell)
    assert outcome.status == record.status == "ok" and record.spec == cell.spec
    y, probabilities = store.predictions(cell.cell)
    assert {key: record.scores[key] for key in all_scores(y, probabilities)} == all_scores(y, probabilities)
    assert {"teacher_accuracy", "teacher_agreement"} <= record.scores.keys()
    assert record.costs["busy_workers"] == 3 and record.costs["networks_trained"] == 2 and record.costs["networks_stored"] == 1
    assert record.costs["fit_seconds_alone"] > 0 and record.costs["peak_memory_bytes"] > 1e7
    assert [curve["label"] for curve in record.curves] == ["member 0", "student"]
    assert len(record.curves[0]["curve"]["loss"]) == 3
    (network,) = record.networks
    assert network["kept"] and NetworkStore(tmp_path / "out").load(network["sha256"])
    assert record.provenance["command"] == "ssd-bench run" and record.provenance["threads"] == 1
    assert str(tmp_path) not in store.paths(cell.cell)[1].read_text()
    assert any(getattr(progress, "epoch", 0) == 3 for progress in reported)
    assert not Claims(tmp_path / "out" / ".claims").live()


def test_what_was_stored_predicts_what_was_recorded(cells, tmp_path):
    """The networks that a record names are all that deploying it needs."""
    from ssd_cli.archives.load import load
    from ssd_cli.archives.prepare import Preparation
    from ssd_cli.protocol.split import split
    from ssd_cli.training.build import build_backbone
    from ssd_cli.training.networks import load_arrays
    from ssd_cli.training.predict import predict_proba

    plan, job = cells(method=("ens-avg[members=2]",))
    (cell,) = plan.cells
    execute(job(cell), silent)
    store = ResultStore(tmp_path / "out")
    record = store.read(cell.cell)
    assert "disagreement" in record.scores and len(record.networks) == 2
    training_set, sealed = split(load("Waves", job.keywords["data_dirs"]), 0, Preparation(**cell.spec.preparation))
    members = []
    for entry in record.networks:
        network = build_backbone(cell.spec).build(training_set.n_channels, training_set.n_classes)
        load_arrays(network, NetworkStore(tmp_path / "out").load(entry["sha256"]))
        members.append(predict_proba(network.eval(), sealed.unseal(True)[0]))
    assert np.array_equal(np.mean(members, axis=0), store.predictions(cell.cell)[1])


def test_shared_networks_are_trained_once_and_both_costs_are_recorded(cells, tmp_path):
    plan, job = cells(method=("single", "ens-avg[members=2]"))
    first, second = plan.cells
    execute(job(first), silent)
    execute(job(second), silent)
    single, ensemble = (ResultStore(tmp_path / "out").read(cell.cell) for cell in plan.cells)
    assert [curve["reused"] for curve in ensemble.curves] == [True, False]
    assert ensemble.costs["fit_seconds_alone"] > ensemble.costs["fit_seconds_spent"]
    assert ensemble.networks[0] == single.networks[0]


def test_a_teacher_that_a_killed_process_trained_is_spent_by_its_cell(cells, tmp_path, monkeypatch):
    from ssd_cli.training.workbench import Workbench

    plan, job = cells(method=("ssd", "finetune"))
    with monkeypatch.context() as patch:
        patch.setattr(Workbench, "train", lambda *arguments, **options: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):  # in the student's training
            execute(job(plan.cells[0]), silent)
    for cell in plan.cells:
        execute(job(cell), silent)
    ssd, other = (ResultStore(tmp_path / "out").read(cell.cell) for cell in plan.cells)
    assert ssd.costs["fit_seconds_spent"] == ssd.costs["fit_seconds_alone"] > sum(curve["fit_seconds"] for curve in ssd.curves)
    assert (ssd.costs["networks_reused"], other.costs["networks_reused"]) == (0, 1)
    assert other.costs["fit_seconds_spent"] <= other.costs["fit_seconds_alone"] - ssd.curves[0]["fit_seconds"] + 1e-9
    assert ssd.curves[0].keys() == {item.name for item in dataclasses.fields(LedgerEntry)}


def test_deleting_the_networks_changes_no_result(cells, tmp_path):
    plan, job = cells(method=("ssd", "single"))
    store = ResultStore(tmp_path / "out")

    def run():
        for cell in plan.cells:
            execute(job(cell, mark=room.record_mark(store, cell)), silent)
        return [store.predictions(cell.cell)[1].tobytes() for cell in plan.cells]

    before = run()
    for file in (tmp_path / "out" / "networks").rglob("*.*"):
        file.unlink()
    assert run() == before


def test_a_failure_is_recorded_with_its_reason_and_without_paths(cells, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN)
    add_plugins((file,))
    outcome, record, cell = run_one(cells, method=("test-thawed",))
    assert outcome.status == record.status == "failed"
    assert record.reason == "RuntimeError: cannot read …/file.txt"
    assert (
        'File "…/plugin.py"' in record.traceback and "/home/ada" not in record.traceback and str(tmp_path) not in record.traceback
    )
    assert record.costs["networks_trained"] == 1 and len(record.curves) == 1
    assert record.scores == {} and record.networks == []
    assert cell.spec.method.plugin_sha256 == hashlib.sha256(PLUGIN.encode()).hexdigest()


def test_a_method_that_returns_no_predictor_is_named(cells, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN)
    add_plugins((file,))
    _, record, _ = run_one(cells, method=("test-forgetful",))
    assert record.reason == "The method 'test-forgetful' returned None, expected a Predictor."
    assert record.costs["networks_trained"] == 1


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("probabilities", "6 of 6 predictions are not finite numbers"),
        ("diagnostics", "set cannot be stored as JSON"),
        ("costs", "set cannot be stored as JSON"),
    ],
)
def test_values_that_no_record_can_hold_fail_the_cell_and_not_the_run(cells, tmp_path, what, reason):
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN)
    add_plugins((file,))
    outcome, record, _ = run_one(cells, method=(f"test-broken[what={what}]",))
    assert outcome.status == record.status == "failed"
    assert reason in record.reason
    assert record.costs["networks_trained"] == 1


def test_a_plugin_that_changed_since_the_plan_ends_the_run(cells, tmp_path):
    """Otherwise results of the new code would be stored under the digest of the old code."""
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN)
    add_plugins((file,))
    plan, job = cells(method=("test-broken",))
    (cell,) = plan.cells
    method = dataclasses.replace(cell.spec.method, plugin_sha256="0" * 64)
    planned = dataclasses.replace(cell, spec=dataclasses.replace(cell.spec, method=method))
    with pytest.raises(PlanOutdated, match="plug-in of the method 'test-broken' has changed"):
        execute(job(planned), silent)
    assert ResultStore(tmp_path / "out").read(cell.cell) is None


def test_a_predictor_with_another_rule_is_not_deployed_without_it(cells, tmp_path, data):
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN)
    add_plugins((file,))
    for method, fails in (("single", False), ("ens-vote[members=2]", False), ("test-ruled", True), ("test-voting", True)):
        _, record, _ = run_one(cells, method=(method,))
        assert record.status == "ok" and record.networks[0]["kept"]
        with pytest.raises(SsdBenchError, match="does not state how to rebuild") if fails else nullcontext():
            restore(tmp_path / "out", record, (data,))


def test_a_method_cannot_open_the_test_set(cells, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN)
    add_plugins((file,))
    _, record, _ = run_one(cells, method=("test-curious",))
    assert "stays sealed until the predictor is frozen" in record.reason


def test_a_loss_that_is_no_number_fails_the_cell_and_says_when(cells):
    outcome, record, _ = run_one(cells, method=("single",), recipe="smoke[learning_rate=1e38]")
    assert outcome.status == record.status == "failed"
    assert "The training loss became nan at epoch 2 of 3" in record.reason


def test_a_training_set_of_one_class_fails_the_cell(cells):
    outcome, record, _ = run_one(cells, method=("single",), dataset=("OneClass",))
    assert outcome.status == "failed" and "has one class only (a)" in record.reason


def test_a_method_that_cannot_be_used_is_skipped_with_its_reason(cells):
    outcome, record, _ = run_one(cells, method=("soup-greedy",), dataset=("Lonely",))
    assert outcome.status == record.status == "skipped"
    assert record.reason == outcome.reason != "" and record.scores == {} and record.predictions_sha256 is None


def test_data_that_changed_since_the_plan_end_the_run_and_leave_no_record(cells, data, tmp_path):
    """A record of the old data would stand in the way of the same command, which plans anew."""
    write_dataset(data, "Moving")
    plan, job = cells(dataset=("Moving",), method=("single",))
    write_dataset(data, "Moving", shift=1.0)
    with pytest.raises(PlanOutdated, match="Moving has changed since this run was planned"):
        execute(job(plan.cells[0]), silent)
    assert ResultStore(tmp_path / "out").read(plan.cells[0].cell) is None
    again, job = cells(dataset=("Moving",), method=("single",))
    assert execute(job(again.cells[0]), silent).status == "ok"


def test_a_cell_that_another_run_claims_or_has_finished_is_not_computed(cells, tmp_path):
    plan, job = cells(method=("single",))
    (cell,) = plan.cells
    with Claims(tmp_path / "out" / ".claims").take(cell.key):
        assert execute(job(cell), silent).status == "claimed"
    assert execute(job(cell), silent).seconds > 0
    again = execute(job(cell), silent)
    assert (again.status, again.seconds) == ("ok", 0.0)


def test_discarding_networks_is_recorded_and_frees_disk_space(cells, tmp_path):
    kept, job = cells(method=("single",))
    execute(job(kept.cells[0]), silent)
    plan, job = cells(method=("single", "ens-avg[members=2]"))
    execute(job(plan.cells[1], keep_networks=False), silent)
    store, networks = ResultStore(tmp_path / "out"), NetworkStore(tmp_path / "out")
    record = store.read(plan.cells[1].cell)
    assert record.networks == [{"kept": False}, {"kept": False}]
    assert discard_group(store, networks, plan.cells) > 0
    (left,) = (tmp_path / "out" / "networks").rglob("*.safetensors")
    assert left.stem == store.read(plan.cells[0].cell).networks[0]["sha256"]


def test_weights_that_another_run_discards_before_a_record_names_them_are_kept_again(cells, tmp_path, monkeypatch):
    put = ResultStore.put

    def discard_and_put(self, *arguments):
        for path in (tmp_path / "out" / "networks").rglob("*.*"):
            path.unlink()
        return put(self, *arguments)

    monkeypatch.setattr(ResultStore, "put", discard_and_put)
    _, record, _ = run_one(cells, method=("ens-avg[members=2]",))
    assert all(NetworkStore(tmp_path / "out").load(network["sha256"]) for network in record.networks)


def test_permuting_the_test_labels_moves_scores_and_nothing_else(cells, tmp_path, monkeypatch):
    from ssd_cli.protocol.containers import SealedTest

    opened = SealedTest.unseal

    def permuted(self, frozen):
        X, y = opened(self, frozen)
        return X, np.roll(y, 1)

    honest = run_one(partial(cells, tmp_path / "honest"), method=("ssd",))[1]
    monkeypatch.setattr(SealedTest, "unseal", permuted)
    other = run_one(partial(cells, tmp_path / "permuted"), method=("ssd",))[1]
    assert honest.networks == other.networks
    assert honest.scores["nll"] != other.scores["nll"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "Cannot read the plug-in"),
        ("x = 1\n", "defines no method"),
        ("def (:\n", "not valid Python"),
        ("import absent_thing\n", "fails when it is imported"),
    ],
)
def test_plugins_that_cannot_be_used(tmp_path, text, message):
    file = tmp_path / "plugin.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(MisuseError, match=message):
        add_plugins((file,))


def test_a_record_is_plain_json_that_reads_back(cells, tmp_path):
    _, record, cell = run_one(cells, method=("single",))
    parts = json.loads(ResultStore(tmp_path / "out").paths(cell.cell)[1].read_text())
    assert parts.keys() == {field.name for field in dataclasses.fields(record)} - {"spec", "has_digest"} | {"identity", "sha256"}
    assert parts["identity"] == cell.spec.to_identity()
