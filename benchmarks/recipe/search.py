"""Try training recipes by cross-validation inside training splits; the test splits are never read.

    python benchmarks/recipe/search.py lite                       # trains what search.toml lists, goes on where it stopped
    python benchmarks/recipe/search.py lite --dry-run             # steps and passed values of every setting

A setting trains one network for each of the first `--folds` of three stratified folds of a training split, and predicts the fold
that it has not seen. A row of results/recipe/BACKBONE.csv is one training. `search.toml` names the settings, the problems, and the
rule by which these were chosen.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold

from ssd_cli.archives.load import load
from ssd_cli.archives.prepare import default_preparation
from ssd_cli.backbones import backbones
from ssd_cli.engine.planner import plan
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.protocol.split import split
from ssd_cli.training.averaging import Averager, ExponentialMean
from ssd_cli.training.context import TrainingContext
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import predict_proba
from ssd_cli.training.recipe import Recipe
from ssd_cli.training.workbench import Workbench

HERE = Path(__file__).parent
N_FOLDS = 3


@dataclass(frozen=True)
class Setting:
    """One recipe: `steps` with bounds in epochs, and what shapes the steps."""

    steps: int
    epochs_min: int = 1
    epochs_max: int = 1500
    learning_rate: float = 1e-3
    warm_up: float = 0.0
    """Share of the training in which the rate rises from a 25th of its peak, linearly."""
    batch_size: int | None = None
    batch_divisor: int | None = None
    bn_momentum: float = 0.1
    weight_decay: float = 0.0
    """Decoupled from the gradient, as in AdamW: after each step the filters lose this share, times the learning rate."""
    ema: float = 0.0
    """Decay of an exponential mean of the weights; the networks with the mean weights are judged. 0: none."""

    def epochs(self, n_cases: int, batch: int) -> int:
        """Return the epochs for a number of cases in batches of this size."""
        wanted = math.ceil(self.steps / math.ceil(n_cases / batch))
        return min(max(wanted, self.epochs_min), self.epochs_max)

    def rate(self, done: float) -> float:
        """Return the factor of the peak rate after a share of the training: a linear rise, then a cosine to 0."""
        if done < self.warm_up:
            return 0.04 + 0.96 * done / self.warm_up
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - self.warm_up) / (1 - self.warm_up))))


class Decay(Averager):
    """Shrinks filters and classifier after each step: decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2)."""

    def __init__(self, setting: Setting, n_steps: int) -> None:
        super().__init__()
        self.setting, self.n_steps = setting, n_steps

    def after_step(self, network: torch.nn.Module) -> None:
        """Shrink every weight of more than one dimension."""
        factor = self.setting.learning_rate * self.setting.rate(self.n_averaged / self.n_steps) * self.setting.weight_decay
        self.n_averaged += 1
        with torch.no_grad():
            for weight in network.parameters():
                if weight.ndim > 1:
                    weight.mul_(1 - factor)


def folds(training_set: TrainingSet) -> Iterator[tuple[int, TrainingSet, TrainingSet]]:
    """Yield number, training part and held-out part of each fold."""
    splitter = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    for number, (inside, outside) in enumerate(splitter.split(training_set.y, training_set.y)):
        yield number, training_set.subset(inside), training_set.subset(outside)


def workbench(backbone: str, setting: Setting, cases: TrainingSet, seed: int) -> tuple[Workbench, int]:
    """Return the workbench of one training, and its epochs."""
    recipe = Recipe(
        epochs=setting.epochs_max, learning_rate=setting.learning_rate, schedule="cosine", keep="last",
        bn_momentum=setting.bn_momentum, batch_size=setting.batch_size, batch_divisor=setting.batch_divisor,
    )  # fmt: skip
    builder = backbones.get(backbone)()
    resolved = recipe.for_backbone(builder)
    execution = plan(builder.build(cases.n_channels, cases.n_classes), cases.n_timepoints, device="cpu", precision="fp32")
    context = TrainingContext(cases, builder, {"name": backbone}, resolved, seed, execution=execution)
    return Workbench(context), setting.epochs(cases.n_cases, resolved.batch(cases.n_cases))


def train(backbone: str, setting: Setting, inside: TrainingSet, outside: TrainingSet, fold: int) -> dict[str, Any]:
    """Train one network and return its row."""
    bench, epochs = workbench(backbone, setting, inside, fold)
    steps = epochs * math.ceil(inside.n_cases / bench.recipe.batch(inside.n_cases))
    network = bench.fresh()
    averager: Averager | None = Decay(setting, steps) if setting.weight_decay else None
    if setting.ema:
        averager = ExponentialMean(setting.ema, network.state_dict())
    options: dict[str, Any] = {"lr_multiplier": lambda epoch: setting.rate(epoch / epochs)} if setting.warm_up else {}
    started = time.process_time()
    bench.train(network, CrossEntropy(), epochs=epochs, averager=averager, **options)
    seconds = time.process_time() - started
    if setting.ema and averager is not None:
        network.load_state_dict(averager.state)
        bench.refresh_batch_norm(network)
    network.eval()
    inner, outer = predict_proba(network, inside.X), predict_proba(network, outside.X)
    likelihood = outer[np.arange(len(outer)), outside.y]
    return {
        "epochs": epochs,
        "steps": steps,
        "training_loss": -np.log(np.maximum(inner[np.arange(len(inner)), inside.y], 1e-12)).mean(),
        "training_accuracy": (inner.argmax(1) == inside.y).mean(),
        "accuracy": (outer.argmax(1) == outside.y).mean(),
        "nll": -np.log(np.maximum(likelihood, 1e-12)).mean(),
        "seconds": seconds,
    }


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows that are there."""
    return list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []


def search(backbone: str, settings: dict[str, Setting], names: list[str], n_folds: int, path: Path) -> None:
    """Train what is missing; dataset by dataset, all settings of a dataset one after the other."""
    done = {(row["setting"], row["dataset"], row["fold"]) for row in read(path)}
    path.parent.mkdir(parents=True, exist_ok=True)
    for label, setting in settings.items():
        for name in names:
            if all((label, name, str(fold)) in done for fold in range(n_folds)):
                continue
            cases, _ = split(load(name, download=False), 0, default_preparation(name))
            for fold, inside, outside in folds(cases):
                if fold >= n_folds or (label, name, str(fold)) in done:
                    continue
                values = train(backbone, setting, inside, outside, fold)
                row = {"setting": label, "dataset": name, "fold": fold} | values
                new = not path.exists()
                with path.open("a", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, list(row), lineterminator="\n")
                    if new:
                        writer.writeheader()
                    writer.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})
        print(f"{label}: done", flush=True)


def dry_run(backbone: str, settings: dict[str, Setting], names: list[str]) -> None:
    """Print the steps and the passed values of each setting on one fold."""
    parts = [load(name, download=False).train for name in names]
    for label, setting in settings.items():
        steps = values = 0
        for part in parts:
            n_cases = round(part.n_cases * (N_FOLDS - 1) / N_FOLDS)
            recipe = Recipe(batch_size=setting.batch_size, batch_divisor=setting.batch_divisor)
            batch = recipe.for_backbone(backbones.get(backbone)()).batch(n_cases)
            epochs = setting.epochs(n_cases, batch)
            steps += epochs * math.ceil(n_cases / batch)
            values += epochs * n_cases * int(part.lengths.max()) * part.n_channels
        print(f"{label:20} {steps:>8} steps, {values / 1e6:6.0f} million values")


def main() -> None:
    """Search, or show what a search costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone")
    parser.add_argument("--only", type=lambda text: text.split(","), help="settings, comma-separated; default all")
    parser.add_argument("--folds", type=int, default=1, help="1 to 3")
    parser.add_argument("--out", type=Path, default=Path("results/recipe"))
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    every = tomllib.loads((HERE / "search.toml").read_text(encoding="utf-8"))
    names = every["problems"]
    listed = every[options.backbone]
    settings = {label: Setting(**listed[label]) for label in options.only or listed}
    if options.dry_run:
        dry_run(options.backbone, settings, names)
    else:
        search(options.backbone, settings, names, options.folds, options.out / f"{options.backbone}.csv")


if __name__ == "__main__":
    main()
