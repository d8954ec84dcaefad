"""Serve ssd-bench's own training path: `Workbench.member`, as every method calls it, by the execution that a run would plan.

Its first epoch includes all that happens before it: the network's making and its key.
"""

import os

from serve import Fitted, Stopwatch, serve

from ssd_cli.backbones.registry import backbones
from ssd_cli.engine.memory import kept_memory
from ssd_cli.engine.planner import plan
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.recipe import Recipe
from ssd_cli.training.workbench import Workbench

NETWORKS = ("inception", "resnet", "lite")
ENGINE = os.environ["SPEED_ENGINE"]
if ENGINE not in ("auto", "plain"):
    raise SystemExit(f"ssd-bench has no engine '{ENGINE}'; there are auto and plain")


def fit(network: str, X, y, batch_size: int, epochs: int) -> Fitted:
    """Train one network; see serve.py."""
    training_set = TrainingSet(X, y, int(y.max()) + 1, "speed")
    recipe = Recipe(epochs=epochs, batch_size=batch_size, batch_divisor=0).for_backbone(network)
    backbone, size = backbones.get(network)(), recipe.batch(len(y))
    execution = ENGINE
    if ENGINE == "auto":
        built = backbone.build(X.shape[1], training_set.n_classes)
        execution = plan(built, X.shape[2]).label
    watch = Stopwatch()
    bench = Workbench(training_set, backbone, {"name": network}, recipe, seed=0, execution=execution, on_epoch=watch.lap)
    with kept_memory(size * X.shape[2]):  # as a worker does around every cell
        watch.start()
        bench.base_network()
    return Fitted({"ssd-bench": watch.laps}, bench.execution.label)


serve(fit, NETWORKS, ("ssd-bench", "torch"))
