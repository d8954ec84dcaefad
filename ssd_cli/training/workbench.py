"""The functions that a method may call to make, copy, train and share networks. The ledger counts every training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Unpack

import torch
from torch import Tensor

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.averaging import State, refresh_batch_norm
from ssd_cli.training.base_networks import obtain
from ssd_cli.training.context import TrainingContext
from ssd_cli.training.ledger import Ledger
from ssd_cli.training.loop import explaining_single_values
from ssd_cli.training.objective import Objective
from ssd_cli.training.predict import cases_at_once
from ssd_cli.training.recipe import ResolvedRecipe
from ssd_cli.training.run import run_all
from ssd_cli.training.schedule import Keep
from ssd_cli.training.spec import TrainingOptions, TrainingSpec


class Workbench:
    """The tools of one cell.

    Parameters
    ----------
    context : TrainingContext
    others : callable, optional
        Returns the contexts of other seeds and resamples whose base networks are trained in the same steps as this cell's. Called
        only if the execution trains several networks at once.
    """

    def __init__(self, context: TrainingContext, others: Callable[[], Sequence[TrainingContext]] = tuple) -> None:
        self.context = context
        self._others = others

    @property
    def training_set(self) -> TrainingSet:
        """The training cases."""
        return self.context.training_set

    @property
    def backbone(self) -> Backbone:
        """Builds the networks."""
        return self.context.backbone

    @property
    def recipe(self) -> ResolvedRecipe:
        """How long and how networks are trained."""
        return self.context.recipe

    @property
    def epochs(self) -> int:
        """Epochs of one full training."""
        return self.recipe.epochs

    @property
    def device(self) -> str:
        """The device of networks and data: "cpu", "cuda" or "mps"."""
        return self.context.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of weights and data."""
        return self.context.dtype

    @property
    def ledger(self) -> Ledger:
        """The costs of all trainings."""
        return self.context.ledger

    def sub_seed(self, purpose: str, index: int = 0) -> int:
        """Return a seed for one purpose, from the cell's seed, dataset and resample."""
        return self.context.seeds.sub_seed(purpose, index)

    def rng(self, purpose: str, index: int = 0, device: str | None = None) -> torch.Generator:
        """Return a random stream for one purpose, on the workbench's device unless another is named."""
        return self.context.seeds.stream(purpose, index, device or self.device)

    def tensors(self, cases: TrainingSet) -> tuple[Tensor, Tensor]:
        """Return the series (n_cases, n_channels, n_timepoints) and labels (n_cases,) of cases on the device."""
        return self.context.tensors(cases)

    def validation_split(self) -> tuple[TrainingSet, TrainingSet] | None:
        """Return a training and a validation part of the training set: ceil(0.2 n_c) validation cases of each class.

        Each class keeps at least one case on each side; None where a class has a single case.
        """
        return self.context.split

    def training_part(self) -> TrainingSet:
        """Return the training part of `validation_split`."""
        return self.context.training_part()

    def fresh(
        self,
        index: int = 0,
        dropout: Dropout = NO_DROPOUT,
        backbone: Backbone | None = None,
        epochs: int | None = None,
        cases: TrainingSet | None = None,
    ) -> Network:
        """Return an untrained network.

        Parameters
        ----------
        index : int
            The same index gives the same weights, with any dropout.
        dropout : Dropout
        backbone : Backbone, optional
            By default the cell's.
        epochs : int, optional
            Epochs of its training, if not the recipe's: batch-norm momentum depends on them (`ResolvedRecipe.momentum`).
        cases : TrainingSet, optional
            Series whose channels and classes the network has, if not the training set's.
        """
        return self.context.fresh(index, dropout, backbone, epochs, cases)

    def copy(self, network: Network, dropout: Dropout | None = None) -> Network:
        """Return a trainable copy with the same weights, with other dropout rates if given."""
        twin = copy.deepcopy(network).requires_grad_(True)
        if dropout is not None:
            twin.embed_site.rate, twin.mid_site.rate = dropout.embed, dropout.mid
        return twin

    def copies(self, network: Network, states: Sequence[State]) -> list[Network]:
        """Return a copy of a network for each of these sets of weights."""
        twins = [self.copy(network) for _ in states]
        for twin, state in zip(twins, states, strict=True):
            twin.load_state_dict(state)
        return twins

    def bind(self, network: Network) -> Network:
        """Return the network in the form that computes training steps and teacher outputs: itself, or a faster view of it."""
        return self.context.bind(network)

    def base_network(
        self,
        index: int = 0,
        dropout: Dropout = NO_DROPOUT,
        stop: float = 1.0,
        keep: Keep | None = None,
        holdout: bool = False,
        backbone: Backbone | None = None,
    ) -> Network:
        """Return a network trained with the plain objective; it is trained once and shared by all methods.

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
        backbone : Backbone, optional
            By default the cell's.
        """
        rule = {"dropout": dropout, "stop": stop, "keep": keep, "holdout": holdout, "backbone": backbone}
        return obtain(self.context, self._joint_cells, [index], **rule)[0]

    def base_networks(self, indices: Sequence[int], dropout: Dropout = NO_DROPOUT) -> list[Network]:
        """Return several base networks; if they are trained in one step, they differ from those of `base_network`."""
        return obtain(self.context, self._joint_cells, indices, dropout=dropout)

    def _joint_cells(self) -> list[TrainingContext]:
        """Return the contexts of all cells that share training steps, in the order of resample and seed."""
        return sorted([self.context, *self._other_cells], key=lambda cell: (cell.training_set.resample, cell.seed))

    @cached_property
    def _other_cells(self) -> Sequence[TrainingContext]:
        return self._others()

    def train(self, network: Network, objective: Objective, **options: Unpack[TrainingOptions]) -> Network:
        """Train a network in place for this cell alone, and return it; see `TrainingOptions`."""
        return self.train_all([self.spec(network, objective, **options)], joint=False)[0]

    def spec(self, network: Network, objective: Objective, **options: Unpack[TrainingOptions]) -> TrainingSpec:
        """Describe a training of this cell for `train_all`; see `TrainingOptions`."""
        cases = options.get("cases", self.training_set)
        schedule = self.context.schedule(cases, options.get("epochs"))
        changes = {name: options.get(name) for name in ("learning_rate", "shape", "lr_multiplier", "keep")}
        return TrainingSpec(
            lambda: network,
            objective,
            replace(schedule, **{name: value for name, value in changes.items() if value is not None}),  # type: ignore[arg-type]
            cases,
            self.context.seeds,
            options.get("purpose", "student"),
            options.get("index", 0),
            options.get("label") or options.get("purpose", "student"),
            options.get("averager"),
        )

    def train_all(self, specs: Sequence[TrainingSpec], joint: bool = True) -> list[Network]:
        """Train networks of one architecture in place for this cell alone, and return them.

        Parameters
        ----------
        specs : sequence of TrainingSpec
            Made by `spec`, with equal epochs and batch sizes.
        joint : bool
            Train them in one step if the execution and their objectives allow it; otherwise separately.
        """
        run_all(self.context, specs, joint)
        return [spec.network for spec in specs]

    def refresh_batch_norm(self, network: Network, holdout: bool = False) -> Network:
        """Estimate the batch-norm statistics again from the training series, dropout off; return the network in eval mode.

        If one batch cannot hold all series, batches are random and at least as large as in training. Otherwise batches would be
        sorted by class, and the variance within a batch of one class lacks the variance between classes.
        """
        x, _ = self.tensors(self.training_part() if holdout else self.training_set)
        at_once = cases_at_once(x.shape[-1])
        if len(x) > at_once:
            x = x[torch.randperm(len(x), generator=self.rng("batch norm", device="cpu")).to(x.device)]
        size = max(at_once, self.recipe.batch(len(x)))
        with explaining_single_values(len(x), size):
            refresh_batch_norm(self.bind(network), x.split(size), modules=network)
        return network
