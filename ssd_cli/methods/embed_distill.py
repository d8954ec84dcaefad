"""Geometric distillation: a small student learns where its teacher puts every series, and inherits the teacher's classifier."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.methods.base import Method, Predictor, refuse_idle, require
from ssd_cli.methods.registry import methods
from ssd_cli.methods.single_small import untrained
from ssd_cli.methods.views import views_of
from ssd_cli.training.initialise import initialise
from ssd_cli.training.losses import softened_kl
from ssd_cli.training.objective import Batch, ExtraMemory, Objective
from ssd_cli.training.predict import freeze, outputs

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.recipe import Recipe
    from ssd_cli.training.workbench import Workbench

JITTER = 0.03
"""Standard deviation of the noise on views, in units of the prepared series; meant for unit variance."""


@methods.register("embed-distill")
@dataclass(frozen=True)
class EmbedDistill(Method):
    """Geometric distillation into a small student, which learns its teacher's embeddings and inherits its classifier.

    Kim et al. 2023, "EmbedDistill: A Geometric Knowledge Distillation for Information Retrieval" (arXiv 2301.12005), carried over
    to series. A linear map A takes the embedding s of the backbone's narrow version to the size of the teacher's, t; the
    teacher's classifier, frozen, reads A s. In the first stage the loss is embed_weight mean ||A s - t||, with t of unit length in
    the mean; in the second CE and kl_weight T**2 KL(teacher || student) join it. Each stage has the recipe's schedule anew. Where
    the paper generates queries, the student also learns where the teacher puts further views of the series (`views_of`, noise of
    `JITTER`): a batch carries one of each case, by chance, and its batch-norm statistics are those of cases and views together. Map
    and classifier are both linear: what is deployed is the narrow network with their product as its head. The teacher is `single`,
    the student starts as `single-small`; its size is the backbone's (`Backbone.narrow`).

    Parameters
    ----------
    embed_weight : float
        Of the distance between embeddings. Ours.
    distance : {"l2", "mse", "cosine"}
        Euclidean (paper), one minus the cosine, or the mean over coordinates of the squared difference, which is smaller by about
        their number: give it a larger embed_weight.
    kl_weight : float
        Of the divergence in the second stage. Ours.
    temperature : float
        T of the divergence. Ours.
    first_stage : float
        Share of the epochs that learn embeddings alone. Ours.
    head : {"inherited", "trained"}
        The teacher's classifier as it is (paper), or trained further.
    views : int
        Further views of each case, made once; 0 for none. Ours.
    """

    embed_weight: float = 1.0
    distance: Literal["l2", "mse", "cosine"] = "l2"
    kl_weight: float = 1.0
    temperature: float = 2.0
    first_stage: float = 0.5
    head: Literal["inherited", "trained"] = "inherited"
    views: int = 4

    def __post_init__(self) -> None:
        require(self.embed_weight > 0, f"embed_weight must be above 0, not {self.embed_weight}")
        require(self.kl_weight >= 0, f"kl_weight must be at least 0, not {self.kl_weight}")
        require(self.temperature > 0, f"temperature must be above 0, not {self.temperature}")
        require(0 <= self.first_stage < 1, f"first_stage must be at least 0 and below 1, not {self.first_stage}")
        require(self.views >= 0, f"views must be at least 0, not {self.views}")
        refuse_idle(self, {"temperature": self.kl_weight > 0})

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train a narrow student in two stages."""
        student = untrained(workbench)  # first: not every backbone has a narrow version
        teacher = freeze(workbench.base_network())
        inherit(student, teacher, self.head, workbench)
        lessons = Lessons(workbench.bind(teacher), self, workbench)
        for stage, epochs in enumerate(self._stages(workbench.recipe)):
            objective = Geometric(lessons, self, workbench, labelled=stage == 1)
            if epochs:
                label = f"student, stage {stage + 1}"
                workbench.train(student, objective, epochs=epochs, purpose="student", index=stage, label=label)
        return Predictor([merge_head(student)], teacher=teacher)

    def _stages(self, recipe: Recipe) -> tuple[int, int]:
        """Epochs of both stages; the last epoch belongs to the second."""
        share = recipe.share_before_last(self.first_stage)
        return recipe.epochs_of(share), recipe.epochs_after(share)


def inherit(student: Network, teacher: Network, head: str, workbench: Workbench) -> None:
    """Give a student a map to the size of the teacher's embedding, and the teacher's classifier behind it."""
    into = nn.Linear(student.embedding_size, teacher.embedding_size)
    initialise(into, workbench.rng("linear map", 0, "cpu"), workbench.recipe.initialisation)
    classifier = copy.deepcopy(teacher.classifier).requires_grad_(head == "trained")
    _plain(student).classifier = nn.Sequential(into, classifier).to(workbench.device, workbench.dtype)


def merge_head(student: Network) -> Network:
    """Replace map and classifier by one linear layer, their product; return the student."""
    into, classifier = _plain(student).classifier
    merged = nn.Linear(into.in_features, classifier.out_features, device=into.weight.device, dtype=into.weight.dtype)
    with torch.no_grad():
        outer, inner = (copy.deepcopy(layer).cpu().double() for layer in (classifier, into))  # MPS has no float64
        merged.weight.copy_(outer.weight @ inner.weight)
        merged.bias.copy_(outer(inner.bias))
    _plain(student).classifier = merged
    return freeze(student)


def _plain(network: Network) -> Any:
    """The network that owns the head."""
    return network.inner if isinstance(network, MaskedNetwork) else network


class Lessons:
    """What a frozen teacher says of all training cases and their views; it is asked once.

    Parameters
    ----------
    teacher : Network
    settings : EmbedDistill
    workbench : Workbench
    """

    def __init__(self, teacher: Network, settings: EmbedDistill, workbench: Workbench) -> None:
        self._teacher, self._settings, self._workbench = teacher, settings, workbench
        self._known = False

    def prepare(self, x: Tensor) -> None:
        """Make the views, and ask about all series."""
        if self._known:
            return
        settings, bench = self._settings, self._workbench
        logits, self.embeddings = outputs(self._teacher, x)
        self.probabilities = (logits / settings.temperature).softmax(-1)
        self.unit = 1 / self.embeddings.norm(dim=-1).mean().clamp_min(torch.finfo(x.dtype).tiny)
        y = bench.tensors(bench.training_set)[1]
        if settings.views:
            self.views = views_of(x, y, settings.views, JITTER, bench.rng("views", 0, "cpu"))
            _, seen = outputs(self._teacher, self.views.flatten(0, 1))
            self.views_embeddings = seen.unflatten(0, (len(x), settings.views))
        self._known = True


class Geometric(Objective):
    """The distance of a student's mapped embeddings from its teacher's; in the second stage also cross-entropy and divergence."""

    resumable = True

    def __init__(self, lessons: Lessons, settings: EmbedDistill, workbench: Workbench, labelled: bool) -> None:
        super().__init__()
        self.lessons, self.settings, self.labelled = lessons, settings, labelled
        self.choice = workbench.rng("view", int(labelled))
        if settings.views:
            self.streams = (self.choice,)
            self.series_per_case = 2
            self.extra_memory = ExtraMemory(series_per_case=settings.views)

    def prepare(self, x: Tensor) -> None:
        """Ask the teacher, if nobody has."""
        self.lessons.prepare(x)

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        """The teacher's embeddings, and those of the views."""
        lessons = self.lessons
        return (lessons.embeddings, *([lessons.views_embeddings] if self.settings.views else []))

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Weighted losses "feature", "ce" and "kd"; a term without weight is left out."""
        settings, lessons = self.settings, self.lessons
        x, targets = batch.x, lessons.embeddings[batch.index]
        if settings.views:
            chosen = torch.randint(settings.views, batch.y.shape, generator=self.choice, device=batch.y.device)
            x = torch.cat([x, lessons.views[batch.index, chosen]])
            targets = torch.cat([targets, lessons.views_embeddings[batch.index, chosen]])
        logits, embedding, _ = network(x)
        mapped = network.classifier[0](embedding)  # type: ignore[index]  # see `inherit`
        losses = {"feature": settings.embed_weight * self.apart(mapped, targets)}
        if self.labelled:
            logits = logits[: len(batch.y)]
            losses["ce"] = functional.cross_entropy(logits, batch.y)
            if settings.kl_weight:
                divergence = softened_kl(lessons.probabilities[batch.index], logits, settings.temperature)
                losses["kd"] = settings.kl_weight * divergence
        return losses

    def apart(self, mapped: Tensor, targets: Tensor) -> Tensor:
        """Mean distance of embeddings (n_cases, size), in the mean length of the teacher's."""
        if self.settings.distance == "cosine":
            return 1 - functional.cosine_similarity(mapped, targets, dim=-1).mean()
        difference = self.lessons.unit * (mapped - targets)
        return difference.square().mean() if self.settings.distance == "mse" else difference.norm(dim=-1).mean()
