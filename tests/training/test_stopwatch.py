"""Waiting never counts as training. The clocks are fakes: nothing sleeps."""

from types import SimpleNamespace

import pytest

from ssd_cli.training import stopwatch
from ssd_cli.training.networks import MemoryNetworks
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.stopwatch import Spent, Stopwatch
from tests.small import workbench

EPOCH = 0.5


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self):
        self.processor = self.wall = 0.0

    def work(self, seconds, threads=1):
        self.processor += seconds * threads
        self.wall += seconds

    def pause(self, seconds):
        self.wall += seconds


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    times = SimpleNamespace(perf_counter=lambda: made.wall, process_time=lambda: made.processor)
    monkeypatch.setattr(stopwatch, "time", times)
    return made


class SlowStore(MemoryNetworks):
    """A store in which another process trains the networks, or fails to train them."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def obtain(self, key, train):
        self.clock.pause(self.seconds)
        return super().obtain(key, train)


@pytest.mark.parametrize("pause", [0.0, 0.3, 25.0, 4000.0])
@pytest.mark.parametrize("threads", [1, 3])
def test_pauses_on_a_cpu_are_not_counted(clock, pause, threads):
    watch = Stopwatch("cpu")
    for _ in range(4):
        clock.work(2.0, threads)
        watch.tick()
    clock.pause(pause)
    watch.tick()
    clock.work(2.0, threads)
    spent = watch.read()
    assert spent.wall_seconds == pytest.approx(10 + pause) and spent.cpu_seconds == pytest.approx(10 * threads)
    assert spent.seconds == pytest.approx(10.0, abs=0.31)


def test_an_accelerator_works_while_the_process_sleeps(clock):
    watch = Stopwatch("cuda")
    clock.work(0.1)
    clock.pause(9.9)
    assert watch.read() == Spent(pytest.approx(10.0), pytest.approx(0.1), pytest.approx(10.0))


def test_clocks_of_short_work_may_disagree(clock):
    watch = Stopwatch("cpu")
    clock.work(0.010)
    clock.pause(0.015)  # such as by the tick of the processor clock
    assert watch.read().seconds == pytest.approx(0.025)


def booked(clock, networks=None, fit=lambda bench: bench.base_network(0), execution="plain", pauses=()):
    """Return the costs of a fit whose every epoch takes half a second, with pauses after some epochs."""
    left = dict(pauses)

    def on_epoch(progress):
        clock.work(EPOCH)
        clock.pause(left.pop(progress.epoch, 0.0))

    bench = workbench(networks=networks or MemoryNetworks(), on_epoch=on_epoch, execution=execution)
    watch = Stopwatch("cpu")
    clock.work(0.25)  # beside the trainings
    fit(bench)
    return bench.ledger.summary(watch.read(), "cpu")


def ensemble(bench):
    bench.base_networks([0, 1])
    bench.train(bench.fresh(2), CrossEntropy(), epochs=2)


@pytest.mark.parametrize("execution", ["plain", "batched"])
@pytest.mark.parametrize("fit", [lambda bench: bench.base_network(0), ensemble], ids=["one network", "an ensemble"])
@pytest.mark.parametrize("seconds", [25.0, 3600.0])
def test_waiting_for_networks_of_others_counts_for_nothing(clock, seconds, fit, execution):
    expected = booked(clock, fit=fit, execution=execution)
    assert booked(clock, SlowStore(clock, seconds), fit, execution) == pytest.approx(expected)  # the other process was killed
    store = SlowStore(clock, seconds)
    booked(clock, store, fit, execution)
    reused = booked(clock, store, fit, execution)
    assert reused["fit_seconds_alone"] == pytest.approx(expected["fit_seconds_alone"])
    assert reused["wall_seconds"] == pytest.approx(expected["wall_seconds"])
    assert reused["fit_seconds_spent"] < expected["fit_seconds_spent"]


@pytest.mark.parametrize("execution", ["plain", "batched"])
@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_a_stopped_process_books_its_pause_as_wall_time_only(clock, epoch, execution):
    expected = booked(clock, fit=ensemble, execution=execution)
    found = booked(clock, fit=ensemble, execution=execution, pauses={epoch: 90.0})
    assert found["fit_seconds_alone"] == pytest.approx(expected["fit_seconds_alone"], abs=0.01)
    assert found["fit_seconds_spent"] == pytest.approx(expected["fit_seconds_spent"], abs=0.01)
    assert found["cpu_seconds"] == pytest.approx(expected["cpu_seconds"])
    assert found["wall_seconds"] == pytest.approx(expected["wall_seconds"] + 90)


def test_a_pause_beside_the_trainings_is_not_counted_either(clock):
    def fit(bench):
        bench.base_network(0)
        clock.pause(50.0)

    assert booked(clock, fit=fit)["fit_seconds_alone"] == pytest.approx(booked(clock)["fit_seconds_alone"])


def test_a_method_without_networks_may_work_in_other_processes(clock):
    found = booked(clock, fit=lambda bench: clock.pause(7.0))
    assert found["fit_seconds_alone"] == pytest.approx(7.25)
