"""Geometric distillation: a small student learns its teacher's embeddings and inherits the teacher's classifier."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.methods import methods
from ssd_cli.methods.augmentations import augment
from ssd_cli.methods.base import Backbone, Method, Network, NonNegative, Positive, Predictor, Rate, TrainingSet, Workbench
from ssd_cli.methods.small import untrained, why_not_narrow
from ssd_cli.training.initialise import initialise
from ssd_cli.training.objective import Batch, ExtraMemory, Objective, softened_kl
from ssd_cli.training.predict import freeze, outputs

JITTER = 0.03
"""Standard deviation of the noise on augmentations, in units of the prepared series; meant for unit variance."""


@methods.register("embed-distill")
@dataclass(frozen=True)
class EmbedDistill(Method):
    """Geometric distillation into a small student, which learns its teacher's embeddings and inherits its classifier.

    Kim et al. 2023, "EmbedDistill: A Geometric Knowledge Distillation for Information Retrieval" (arXiv 2301.12005), applied to
    series. A linear map A takes the embedding s of the backbone's narrow version to the size of the teacher's embedding t; the
    teacher's frozen classifier reads A s. The loss of the first stage is embed_weight mean ||A s - t||, with t scaled to a mean
    length of 1; the second stage adds CE and kl_weight T**2 KL(teacher || student). Each stage has the recipe's schedule. A random
    augmentation (`augment`, noise of `JITTER`) accompanies each case; the paper generates queries instead. The head of the final
    network is the product of map and classifier. The teacher is `single`; the student starts as `single-small`.

    Parameters
    ----------
    embed_weight : float
        Weight of the distance between embeddings. Default ours.
    distance : {"l2", "mse", "cosine"}
        Euclidean (paper), the mean squared difference of the coordinates, or one minus the cosine. The second is smaller by about
        the number of coordinates and needs a larger embed_weight.
    kl_weight : float
        Weight of the divergence in the second stage. Default ours.
    temperature : float
        T of the divergence. Default ours.
    first_stage : float
        Share of the epochs of the first stage. Default ours.
    head : {"inherited", "trained"}
        Keep the teacher's classifier unchanged (paper), or train it further.
    views : int
        Number of augmentations of each case, made once; 0 disables them. Default ours.
    """

    embed_weight: Positive = 1.0
    distance: Literal["l2", "mse", "cosine"] = "l2"
    kl_weight: NonNegative = 1.0
    temperature: Positive = 2.0
    first_stage: Rate = 0.5
    head: Literal["inherited", "trained"] = "inherited"
    views: Annotated[int, "[0, inf)"] = 4

    def parameters_in_use(self) -> dict[str, bool]:
        return {"temperature": self.kl_weight > 0}

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        return why_not_narrow(backbone)

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        student = untrained(workbench)
        teacher = freeze(workbench.base_network())
        inherit(student, teacher, self.head, workbench)
        targets = TeacherTargets(workbench.bind(teacher), self, workbench)
        share = workbench.recipe.share_before_last(self.first_stage)  # the last epoch belongs to the second stage
        for stage, epochs in enumerate((workbench.recipe.epochs_of(share), workbench.recipe.epochs_after(share))):
            objective = Geometric(targets, self, workbench, labelled=stage == 1)
            if epochs:
                label = f"student, stage {stage + 1}"
                workbench.train(student, objective, epochs=epochs, purpose="student", index=stage, label=label)
        return Predictor([merge_head(student)], teacher=teacher)


def inherit(student: Network, teacher: Network, head: str, workbench: Workbench) -> None:
    """Replace a student's head by a map to the size of the teacher's embedding and the teacher's classifier."""
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
    """Return the network that owns the head."""
    return network.inner if isinstance(network, MaskedNetwork) else network


class TeacherTargets:
    """Outputs of a frozen teacher for all training cases and their augmentations, computed once for both stages."""

    def __init__(self, teacher: Network, settings: EmbedDistill, workbench: Workbench) -> None:
        self._teacher, self._settings, self._workbench = teacher, settings, workbench
        self._prepared = False

    def prepare(self, x: Tensor) -> None:
        """Compute the augmentations and the teacher's outputs at the first call."""
        if self._prepared:
            return
        settings, bench = self._settings, self._workbench
        logits, self.embeddings = outputs(self._teacher, x)
        self.probabilities = (logits / settings.temperature).softmax(-1)
        self.unit = 1 / self.embeddings.norm(dim=-1).mean().clamp_min(torch.finfo(x.dtype).tiny)
        y = bench.tensors(bench.training_set)[1]
        if settings.views:
            self.augmentations = augment(x, y, settings.views, JITTER, bench.rng("views", 0, "cpu"))
            _, embeddings = outputs(self._teacher, self.augmentations.flatten(0, 1))
            self.augmentation_embeddings = embeddings.unflatten(0, (len(x), settings.views))
        self._prepared = True


class Geometric(Objective):
    """Distance of a student's mapped embeddings from its teacher's; in the second stage also cross-entropy and divergence."""

    resumable = True

    def __init__(self, targets: TeacherTargets, settings: EmbedDistill, workbench: Workbench, labelled: bool) -> None:
        super().__init__()
        self.targets, self.settings, self.labelled = targets, settings, labelled
        self.choice = workbench.rng("view", int(labelled))
        if settings.views:
            self.streams = (self.choice,)
            self.series_per_case = 2
            self.extra_memory = ExtraMemory(series_per_case=settings.views)

    def prepare(self, x: Tensor) -> None:
        self.targets.prepare(x)

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        """Return the teacher's embeddings of the cases and of the augmentations."""
        return (self.targets.embeddings, *([self.targets.augmentation_embeddings] if self.settings.views else []))

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return weighted losses "feature", "ce" and "kd"; a term with weight 0 is left out."""
        settings, teacher = self.settings, self.targets
        x, targets = batch.x, teacher.embeddings[batch.index]
        if settings.views:
            chosen = torch.randint(settings.views, batch.y.shape, generator=self.choice, device=batch.y.device)
            x = torch.cat([x, teacher.augmentations[batch.index, chosen]])
            targets = torch.cat([targets, teacher.augmentation_embeddings[batch.index, chosen]])
        logits, embedding, _ = network(x)
        mapped = network.classifier[0](embedding)  # type: ignore[index]  # see `inherit`
        losses = {"feature": settings.embed_weight * self.distance(mapped, targets)}
        if self.labelled:
            logits = logits[: len(batch.y)]
            losses["ce"] = functional.cross_entropy(logits, batch.y)
            if settings.kl_weight:
                losses["kd"] = settings.kl_weight * softened_kl(teacher.probabilities[batch.index], logits, settings.temperature)
        return losses

    def distance(self, mapped: Tensor, targets: Tensor) -> Tensor:
        """Return the mean distance of embeddings (n_cases, size), in units of the mean length of the teacher's."""
        if self.settings.distance == "cosine":
            return 1 - functional.cosine_similarity(mapped, targets, dim=-1).mean()
        difference = self.targets.unit * (mapped - targets)
        return difference.square().mean() if self.settings.distance == "mse" else difference.norm(dim=-1).mean()
