"""All that a method may use: networks made, copied, trained and shared, with every cost booked."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Unpack, cast

import torch
from torch import Tensor

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.core.executions import Execution
from ssd_cli.engine.graphs import steps_of
from ssd_cli.engine.planner import bind
from ssd_cli.engine.precision import autocasting, check_execution, set_arithmetic
from ssd_cli.errors import SsdBenchError
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.averaging import State, refresh_batch_norm
from ssd_cli.training.base_networks import Rule, obtain_base_networks
from ssd_cli.training.checkpoint import Checkpointer, Checkpoints, resumable
from ssd_cli.training.holdout import holdout_split
from ssd_cli.training.initialise import initialise
from ssd_cli.training.joint import Trainee, at_once, train_jointly
from ssd_cli.training.ledger import Entry, Ledger, Progress
from ssd_cli.training.loop import Curve, Keep, Schedule, explaining_single_values, refuse_diverged, train
from ssd_cli.training.networks import MemoryNetworks, Networks
from ssd_cli.training.objective import CrossEntropy, Objective
from ssd_cli.training.predict import cases_at_once
from ssd_cli.training.recipe import Recipe
from ssd_cli.training.seeds import generator, global_streams, sub_seed
from ssd_cli.training.spec import TrainingOptions, TrainingSpec


class Workbench:
    """The tools of one cell.

    Parameters
    ----------
    training_set : TrainingSet
    backbone : Backbone
        Builds the networks.
    backbone_identity : dict
        Name and parameters of the backbone, as they stand in identities.
    recipe : Recipe
        Filled in for the backbone (`Recipe.for_backbone`).
    seed : int
    networks : Networks, optional
        Where shared networks are kept; by default in memory.
    device : str
        "cpu", "cuda" or "mps".
    execution : str
        How the backbone is computed; part of a network's identity, since sums in another order give other bits.
    on_epoch : callable, optional
        Told the progress of every training.
    checkpoints : Checkpoints, optional
        Where trainings that take long keep where they stand; by default nowhere.
    name : str
        Of the cell, there and in the reports of the networks that it trains.
    others : callable, optional
        Makes the workbenches of other seeds and resamples whose members are trained in the same passes as this one's; only asked
        where the execution trains several networks at once.

    Attributes
    ----------
    ledger : Ledger
        What every network cost.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        backbone: Backbone,
        backbone_identity: dict[str, Any],
        recipe: Recipe,
        seed: int,
        *,
        networks: Networks | None = None,
        device: str = "cpu",
        execution: str = "plain",
        on_epoch: Callable[[Progress], None] | None = None,
        checkpoints: Checkpoints | None = None,
        name: str = "",
        others: Callable[[], Sequence[Workbench]] = tuple,
    ) -> None:
        self.training_set = training_set
        self.backbone = backbone
        self.recipe = recipe
        self.device = device
        self.execution = Execution.of(execution)
        self.ledger = Ledger()
        self.backbone_identity = backbone_identity
        self.seed = seed
        self.networks = MemoryNetworks() if networks is None else networks
        self.on_epoch = on_epoch or (lambda progress: None)
        self.checkpoints = checkpoints
        self.name, self._n_own = name, 0
        self._others = others
        self._tensors: dict[int, tuple[Tensor, Tensor]] = {}
        set_arithmetic(device, recipe.precision)
        check_execution(self.execution, recipe.precision)

    @property
    def epochs(self) -> int:
        """Epochs of one full training."""
        assert self.recipe.epochs is not None
        return self.recipe.epochs

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and data."""
        return torch.float64 if self.recipe.precision == "fp64" else torch.float32

    def sub_seed(self, purpose: str, index: int = 0) -> int:
        """A seed of the cell's (seed, dataset, resample) for one purpose."""
        return sub_seed(self.seed, self.training_set.dataset, self.training_set.resample, purpose, index)

    def rng(self, purpose: str, index: int = 0, device: str | None = None) -> torch.Generator:
        """A random stream for one purpose, on the workbench's device unless another is named."""
        return generator(self.sub_seed(purpose, index), self.device if device is None else device)

    @property
    def joint_cells(self) -> list[Workbench]:
        """All workbenches whose members share passes, this one among them, in the order of resample and seed."""
        return sorted([self, *self._their_benches], key=lambda bench: (bench.training_set.resample, bench.seed))

    @cached_property
    def _their_benches(self) -> Sequence[Workbench]:
        return self._others()

    # ---- networks -------------------------------------------------------------------------------------------------------------

    def fresh(
        self, index: int = 0, dropout: Dropout = NO_DROPOUT, backbone: Backbone | None = None, epochs: int | None = None
    ) -> Network:
        """An untrained network; the same `index` gives the same weights whatever the dropout.

        What is to be trained for other epochs than the recipe's says so: batch-norm momentum follows them (`Recipe.momentum`).
        """
        seed = self.sub_seed("init", index)
        with global_streams(seed):  # a plug-in may have weights that `initialise` does not draw: recurrent layers
            network = (backbone or self.backbone).build(self.training_set.n_channels, self.training_set.n_classes, dropout)
        initialise(network, generator(seed, "cpu"), self.recipe.initialisation)
        for layer in network.modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.momentum = self.recipe.momentum(epochs)
        if self.training_set.padded:
            network = MaskedNetwork(network)
        return network.to(self.device, self.dtype)

    def copy(self, network: Network, dropout: Dropout | None = None) -> Network:
        """A trainable copy with the same weights, with other dropout rates where given."""
        twin = copy.deepcopy(network).requires_grad_(True)
        if dropout is not None:
            twin.embed_site.rate, twin.mid_site.rate = dropout.embed, dropout.mid
        return twin

    def copies(self, network: Network, states: Sequence[State]) -> list[Network]:
        """A copy of a network for each of these sets of weights."""
        twins = [self.copy(network) for _ in states]
        for twin, state in zip(twins, states, strict=True):
            twin.load_state_dict(state)
        return twins

    def bind(self, network: Network) -> Network:
        """The execution of a network that trains and teaches with it: the network itself, or a faster one on its parameters."""
        return bind(network, self.execution.convolution)

    def base_network(
        self, index: int = 0, dropout: Dropout = NO_DROPOUT, stop: float = 1.0, keep: Keep | None = None, holdout: bool = False
    ) -> Network:
        """A network trained with the plain objective; made once and shared by all methods.

        Parameters
        ----------
        index : int
            0 is `single`; every index has its own initialisation and batch order.
        dropout : Dropout
            Rates during training. Networks that differ in nothing else share initialisation and batch order.
        stop : float
            Fraction of the epochs after which to stop; below 1 the last weights are kept.
        keep : {"best", "last"}, optional
            Replaces the recipe's rule.
        holdout : bool
            Train on the training part of `validation_split` only.
        """
        return obtain_base_networks(self, [index], Rule(dropout, stop, keep, holdout))[0]

    def base_networks(self, indices: Sequence[int], dropout: Dropout = NO_DROPOUT) -> list[Network]:
        """Several base networks; where the execution trains them in one pass, networks that `base_network` does not share."""
        return obtain_base_networks(self, indices, Rule(dropout))

    def train(self, network: Network, objective: Objective, **options: Unpack[TrainingOptions]) -> Network:
        """Train a network in place for this cell alone, and return it; `options` are those of `TrainingOptions`."""
        return self.train_all([self.spec(network, objective, **options)], joint=False)[0]

    def spec(self, network: Network, objective: Objective, **options: Unpack[TrainingOptions]) -> TrainingSpec:
        """Describe a training of this cell; `train_all` executes it."""
        cases = options.pop("cases", self.training_set)
        purpose, index = options.pop("purpose", "student"), options.pop("index", 0)
        averager, label = options.pop("averager", None), options.pop("label", "") or purpose
        changes = {name: value for name, value in options.items() if value is not None}
        schedule = self.schedule(cases, cast(int, changes.pop("epochs", self.epochs)))
        schedule = replace(schedule, **changes)  # type: ignore[arg-type]
        return TrainingSpec(network, objective, schedule, cases, purpose, index, label, averager)

    def train_all(self, specs: Sequence[TrainingSpec], joint: bool = True) -> list[Network]:
        """Train several networks of one architecture in place for this cell alone, and return them.

        Parameters
        ----------
        specs : sequence of TrainingSpec
            Made by `spec`; equal epochs and batch sizes.
        joint : bool
            Train them in one step where the execution and their objectives allow it; otherwise one after the other.
        """
        if joint and self.execution.batching != "off" and all(type(one.objective) is CrossEntropy for one in specs):
            self._train_jointly(specs)
        else:
            for one in specs:
                self._n_own += 1
                self.ledger.add(self.run(one, f"{self.name}-{self._n_own}"))
        return [one.network for one in specs]

    def _train_jointly(self, specs: Sequence[TrainingSpec]) -> None:
        size = at_once(self, specs[0].cases, len(specs))
        for start in range(0, len(specs), size):
            some = specs[start : start + size]
            for one, entry in zip(some, train_jointly([Trainee(self, one) for one in some]), strict=True):
                refuse_diverged(entry.curve, one.schedule)
                self.ledger.add(entry)

    def refresh_batch_norm(self, network: Network, holdout: bool = False) -> Network:
        """Estimate the batch-norm statistics anew from the training series, dropout off; return the network in eval mode.

        Where one batch cannot hold them all they come in random order, at least as many at once as in training: cases lie sorted by
        class, and the variance of a batch of one class lacks what lies between classes.
        """
        x, _ = self.tensors(self.training_part() if holdout else self.training_set)
        at_once = cases_at_once(x.shape[-1])
        if len(x) > at_once:
            x = x[torch.randperm(len(x), generator=self.rng("batch norm", device="cpu")).to(x.device)]
        size = max(at_once, self.recipe.batch(len(x)))
        with explaining_single_values(len(x), size):
            refresh_batch_norm(self.bind(network), x.split(size), modules=network)
        return network

    # ---- data -----------------------------------------------------------------------------------------------------------------

    @cached_property
    def _split(self) -> tuple[TrainingSet, TrainingSet] | None:
        return holdout_split(self.training_set, self.rng("validation", 0, "cpu"))

    def validation_split(self) -> tuple[TrainingSet, TrainingSet] | None:
        """A training and a validation part of the training set: ceil(0.2 n_c) validation cases of each class.

        Each class keeps at least one case on each side; None where a class has a single case.
        """
        return self._split

    def tensors(self, part: TrainingSet) -> tuple[Tensor, Tensor]:
        """Series and labels of a training set on the device; made once."""
        if id(part) not in self._tensors:
            x = torch.as_tensor(part.X, dtype=self.dtype, device=self.device)
            self._tensors[id(part)] = x, torch.as_tensor(part.y, device=self.device)
        return self._tensors[id(part)]

    def training_part(self) -> TrainingSet:
        """The training part of `validation_split`."""
        if self._split is None:
            raise ValueError("a class has a single training case: no validation split is possible")
        return self._split[0]

    def seed_sites(self, network: Network, purpose: str, index: int) -> None:
        """Give a network's dropout sites the streams of a training."""
        for site, name in zip(network.sites(), ("mid", "embed"), strict=True):
            site.generator = self.rng(f"{purpose} dropout {name}", index)

    def schedule(self, part: TrainingSet, epochs: int, stop: int | None = None) -> Schedule:
        """The recipe's plan for a training set; stopped early, the last weights are kept."""
        stop = epochs if stop is None else stop
        keep = self.recipe.keep if stop == epochs else "last"
        return Schedule(epochs, stop, self.recipe.learning_rate, self.recipe.schedule, keep, self.recipe.batch(part.n_cases))

    def run(self, spec: TrainingSpec, key: str) -> Entry:
        """Train a network in place and say what it cost; `train` and `base_network` book it. It goes on where `key` was cut off."""
        network, objective, schedule = spec.network, spec.objective, spec.schedule
        x, y = self.tensors(spec.cases)
        self.seed_sites(network, spec.purpose, spec.index)
        checkpointer = Checkpointer(self.checkpoints, key)
        objective.prepare(x)
        kept = self.execution.batching != "graph" and resumable(network, objective, spec.averager)

        def on_epoch(epoch: int, loss: float) -> None:
            self.on_epoch(Progress(spec.label, epoch, schedule.stop, loss, checkpointer.resumed))

        try:
            streams = global_streams(self.sub_seed(f"{spec.purpose} torch", spec.index), self.device)
            with streams, explaining_single_values(spec.cases.n_cases, schedule.batch_size):
                curve: Curve = train(
                    autocasting(self.bind(network), self.device, self.recipe.precision),
                    x,
                    y,
                    objective,
                    schedule,
                    self.rng(f"{spec.purpose} order", spec.index, "cpu"),
                    modules=network,
                    averager=spec.averager,
                    execute=steps_of(self.execution),
                    on_epoch=on_epoch,
                    checkpointer=checkpointer if kept else None,
                )
        except SsdBenchError:  # it diverged, or cannot be trained, and will again
            checkpointer.discard()
            raise
        seconds, cpu_seconds = checkpointer.seconds
        self.ledger.resumed_seconds += checkpointer.before[0]
        for site in network.sites():
            site.generator = None
        steps = schedule.stop * math.ceil(spec.cases.n_cases / schedule.batch_size)
        return Entry(spec.label, schedule.stop, steps, spec.cases.n_cases, seconds, cpu_seconds, curve)
