"""From measurements to the tables of speed_peers.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

QUIET = 0.25
"""Cores that all other processes may use during a measurement that is called quiet."""

OURS, TEXTBOOK = "ssd-bench", "textbook"
NOTES = {
    "textbook": """textbook: `benchmarks/textbook.py`: torch.nn layers, a DataLoader that shuffles, Adam. Its networks have
        ssd-bench's outputs for the same weights.""",
    "sktime": """sktime: its DataLoader does not shuffle; its Inception has no ReLU after the residual sums; its ResNet's
        defaults (RMSprop, batches of one, a plateau rule) are replaced by Adam, the common batch size and no rule. It has no LITE
        in torch.""",
    "aeon": """aeon: as it comes, with Keras's accuracy metric and plateau rule, and a checkpoint written to disk whenever the loss
        is the lowest so far, which early in a training is nearly every epoch; aeon-bare: the same epochs without that moment. Its
        ResNet has one convolution more, in the third shortcut (3 % more parameters). Its graph is traced anew in every training,
        which takes seconds; the epoch with it is not counted.""",
    "tsai": """tsai: fastai's loop, without validation, with Adam that decays weights; kernels of 39, 19 and 9 taps in Inception,
        7, 5 and 3 in ResNet, no convolution in Inception's second shortcut (8 and 5 % fewer parameters). Its default of dropping
        the last, short batch is off. It has no LITE.""",
}
ALL = (
    """All: the same batch size and Adam, no validation; where nothing else is said, the same number of parameters. Times are
        medians over epochs, then over rounds; quotients are medians of quotients within a round. Every process is warmed up before
        it is timed. Starting processes and loading data are not counted.""",
    """× textbook, × best peer: how many times faster ssd-bench is. textbook : sktime: the textbook's time over sktime's.
        execution: ssd-bench's.""",
    f"~: other processes used more than {QUIET} of a core in every round; elsewhere such rounds are left out.",
)


@dataclass(frozen=True)
class Measurement:
    """One training, or several at once.

    Parameters
    ----------
    round : int
    set, network, column : str
        The column of the table: a peer, or a variant of one.
    processes, threads : int
        Trainings at once, and threads of each.
    seconds : list of list of float
        Of every epoch of every process.
    others : float
        Cores that other processes of the machine used meanwhile.
    execution : str
        How a peer that has a choice computed it.
    """

    round: int
    set: str
    network: str
    column: str
    processes: int
    threads: int
    seconds: list[list[float]]
    others: float
    execution: str = ""

    @property
    def rate(self) -> float:
        """Epochs a second, all processes together."""
        return sum(1 / median(laps) for laps in self.seconds)

    def __str__(self) -> str:
        way = f"{self.processes} × {self.threads}"
        return f"{self.set} {self.network} {self.column} {way}: {1000 / self.rate:.1f} ms an epoch, others {self.others:.2f} cores"


class Results:
    """Medians and quotients of measurements.

    Parameters
    ----------
    measurements : iterable of Measurement
    """

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self.all = list(measurements)
        self.columns = list(dict.fromkeys(one.column for one in sorted(self.all, key=lambda one: _ORDER.index(one.column))))

    def of(self, set_: str, network: str, column: str, way: tuple[int, int]) -> list[Measurement]:
        """The quiet measurements of a cell of the table; all where none is quiet."""
        found = [
            one
            for one in self.all
            if (one.set, one.network, one.column, one.processes, one.threads) == (set_, network, column, *way)
        ]
        return [one for one in found if one.others < QUIET] or found

    def rate(self, set_: str, network: str, column: str, way: tuple[int, int]) -> float | None:
        """Median of the rounds, epochs a second."""
        found = self.of(set_, network, column, way)
        return median(one.rate for one in found) if found else None

    def quotient(self, set_: str, network: str, a: tuple[str, tuple[int, int]], b: tuple[str, tuple[int, int]]) -> float | None:
        """How many times faster `a` (column, way) is than `b`: median of the rounds that have both; of all where none has."""
        rates = [{one.round: one.rate for one in self.of(set_, network, *each)} for each in (a, b)]
        rounds = rates[0].keys() & rates[1].keys()
        if rounds:
            return median(rates[0][number] / rates[1][number] for number in rounds)
        medians = [self.rate(set_, network, *each) for each in (a, b)]
        return medians[0] / medians[1] if medians[0] and medians[1] else None

    def best_peer(self, set_: str, network: str, ways: Sequence[tuple[int, int]]) -> tuple[str, tuple[int, int]] | None:
        """The fastest column and way that are neither ours nor the textbook's."""
        rates = {
            (column, way): rate
            for column in self.columns
            for way in ways
            if column not in (OURS, TEXTBOOK) and (rate := self.rate(set_, network, column, way)) is not None
        }
        return max(rates, key=lambda each: rates[each]) if rates else None

    def noisy(self, set_: str, network: str, column: str, way: tuple[int, int]) -> bool:
        """Whether no measurement of a cell was quiet."""
        found = self.of(set_, network, column, way)
        return bool(found) and min(one.others for one in found) >= QUIET


_ORDER = (OURS, TEXTBOOK, "sktime", "aeon", "aeon-bare", "tsai")


def epoch_table(results: Results, threads: int) -> str:
    """Milliseconds of an epoch, one training at a time."""
    way = (1, threads)
    head = [
        "set (cases × channels × length)",
        "network",
        *results.columns,
        "× textbook",
        "× best peer",
        "textbook : sktime",
        "execution",
    ]
    rows = []
    for set_, network in dict.fromkeys((one.set, one.network) for one in results.all if (one.processes, one.threads) == way):
        times = []
        for column in results.columns:
            rate = results.rate(set_, network, column, way)
            mark = "~" if results.noisy(set_, network, column, way) else ""
            times.append("–" if rate is None else f"{mark}{_short(1000 / rate)}")
        best = results.best_peer(set_, network, [way])
        against_best = results.quotient(set_, network, (OURS, way), best) if best else None
        rows.append(
            [
                set_,
                network,
                *times,
                _times(results.quotient(set_, network, (OURS, way), (TEXTBOOK, way))),
                f"{_times(against_best)} ({best[0]})" if best and against_best else "–",
                _times(results.quotient(set_, network, ("sktime", way), (TEXTBOOK, way))),
                ", ".join(dict.fromkeys(one.execution for one in results.of(set_, network, OURS, way))),
            ]
        )
    return _table(head, rows)


def cells_table(results: Results, workers: int, threads: int) -> str:
    """Epochs a second of all cores, by the way in which they are used."""
    one, many = (1, threads), (workers, 1)
    head = ["set", "network", "trained by", f"1 process × {threads} threads", f"{workers} processes × 1 thread", "gain"]
    head += ["ssd-bench's way × this peer's one process", "ssd-bench's way × this peer's better way"]
    rows = []
    for set_, network in dict.fromkeys((each.set, each.network) for each in results.all if each.processes > 1):
        for column in results.columns:
            rates = [results.rate(set_, network, column, way) for way in (one, many)]
            better = max((rate, way) for rate, way in zip(rates, (one, many), strict=True) if rate) if any(rates) else None
            if better is None:
                continue
            against = [results.quotient(set_, network, (OURS, many), (column, way)) for way in (one, better[1])]
            marks = ["~" if results.noisy(set_, network, column, way) else "" for way in (one, many)]
            shown = [f"{mark}{rate:.2f}" if rate else "–" for mark, rate in zip(marks, rates, strict=True)]
            gain = results.quotient(set_, network, (column, many), (column, one))
            rows.append([set_, network, column, *shown, _times(gain), *(_times(value) for value in against)])
    return _table(head, rows)


def notes(results: Results) -> str:
    """What differs in the work of the columns."""
    lines = [*(text for column, text in NOTES.items() if column in results.columns), *ALL]
    return "\n".join(f"- {' '.join(line.split())}" for line in lines)


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.1f}"


def _times(quotient: float | None) -> str:
    return "–" if quotient is None else f"{quotient:.2f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
