import json
from dataclasses import replace

import pytest

from ssd_cli.core.cell_spec import NamedConfiguration
from ssd_cli.core.version import PROTOCOL_VERSION
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.running.estimate import estimate, price
from ssd_cli.running.plan import make_plan
from ssd_cli.running.plan_file import planned_cells, save_plan
from ssd_cli.running.resume import look
from ssd_cli.store.results import ResultStore
from tests.running.builders import make_plan as plan_of
from tests.running.builders import make_planned, make_suite, write_dataset
from tests.store.builders import make_predictions, make_record
from tests.store.editing import edit


@pytest.fixture
def data(tmp_path):
    write_dataset(tmp_path / "data", "Waves")
    write_dataset(tmp_path / "data", "Wavelets", n_train=4)
    return tmp_path / "data"


def suite_of(data, out="out", **options):
    defaults = {"dataset": ("Waves",), "method": ("single",), "backbone": ("lite",), "recipe": "smoke", "data_dir": (data,)}
    return make_suite(out, **(defaults | options))


def test_a_precision_that_the_device_lacks_is_refused_before_the_first_cell(data, monkeypatch):
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    make_plan(suite_of(data, device="mps"), dry_run=False)
    with pytest.raises(MisuseError, match="'mps' has no precision 'fp64'"):
        make_plan(suite_of(data, device="mps", recipe="smoke[precision=fp64]"), dry_run=False)


def test_cells_are_the_product_and_every_one_has_its_own_identity(data):
    suite = suite_of(
        data, dataset=("Wave*",), method=("single", "ens-avg[members=2]"), backbone=("lite", "fcn"), resamples=(0, 2), seeds=(0, 1)
    )
    plan = make_plan(suite, dry_run=False)
    assert len(plan.cells) == 2 * 2 * 2 * 2 * 2
    assert len({cell.identity_hash for cell in plan.cells}) == len({cell.key for cell in plan.cells}) == 32
    assert len({cell.group for cell in plan.cells}) == 16
    ensemble = next(cell for cell in plan.cells if cell.cell.method == "ens-avg[members=2]")
    assert ensemble.spec.method.parameters["members"] == 2
    assert ensemble.cell.folder.startswith("ens-avg-members-2-")


def test_the_identity_holds_everything_that_decides_the_numbers(data):
    cell = make_plan(suite_of(data, threads=2, scale="train", device="cpu"), dry_run=False).cells[0]
    identity = cell.spec.to_identity()
    assert identity["recipe"] == {"name": "smoke", "parameters": identity["recipe"]["parameters"]}
    assert identity["recipe"]["parameters"]["epochs"] == 3 and identity["recipe"]["parameters"]["batch_size"] == 64
    assert identity["preparation"] == {"length": "pad", "impute": "linear", "scale": "train"}
    assert (identity["device"], identity["threads"], identity["resample"], identity["seed"]) == ("cpu", 2, 0, 0)
    assert len(identity["dataset_digest"]) == 64
    assert json.loads(json.dumps(identity)) == identity


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": "smoke[epochs=4]"},
        {"method": ("single-dropout",)},
        {"backbone": ("fcn",)},
        {"threads": 2},
        {"scale": "none"},
        {"label_noise": 0.2},
        {"seeds": (1,)},
        {"engine": "plain"},
    ],
)
def test_whatever_changes_the_numbers_changes_the_identity(data, change):
    before, after = (make_plan(suite_of(data, **options), dry_run=False).cells[0] for options in ({}, change))
    assert before.identity_hash != after.identity_hash


def test_other_data_under_the_same_name_is_another_identity(data):
    before = make_plan(suite_of(data), dry_run=False).cells[0]
    write_dataset(data, "Waves", shift=0.5)
    assert make_plan(suite_of(data), dry_run=False).cells[0].identity_hash != before.identity_hash


def test_a_longer_training_and_more_networks_cost_more(data):
    suite = suite_of(data, method=("single", "ens-avg", "ssd"))
    single, ensemble, ssd = price(make_plan(suite, dry_run=False), {}).cells
    assert 0 < single.alone < ssd.alone < ensemble.alone
    longer = price(make_plan(replace(suite, recipe="smoke[epochs=30]"), dry_run=False), {}).cells[0]
    steps = [sum(counts.steps for _, counts in cell.work.parts[:-1]) for cell in (single, longer)]
    assert steps[1] == 10 * steps[0] and longer.alone > single.alone


def test_the_same_thing_named_twice_is_one_cell(data):
    suite = suite_of(data, method=("ens-avg", "ens-avg[members=5]", " ens-avg "), backbone=("lite", "lite"))
    assert len(make_plan(suite, dry_run=False).cells) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": ("sdd",)}, "Unknown method 'sdd'. Did you mean 'ssd'?"),
        ({"backbone": ("lit",)}, "Unknown backbone 'lit'. Did you mean 'lite'?"),
        ({"recipe": "papr"}, "Unknown recipe 'papr'. Did you mean 'paper'?"),
        ({"dataset": ("GunPiont",)}, "Unknown dataset 'GunPiont'. Did you mean 'GunPoint'?"),
        ({"archive": ("usr",)}, "Unknown archive 'usr'. Did you mean 'ucr'?"),
        ({"method": ("ens-avg[member=3]",)}, "'ens-avg' has no parameter 'member'. Did you mean 'members'?"),
        ({"method": ("ens-avg[members=many]",)}, "members cannot be 'many'"),
        ({"method": ("ens-avg[members=3",)}, "Cannot read"),
        ({"recipe": "smoke[epochs=0]"}, "epochs must be at least 1"),
        ({"device": "mps"}, "There is no device 'mps'"),
        ({"engine": "fast", "recipe": "smoke[precision=bf16]"}, "'fast' has no precision 'bf16'"),
    ],
)
def test_unknown_names_and_parameters_are_refused(data, options, message):
    with pytest.raises(MisuseError) as caught:
        make_plan(suite_of(data, **options), dry_run=False)
    assert message in str(caught.value)


def test_records_made_before_batch_norm_was_refreshed_in_random_order_are_of_another_configuration(data):
    """Only where that changes numbers: several batches, and a method that refreshes."""
    write_dataset(data, "Many", n_train=300)
    methods = ("single", "swa", "ema[batch_norm=live]", "ssd", "ssd-mid")
    plan = make_plan(suite_of(data, dataset=("Waves", "Many"), method=methods), dry_run=False)
    marked = [(cell.cell.dataset, cell.cell.method) for cell in plan.cells if cell.spec.batch_norm]
    assert marked == [("Many", "swa"), ("Many", "ssd-mid")]


def test_an_absent_dataset_is_an_error_of_a_run_and_a_note_of_a_dry_run(data):
    suite = suite_of(data, dataset=("Coffee", "Waves"), download=False)
    with pytest.raises(SsdBenchError, match="Coffee"):
        make_plan(suite, dry_run=False)
    plan = look(make_plan(suite, dry_run=True), suite)
    assert plan.absent == ("Coffee",)
    assert [bool(cell.spec.dataset_digest) for cell in plan.cells] == [False, True]


def test_a_dry_run_prices_no_dataset_of_unknown_size_and_names_it(data):
    suite = suite_of(data, dataset=("PAMAP2", "Waves"), download=False)
    plan = make_plan(suite, dry_run=True)
    assert [cell.work is None for cell in plan.cells] == [True, False]
    assert estimate(plan, suite).unknown == ("PAMAP2 (of unknown size)",)


def finish(out, planned, status="ok"):
    record = make_record(planned.cell, status, identity=planned.spec.to_identity())
    ResultStore(out).put(record, *(make_predictions() if status == "ok" else ()))


def test_resuming_compares_identities(tmp_path):
    a, b, c, d = cells = [make_planned(name, name.lower()) for name in "ABCD"]
    finish(tmp_path, a)
    finish(tmp_path, b, "failed")
    finish(tmp_path, c, "skipped")
    plan = look(plan_of(cells), make_suite(tmp_path))
    assert plan.done == {a.key: "ok", b.key: "failed", c.key: "skipped"} and plan.pending == [d]
    assert look(plan_of(cells), make_suite(tmp_path, retry_failed=True)).pending == [b, d]
    assert plan.marks.keys() == {a.key, b.key, c.key}


def test_another_configuration_in_the_folder_is_an_error_that_shows_the_difference(tmp_path):
    finish(tmp_path, make_planned("A", "x", recipe={"name": "smoke", "parameters": {"epochs": 100}}))
    changed, other = make_planned("A", "x", recipe={"name": "smoke", "parameters": {"epochs": 1500}}), make_planned("B", "x")
    with pytest.raises(MisuseError) as caught:
        look(plan_of([changed, other]), make_suite(tmp_path))
    text = str(caught.value)
    assert "recipe.parameters.epochs: 100 before, 1500 now" in text and "--overwrite" in text and "--out" in text
    assert look(plan_of([changed, other]), make_suite(tmp_path, overwrite=True)).pending == [changed, other]


def by_plugin(name, sha256):
    planned = make_planned(name, "mine")
    return replace(planned, spec=replace(planned.spec, method=NamedConfiguration("mine", plugin_sha256=sha256)))


@pytest.mark.parametrize(("status", "said"), [("failed", "the earlier cell failed"), ("skipped", "the earlier cell was skipped")])
def test_a_corrected_plug_in_is_tried_again_where_its_cells_have_no_result(tmp_path, status, said):
    mended = [by_plugin(name, "b" * 64) for name in "AB"]
    finish(tmp_path, by_plugin("A", "a" * 64), status)
    with pytest.raises(MisuseError) as caught:
        look(plan_of(mended), make_suite(tmp_path))
    text = str(caught.value)
    assert said in text and "Use --retry-failed" in text
    assert "the file of the plug-in has changed (aaaaaaaa before, bbbbbbbb now)" in text
    assert look(plan_of(mended), make_suite(tmp_path, retry_failed=True)).pending == mended
    finish(tmp_path, by_plugin("B", "a" * 64))  # a result is protected as before
    with pytest.raises(MisuseError, match="Use another --out"):
        look(plan_of(mended), make_suite(tmp_path, retry_failed=True))


def test_cells_of_another_execution_can_be_continued(tmp_path):
    for name in "AB":
        finish(tmp_path, make_planned(name, "x", execution="fast"))
    now = [make_planned(name, "x", execution="bilinear") for name in "AB"]
    with pytest.raises(MisuseError, match="Use --engine fast to go on with them, another --out"):
        look(plan_of(now), make_suite(tmp_path))
    with pytest.raises(MisuseError, match="Use another --out"):  # not the execution alone
        look(plan_of([make_planned("A", "x", execution="bilinear", threads=4)]), make_suite(tmp_path))


def test_overwriting_replaces_what_differs_and_keeps_what_is_the_same(tmp_path):
    same, changed = make_planned("A", "x"), make_planned("B", "x")
    finish(tmp_path, same)
    finish(tmp_path, make_planned("B", "x", threads=4))
    assert look(plan_of([same, changed]), make_suite(tmp_path, overwrite=True)).pending == [changed]


def test_results_of_another_protocol_version_are_refused(tmp_path):
    cell = make_planned("A", "x")
    finish(tmp_path, cell)
    path = ResultStore(tmp_path).paths(cell.cell)[1]
    edit(path, f'"protocol_version": {PROTOCOL_VERSION}', '"protocol_version": 0')
    with pytest.raises(SsdBenchError, match="version 0 of the protocol"):
        look(plan_of([cell]), make_suite(tmp_path))
    assert look(plan_of([cell]), make_suite(tmp_path, overwrite=True)).pending == [cell]


@pytest.mark.parametrize("damage", [lambda csv: csv.unlink(), lambda csv: csv.write_text(csv.read_text().replace("0.1", "0.2"))])
def test_a_cell_whose_predictions_are_gone_or_changed_is_computed_again(tmp_path, damage, monkeypatch):
    cell = make_planned("A", "x")
    finish(tmp_path, cell)
    damage(ResultStore(tmp_path).paths(cell.cell)[0])
    assert look(plan_of([cell]), make_suite(tmp_path)).pending == [cell]
    monkeypatch.setattr("ssd_cli.running.resume._TABLE_FROM", 1)
    assert look(plan_of([cell]), make_suite(tmp_path)).pending == [cell]


def test_predictions_that_are_deleted_during_the_check_are_computed_again(tmp_path, monkeypatch):
    cell = make_planned("A", "x")
    finish(tmp_path, cell)
    read = ResultStore.read

    def read_and_lose(self, asked):
        record = read(self, asked)
        self.paths(asked)[0].unlink()
        return record

    monkeypatch.setattr(ResultStore, "read", read_and_lose)
    assert look(plan_of([cell]), make_suite(tmp_path)).pending == [cell]


def test_the_table_of_records_says_the_same_as_the_records(tmp_path, monkeypatch):
    cells = [make_planned(dataset, method, resample=resample) for dataset in "AB" for method in "xy" for resample in (0, 1)]
    for cell, status in zip(cells, ["ok", "failed", "skipped", "ok", "ok"], strict=False):
        finish(tmp_path, cell, status)
    one_by_one = look(plan_of(cells), make_suite(tmp_path))
    monkeypatch.setattr("ssd_cli.running.resume._TABLE_FROM", 1)
    assert look(plan_of(cells), make_suite(tmp_path)) == one_by_one


def test_of_many_records_too_only_those_of_the_plan_must_be_readable(tmp_path, monkeypatch):
    monkeypatch.setattr("ssd_cli.running.resume._TABLE_FROM", 1)
    whole, cut, other = (make_planned(name, "x") for name in "ABC")
    for cell in (whole, cut, other):
        finish(tmp_path, cell)
    store = ResultStore(tmp_path)
    store.paths(other.cell)[1].write_text("{")
    store.paths(cut.cell)[0].write_text("half a fi")
    assert look(plan_of([whole, cut]), make_suite(tmp_path)).pending == [cut]
    with pytest.raises(SsdBenchError, match=f"{store.paths(other.cell)[1]} is not a readable record"):
        look(plan_of([whole, other]), make_suite(tmp_path))
    assert look(plan_of([whole, other]), make_suite(tmp_path, overwrite=True)).pending == [other]


def test_plans_are_kept_for_status(tmp_path):
    first = [make_planned("A", "x"), make_planned("A", "x", resample=3), make_planned("B", "y", seed=2)]
    second = [make_planned("A", "x"), make_planned("C", "x")]
    for cells in (first, second, first):
        save_plan(tmp_path, plan_of(cells))
    assert len(list((tmp_path / ".plans").iterdir())) == 2
    assert set(planned_cells(tmp_path)) == {cell.cell for cell in first + second}
    next((tmp_path / ".plans").iterdir()).write_text("{")
    with pytest.raises(SsdBenchError, match="is damaged"):
        planned_cells(tmp_path)
