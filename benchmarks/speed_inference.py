"""Predicting a test set: as the tool does it, beside the plain network in evaluation mode.

    python benchmarks/speed_inference.py --out results/speed      # one thread, then two

"plain": the definition, batch norms and all, without gradients. "deployed": `predict_proba`, by which every test set is predicted:
batch norms folded, the execution that predicts fastest, folding included. Both in the tool's batches, from an array to
probabilities. A single case, batch norms folded before, is the latency that records hold. Noise of the sizes of test sets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe, sentence
from turns import aligned, milliseconds, quotient, steps_of, take_turns

from ssd_cli.backbones.registry import backbones
from ssd_cli.engine.deployed import Deployed
from ssd_cli.engine.memory import kept_memory
from ssd_cli.training.predict import freeze, outputs, predict_proba

BACKBONES = ("inception", "h-inception", "resnet", "fcn", "lite")
TEST_SETS = {"GunPoint": (150, 150), "ItalyPowerDemand": (1029, 24), "OSULeaf": (242, 427)}
"""Cases and time steps of the archive's own test sets."""
HEAD = ("backbone", "test set", "plain ms", "deployed", "quotient", "one case: plain", "deployed", "quotient")


def row(backbone: str, title: str, size: tuple[int, int], rounds: int) -> tuple[str, ...]:
    """Times and quotients of a test set."""
    n_cases, n_timepoints = size
    torch.manual_seed(0)
    network = freeze(backbones.get(backbone)().build(1, 2))
    X = np.random.default_rng(0).standard_normal((n_cases, 1, n_timepoints)).astype(np.float32)
    one, deployed = torch.as_tensor(X[:1]), Deployed(network)
    columns = {
        "plain": lambda: outputs(network, torch.as_tensor(X))[0].double().softmax(-1).numpy(),
        "deployed": lambda: predict_proba(network, X),
    }
    single = {"plain": lambda: network(one).logits, "deployed": lambda: deployed(one).logits}
    with kept_memory(), torch.no_grad():
        sets = take_turns(columns, 2 * steps_of(X.size), rounds)
        cases = take_turns(single, 20, rounds)
    cells = []
    for measured in (sets, cases):
        cells += [f"{milliseconds(measured, name):.1f}" for name in columns] + [f"{quotient(measured, 'plain', 'deployed'):.2f}"]
    return backbone, f"{title} {n_cases}x{n_timepoints}", *cells


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--backbones", type=lambda text: text.split(","), default=list(BACKBONES))
    parser.add_argument("--threads", type=lambda text: list(map(int, text.split(","))), default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one round of the first backbone")
    parser.add_argument("--out", type=Path, help="folder for inference.txt")
    options = parser.parse_args()
    machine = describe()
    tables: dict[int, list[tuple[str, ...]]] = {}
    for threads in options.threads:
        torch.set_num_threads(threads)
        tables[threads] = [HEAD]
        for backbone in options.backbones[: 1 if options.quick else None]:
            for title, size in TEST_SETS.items():
                tables[threads].append(row(backbone, title, size, 1 if options.quick else options.rounds))
                print(threads, *tables[threads][-1], flush=True)
                if options.out:  # after every row: a run that is cut off leaves what it has measured
                    options.out.mkdir(parents=True, exist_ok=True)
                    (options.out / "inference.txt").write_text(page(machine, tables))
    print("\n" + page(machine, tables))


def page(machine: dict[str, Any], tables: dict[int, list[tuple[str, ...]]]) -> str:
    """What was done, where, and a table for each number of threads."""
    head = f"{machine['command']}\n{sentence(machine)}\ntorch {torch.__version__}"
    parts = [f"threads: {threads}\n\n{aligned(lines)}" for threads, lines in tables.items()]
    return "\n\n".join([(__doc__ or "").strip(), head, *parts]) + "\n"


if __name__ == "__main__":
    main()
