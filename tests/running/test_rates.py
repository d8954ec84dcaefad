"""Rates that are kept, and how they are measured; how fast anything is is never looked at."""

import dataclasses
import json

import pytest

from ssd_cli.archives.cache import cache_root
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.running import rates
from ssd_cli.running.rates import Measured, average, keep, load, machine, measure
from ssd_cli.running.work import Counts, step_flops
from ssd_cli.training.build import build_backbone
from ssd_cli.training.recipe import Smoke
from tests.running.builders import make_spec

MEASURED = Measured("lite", Counts(1e-3, 1e-11, 1e-12), "2026-01-01")
SPEC = make_spec(
    execution="fast",
    backbone={"name": "lite", "parameters": {"width": 2, "kernel": 8, "separable": False}},
    recipe={"name": "smoke", "parameters": Smoke().for_backbone(LITEBackbone).identity()},
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_rates_are_kept_and_added_to():
    of = machine(1, 2, "cpu")
    assert load(of) == {}
    keep(of, {"a": MEASURED})
    keep(of, {"b": dataclasses.replace(MEASURED, label="fcn")})
    assert load(of) == {"a": MEASURED, "b": dataclasses.replace(MEASURED, label="fcn")}


@pytest.mark.parametrize("changed", ["cpu", "cores", "torch", "ssd-bench", "threads", "workers", "device", "format"])
def test_another_machine_or_torch_never_finds_them(changed):
    of = machine(1, 2, "cpu")
    keep(of, {"a": MEASURED})
    assert load(of | {changed: "another"}) == {}
    (path,) = (cache_root() / "rates").iterdir()
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"machine": kept["machine"] | {changed: "another"}}))  # a file that was copied by hand
    assert load(of) == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace("1e-11", '"fast"'),
        lambda text: text.replace("1e-11", "NaN"),
        lambda text: text.replace("1e-11", "-1"),
        lambda text: text.replace("1e-12", "1e-12, 1"),
    ],
)
def test_a_damaged_file_is_measured_again(damage):
    of = machine(1, 2, "cpu")
    keep(of, {"a": MEASURED})
    (path,) = (cache_root() / "rates").iterdir()
    path.write_text(damage(path.read_text()))
    assert load(of) == {}
    keep(of, {"a": MEASURED})
    assert load(of) == {"a": MEASURED}


def test_a_cache_that_cannot_be_written_is_no_error(cache):
    cache.write_text("a file where the folder should be")
    keep(machine(1, 2, "cpu"), {"a": MEASURED})
    assert load(machine(1, 2, "cpu")) == {}


def test_rates_solve_for_what_was_measured(monkeypatch):
    truth = Counts(steps=0.02, flops=3e-11, input_flops=4e-12)

    def step_seconds(spec, shape):
        n_cases, n_channels, n_timepoints = shape
        return Counts(1, *(n_cases * n_timepoints * flops for flops in step_flops(build_backbone(spec), n_channels))).seconds(truth)

    monkeypatch.setattr(rates, "step_seconds", step_seconds)
    assert rates.rates_of(SPEC) == pytest.approx(truth, rel=1e-6)


def test_rates_are_measured_on_the_real_loop():
    reported = []
    ((_, found),) = measure([SPEC], 1, reported.append).items()
    assert reported == ["calibrating: lite"]
    assert found.label == "lite"
    assert all(rate >= 0 for rate in found.rates)
    assert found.rates.flops > 0


def test_a_network_that_cannot_take_the_series_is_left_out(monkeypatch):
    def refuse(*arguments):
        raise ValueError("two channels are needed")

    monkeypatch.setattr(rates, "rates_of", refuse)
    assert measure([SPEC], 1, lambda text: None) == {}
    assert average([{"a": MEASURED}, {}]) == {}


def test_workers_that_measure_at_once_are_averaged():
    slower = dataclasses.replace(MEASURED, rates=Counts(*(3 * rate for rate in MEASURED.rates)))
    (one,) = average([{"a": MEASURED}, {"a": slower}]).values()
    assert one.rates == pytest.approx(tuple(2 * rate for rate in MEASURED.rates))
