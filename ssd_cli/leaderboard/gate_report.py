"""The result of the gate as text, Markdown, JUnit XML and GitHub annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from ssd_cli.metrics import METRICS
from ssd_cli.statistics.gate import POWER

if TYPE_CHECKING:
    from ssd_cli.leaderboard.gate import GateReport, Moved

HEADER = ["what", "score", "change", "tolerance", "p", "changed besides"]


def rows(moved: list[Moved]) -> list[list[str]]:
    """Return one row per test, the smallest p first."""
    return [
        [test.where, _shown(test.score), f"{test.fall.change:+.4f}", f"±{test.fall.tolerance:.4f}", f"{test.fall.p:.1e}",
         ", ".join(test.causes) or "nothing"]
        for test in sorted(moved, key=lambda test: test.fall.p)
    ]  # fmt: skip


def summary(report: GateReport) -> list[str]:
    """Return sentences: the verdict, the false-alarm rate, the power."""
    means = [test for test in report.tests if not test.dataset and test.score == "accuracy"]
    groups = [test for test in report.tests if test.dataset and test.score == "accuracy"]
    what = "different from" if report.two_sided else "worse than"
    lines = [f"PASSED: nothing is {what} the reference by more than its seeds explain." if report.passed else "FAILED."]
    lines += [f"Not in the run: {one}." for one in report.absent]
    lines += [f"Other data than in the reference: {one}." for one in report.other_data]
    lines += [f"Changed after it was written: {one}." for one in report.changed]
    lines.append(
        f"{len(report.tests)} tests; if nothing has changed and seeds vary normally, a run fails by chance with a probability of "
        f"at most {report.alpha:.1%} (half for single datasets, half for means over the datasets of a method; "
        f"{'two' if report.two_sided else 'one'}-sided, Bonferroni)."
    )
    if means and groups:
        worst = max(test.fall.detectable for test in means)
        single = sorted(test.fall.detectable for test in groups)[len(groups) // 2]
        lines.append(
            f"A drop in accuracy that is found with a probability of {POWER:.0%}: {_drop(worst)} in the mean over the datasets of "
            f"a method; {_drop(single)} on a single dataset (median)."
        )
        if max(worst, single) > 1:
            lines.append("No drop there is large enough to be found: run more seeds, for the reference too.")
    if report.n_same_seed:
        lines.append(f"{report.n_equal} of {report.n_same_seed} cells with a seed of the reference have exactly its accuracy.")
    if report.extra:
        lines.append(
            f"{len(report.extra)} dataset × method of the run, or resamples of them, are not in the reference and not compared."
        )
    return lines


def markdown(report: GateReport) -> str:
    """Return the summary page of a job."""
    parts = [f"## Accuracy gate: {'passed' if report.passed else 'failed'}", "", *(f"{line}  " for line in summary(report))]
    for title, moved in (
        ("Worse than the reference", report.fallen),
        ("Better than the reference (consider --update)", report.risen),
    ):
        if moved:
            cells = [HEADER, ["---"] * len(HEADER), *rows(moved)]
            parts += [
                "",
                f"### {title}",
                "",
                *("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in cells),
            ]
    return "\n".join(parts) + "\n"


def junit(report: GateReport) -> str:
    """Return a JUnit report with a test case for every test of the gate."""
    cases, alarms = [], report.alarms
    for test in report.tests:
        name = f"{test.dataset or 'all datasets'}: {test.score}"
        case = f"  <testcase classname={quoteattr(test.name)} name={quoteattr(name)}"
        if test in alarms:
            cases.append(f"{case}><failure message={quoteattr(_sentence(test))}/></testcase>")
        else:
            cases.append(f"{case}/>")
    failures = (
        ("not in the run", report.absent),
        ("other data than in the reference", report.other_data),
        ("changed after it was written", report.changed),
    )
    for what, names in failures:
        cases += [
            f"  <testcase classname={quoteattr(what)} name={quoteattr(name)}><failure message={quoteattr(what)}/></testcase>"
            for name in names
        ]
    n_failures = len(alarms) + sum(len(names) for _, names in failures)
    head = f'<testsuite name="ssd-bench check" tests="{len(cases)}" failures="{n_failures}" errors="0">'
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', head, *cases, "</testsuite>", ""])


def github(report: GateReport) -> list[str]:
    """Return the lines that GitHub shows as annotations."""
    texts = [_sentence(test) for test in report.alarms]
    texts += [f"{name} is not in the run" for name in report.absent]
    texts += [f"{name} has other data than in the reference" for name in report.other_data]
    texts += [f"{name} was changed after it was written" for name in report.changed]
    return [f"::error title=Accuracy gate::{_escaped(text)}" for text in texts]


def _shown(score: str) -> str:
    """Return the name of the tested values: minus the logarithm if lower scores are better."""
    metric = METRICS[score]
    return f"-log {metric.title}" if metric.direction == "down" else metric.title


def _drop(size: float) -> str:
    return f"{size:.4f}" if size <= 1 else "none"


def _sentence(test: Moved) -> str:
    besides = ", ".join(test.causes) or "nothing else, not even the seed"
    score = f"{_shown(test.score)} {test.fall.change:+.4f}, tolerance {test.fall.tolerance:.4f}"
    return f"{test.where}: {score}; changed besides: {besides}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
