"""The data, recipe, device, seeds, stores and ledger that all trainings of one cell share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.core.executions import Execution
from ssd_cli.engine.planner import bind, plan, supports
from ssd_cli.engine.precision import check_execution, set_arithmetic
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.checkpoint import Checkpoints
from ssd_cli.training.initialise import initialise
from ssd_cli.training.ledger import Ledger, Progress
from ssd_cli.training.networks import MemoryNetworks, Networks
from ssd_cli.training.recipe import ResolvedRecipe
from ssd_cli.training.schedule import Schedule
from ssd_cli.training.seeds import CellSeeds, generator, global_streams


@dataclass
class TrainingContext:
    """The context of one cell's trainings.

    Parameters
    ----------
    backbone_identity : dict
        Name and parameters of the backbone, as in identities.
    device : {"cpu", "cuda", "mps"}
    execution : Execution
        How networks are computed; part of a network's identity, since sums in another order give other bits.
    on_epoch : callable
        Called with the progress of every training.
    program : str
        Versions of the code that trains; stored with shared networks.
    name : str
        Name of the cell in checkpoints and in the reports of shared networks.
    """

    training_set: TrainingSet
    backbone: Backbone
    backbone_identity: dict[str, Any]
    recipe: ResolvedRecipe
    seed: int
    device: str = "cpu"
    execution: Execution = field(default_factory=Execution)
    networks: Networks = field(default_factory=MemoryNetworks)
    checkpoints: Checkpoints | None = None
    on_epoch: Callable[[Progress], None] = lambda progress: None
    name: str = ""
    program: str = ""
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.recipe = self.recipe.for_cases(self.training_set.n_cases)
        self.seeds = CellSeeds(self.seed, self.training_set.dataset, self.training_set.resample)
        self._n_keys = 0
        self._tensors: dict[int, tuple[TrainingSet, Tensor, Tensor]] = {}
        set_arithmetic(self.device, self.recipe.precision)
        check_execution(self.execution, self.recipe.precision)

    @property
    def dtype(self) -> torch.dtype:
        """The type of weights and data."""
        return torch.float64 if self.recipe.precision == "fp64" else torch.float32

    @property
    def joint(self) -> bool:
        """Whether the execution trains several networks in one step."""
        return self.execution.batching != "off"

    @property
    def captures(self) -> bool:
        """Whether the execution captures whole steps."""
        return self.execution.batching == "graph"

    def fresh(
        self,
        index: int = 0,
        dropout: Dropout = NO_DROPOUT,
        backbone: Backbone | None = None,
        epochs: int | None = None,
        cases: TrainingSet | None = None,
    ) -> Network:
        """See `Workbench.fresh`."""
        cases = cases or self.training_set
        seed = self.seeds.sub_seed("init", index)
        with global_streams(seed):  # a plug-in may have weights that `initialise` does not draw: recurrent layers
            chosen = backbone or self.backbone
            network = chosen.build_for(cases.n_timepoints, cases.n_channels, cases.n_classes, dropout)
        initialise(network, generator(seed, "cpu"), self.recipe.initialisation)
        for layer in network.modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.momentum = self.recipe.momentum(epochs)
        if cases.padded:
            network = MaskedNetwork(network)
        return network.to(self.device, self.dtype)

    def bind(self, network: Network) -> Network:
        """See `Workbench.bind`."""
        return bind(network, self.execution_of(network).convolution)

    def execution_of(self, network: Network) -> Execution:
        """Return the cell's execution; for a network of another backbone that lacks it, the planned one."""
        plain = network.inner if isinstance(network, MaskedNetwork) else network
        if supports(plain, self.execution.convolution):
            return self.execution
        return plan(plain, self.training_set.n_timepoints, device=self.device, precision=self.recipe.precision)

    def schedule(self, cases: TrainingSet, epochs: int | None = None, stop: int | None = None) -> Schedule:
        """Return the recipe's schedule for these cases; a training that stops early keeps its last weights."""
        recipe = self.recipe
        epochs = epochs or recipe.epochs
        stop = epochs if stop is None else stop
        keep = recipe.keep if stop == epochs else "last"
        return Schedule(epochs, stop, recipe.learning_rate, recipe.schedule, keep, recipe.batch(cases.n_cases))

    @cached_property
    def split(self) -> tuple[TrainingSet, TrainingSet] | None:
        """See `Workbench.validation_split`."""
        cases, stream = self.training_set, self.seeds.stream("validation")
        if min(count for count in cases.class_counts if count) < 2:
            return None
        chosen = np.zeros(cases.n_cases, dtype=bool)
        for label in np.unique(cases.y):
            of_class = np.flatnonzero(cases.y == label)
            n_validation = -(-len(of_class) // 5)  # the ceiling of a fifth is below n_c for all n_c of at least 2
            chosen[of_class[torch.randperm(len(of_class), generator=stream)[:n_validation].numpy()]] = True
        return cases.subset(np.flatnonzero(~chosen)), cases.subset(np.flatnonzero(chosen))

    def training_part(self) -> TrainingSet:
        """Return the training part of the validation split."""
        if self.split is None:
            raise ValueError("a class has a single training case: no validation split is possible")
        return self.split[0]

    def tensors(self, cases: TrainingSet) -> tuple[Tensor, Tensor]:
        """Return series and labels on the device; made once."""
        if id(cases) not in self._tensors:  # the entry holds the cases, so that no other object can get their id
            x = torch.as_tensor(cases.X, dtype=self.dtype, device=self.device)
            self._tensors[id(cases)] = cases, x, torch.as_tensor(cases.y, device=self.device)
        return self._tensors[id(cases)][1:]

    def next_key(self) -> str:
        """Return the key of the next checkpoint of a training that belongs to this cell alone."""
        self._n_keys += 1
        return f"{self.name}-{self._n_keys}"
