import dataclasses
from functools import partial

import numpy as np
import pytest

from ssd_cli.archives.load import load
from ssd_cli.archives.prepare import Preparation
from ssd_cli.errors import MisuseError
from ssd_cli.protocol.label_noise import with_label_noise
from ssd_cli.protocol.split import split
from ssd_cli.running import execute as running
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.plan import make_plan
from ssd_cli.running.suite import Suite, parse_suite
from ssd_cli.store.results import ResultStore
from ssd_cli.training.seeds import CellSeeds
from tests.running.builders import write_dataset
from tests.small import waves_training_set


@pytest.mark.parametrize(("share", "n_classes"), [(0.2, 4), (0.5, 2), (0.9, 7)])
def test_a_share_of_the_labels_becomes_another_class_drawn_uniformly(share, n_classes):
    clean = waves_training_set(9000)
    clean = dataclasses.replace(clean, y=np.arange(9000) % n_classes, n_classes=n_classes)
    noisy = with_label_noise(clean, share, 3)
    changed = noisy.y != clean.y
    assert changed.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 9000))
    steps = (noisy.y - clean.y)[changed] % n_classes
    counts = np.bincount(steps, minlength=n_classes)
    assert counts[0] == 0
    expected = changed.sum() / (n_classes - 1)
    assert (abs(counts[1:] - expected) <= 5 * np.sqrt(expected)).all()
    assert noisy.y.dtype == np.int64 and noisy.X is clean.X and noisy.digest != clean.digest
    assert (with_label_noise(clean, share, 3).y == noisy.y).all()
    assert (with_label_noise(clean, share, 4).y != noisy.y).any()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Compute the cells of a suite; return their records, and the training labels by resample and seed."""
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    write_dataset(tmp_path / "data", "Waves", n_train=40)
    monkeypatch.setattr(running, "build_context", partial(_seen, running.build_context, seen := {}))
    monkeypatch.setattr(running, "build_workbench", partial(_seen, running.build_workbench, seen))

    def compute(**options):
        seen.clear()
        suite = Suite(
            dataset=("Waves",), method=("single",), backbone=("lite[width=2]",), recipe="smoke", device="cpu",
            data_dir=(tmp_path / "data",), out=tmp_path / f"out {options}", **options,
        )  # fmt: skip
        records = []
        for planned in make_plan(suite, dry_run=False).cells:
            outcome = execute(Job(planned, suite.out, data_dirs=suite.data_dir), lambda progress: None)
            assert outcome.status == "ok", outcome
            records.append(ResultStore(suite.out).read(planned.cell))
        return records, dict(seen), suite

    return compute


def _seen(original, seen, spec, training_set, **options):
    labels = seen.setdefault((spec.resample, spec.seed), training_set.y)
    assert (labels == training_set.y).all()  # whichever cell builds it
    return original(spec, training_set, **options)


@pytest.mark.parametrize("more", [{}, {"engine": "batched", "together": True}])
def test_every_seed_and_resample_has_noise_of_its_own_and_test_labels_have_none(run, more):
    records, noisy, suite = run(label_noise=0.3, seeds=(0, 1), resamples=(0, 1), **more)
    dataset = load("Waves", suite.data_dir, download=False)
    assert sorted(noisy) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    masks = []
    for (resample, seed), labels in noisy.items():
        drawn, sealed = split(dataset, resample, Preparation())
        expected = with_label_noise(drawn, 0.3, CellSeeds(seed, "Waves", resample).sub_seed("label noise")).y
        assert (labels == expected).all()
        masks.append(tuple(labels != drawn.y))
        record = next(one for one in records if (one.cell.resample, one.cell.seed) == (resample, seed))
        y, _ = ResultStore(suite.out).predictions(record.cell)
        assert (y == sealed.unseal(True)[1]).all()
    assert len(set(masks)) == 4 and all(0 < sum(mask) < 30 for mask in masks)


def test_noise_is_part_of_the_identity_and_none_is_no_part(run):
    (noisy,), _, _ = run(label_noise=0.2)
    (clean,), labels, _ = run()
    assert noisy.spec.preparation == clean.spec.preparation | {"label_noise": 0.2}
    assert "label_noise" not in clean.spec.preparation
    assert noisy.curves[0]["key"] != clean.curves[0]["key"]  # no shared network either
    assert labels[0, 0].tolist() == [case % 2 for case in range(40)]


def test_a_suite_names_it(tmp_path):
    file = tmp_path / "suite.yaml"
    file.write_text("dataset: [GunPoint]\nmethod: [single]\nlabel-noise: 0.2\n")
    assert parse_suite(file, {}).label_noise == 0.2
    file.write_text("dataset: [GunPoint]\nmethod: [single]\nlabel-noise: much\n")
    with pytest.raises(MisuseError, match="line 3: label-noise cannot be 'much'"):
        parse_suite(file, {})
