"""What a step costs beside the plain one: students of ssd, and members of an ensemble in one batched step.

    python benchmarks/speed_methods.py --out results/speed        # one thread
    python benchmarks/speed_methods.py --quick

All steps are those of the training loop (`training.step.Step`), on a batch that is already there, by the fast execution. "single":
cross-entropy alone. "ssd": student and teacher with dropout at the site `embed`, N = 30; the teacher has embedded the training set
once, before. "ssd-mid": the teacher's second half N times in every step. Five members: by five fast steps one after the other, by
five plain ones, and by one batched step of five plain networks (`--engine batched`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import describe, sentence
from turns import aligned, milliseconds, quotient, steps_of, take_turns

from ssd_cli.backbones.registry import backbones
from ssd_cli.engine.memory import kept_memory
from ssd_cli.engine.stack import Stack, StackedStep
from ssd_cli.methods.registry import methods
from ssd_cli.methods.ssd import SSD
from ssd_cli.methods.student_guided import StudentGuided
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.objective import CrossEntropy, Objective
from ssd_cli.training.predict import freeze
from ssd_cli.training.recipe import Fast
from ssd_cli.training.step import Step
from ssd_cli.training.workbench import Workbench

STUDENTS = {
    "inception": ("50x150", "64x427", "64x24", "5x150"),
    "lite": ("50x150", "64x427", "64x24", "5x150"),
    "resnet": ("50x150",),
}
MID = (("inception", "50x150"), ("inception", "5x150"), ("lite", "50x150"))
MEMBERS = (("inception", "5x150"), ("inception", "64x24"), ("inception", "50x150"), ("lite", "50x150"))
N_MEMBERS = 5


def workbench(backbone: str, shape: str, execution: str) -> Workbench:
    """Noise of a batch's size as a training set, and what trains on it."""
    n_cases, n_timepoints = map(int, shape.split("x"))
    X = np.random.default_rng(0).standard_normal((n_cases, 1, n_timepoints)).astype(np.float32)
    training_set = TrainingSet(X, np.arange(n_cases, dtype=np.int64) % 2, 2, "noise")
    recipe = Fast().for_backbone(backbone)
    return Workbench(training_set, backbones.get(backbone)(), {"name": backbone}, recipe, seed=0, execution=execution)


def step_of(bench: Workbench, method: str) -> Callable[[], None]:
    """A step of a method's last training: the student's where there is one."""
    x, y = bench.tensors(bench.training_set)
    settings = methods.get(method)()
    objective: Objective = CrossEntropy()
    if isinstance(settings, SSD):
        teacher = freeze(bench.fresh(0, settings.rates))
        network = bench.copy(teacher)
        objective = StudentGuided(teacher, settings.parameters, bench, network.embedding_size)
    else:
        network = bench.fresh(0)
    objective.prepare(x)
    bench.seed_sites(network, "student", 0)
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)
    step, index = Step(bench.bind(network), x, y, objective, optimiser), torch.arange(len(y))
    return lambda: step(index)


def members(backbone: str, shape: str) -> dict[str, Callable[[], None]]:
    """Five members, one by one and together."""
    one_by_one = {}
    for execution in ("fast", "plain"):
        steps = [step_of(workbench(backbone, shape, execution), "single") for _ in range(N_MEMBERS)]
        one_by_one[execution] = lambda steps=steps: [step() for step in steps]
    bench = workbench(backbone, shape, "batched")
    x, y = bench.tensors(bench.training_set)
    together = StackedStep(Stack([bench.fresh(index) for index in range(N_MEMBERS)]), x, y, [0.0] * N_MEMBERS)
    together.optimiser.rates.fill_(1e-3)
    index = torch.arange(len(y)).expand(N_MEMBERS, -1)
    return one_by_one | {"batched": lambda: together(index)}


def students_table(rounds: int, quick: bool) -> str:
    """Steps of students beside the plain objective's."""
    lines = [("backbone", "batch", "single ms", "ssd", "ssd/single", "ssd-mid", "ssd-mid/single")]
    for backbone, shapes in STUDENTS.items():
        for shape in shapes[: 1 if quick else None]:
            names = ["single", "ssd", *(["ssd-mid"] if (backbone, shape) in MID and not quick else [])]
            bench = workbench(backbone, shape, "fast")
            columns = {name: step_of(bench, name) for name in names}
            measured = take_turns(columns, steps_of(bench.training_set.X.size), rounds)
            cells = [f"{milliseconds(measured, 'single'):.1f}"]
            for name in names[1:]:
                cells += [f"{milliseconds(measured, name):.1f}", f"{quotient(measured, name, 'single'):.3f}"]
            lines.append((backbone, shape, *cells, *"––"[: 5 - len(cells)]))
            print(*lines[-1], flush=True)
    return aligned(lines)


def members_table(rounds: int, quick: bool) -> str:
    """Five members, by three ways."""
    lines = [("backbone", "batch", "5 fast steps ms", "5 plain steps", "1 batched step", "plain/batched", "fast/batched")]
    for backbone, shape in MEMBERS[: 1 if quick else None]:
        columns = members(backbone, shape)
        n_cases, n_timepoints = map(int, shape.split("x"))
        measured = take_turns(columns, steps_of(N_MEMBERS * n_cases * n_timepoints), rounds)
        own = [f"{milliseconds(measured, name):.1f}" for name in ("fast", "plain", "batched")]
        quotients = [f"{quotient(measured, name, 'batched'):.2f}" for name in ("plain", "fast")]
        lines.append((backbone, shape, *own, *quotients))
        print(*lines[-1], flush=True)
    return aligned(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of few rows")
    parser.add_argument("--out", type=Path, help="folder for methods.txt")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    machine, rounds = describe(), 1 if options.quick else options.rounds
    with kept_memory():
        tables = [students_table(rounds, options.quick), members_table(rounds, options.quick)]
    head = f"{machine['command']}\n{sentence(machine)}\ntorch {torch.__version__}, threads: {options.threads}"
    text = "\n\n".join([(__doc__ or "").strip(), head, *tables]) + "\n"
    print("\n" + text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "methods.txt").write_text(text)


if __name__ == "__main__":
    main()
