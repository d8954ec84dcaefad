"""The objective of stochastic self-distillation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssd_cli.backbones.base import Dropout, Network
from ssd_cli.methods.attention import Guidance, relative_entropy, similarity
from ssd_cli.methods.representations import StochasticTeacher
from ssd_cli.training.initialise import initialise
from ssd_cli.training.objective import Batch, ExtraMemory, Objective, softened_kl
from ssd_cli.training.workbench import Workbench

BODY_SHARE = 0.75
"""Assumed share of a network after the site `mid`, for cost estimates. Inception has .61, LITE .73, ResNet .93, FCN .996."""


@dataclass(frozen=True)
class FeatureLoss:
    """Distance of the student's embedding from the target; the parameters are those of `SSD`."""

    weight: float
    loss: Literal["mse", "cosine", "cosine-all"]
    renormalise: bool

    @property
    def uses_selection(self) -> bool:
        """Whether the loss depends on which representations are selected."""
        return self.weight > 0 and self.loss != "cosine-all"

    def in_use(self, differ: bool) -> dict[str, bool]:
        """Return which parameters have an effect; `differ`: representations differ from the embedding without dropout."""
        used = self.weight > 0
        return {"loss": used, "renormalise": used and differ and self.loss == "mse"}

    def __call__(self, embedding: Tensor, representations: Tensor, weights: Tensor, deterministic: Tensor) -> Tensor:
        """Return the mean loss over cases; `deterministic` is the teacher's embedding without dropout.

        Both embeddings are (n_cases, size), representations (n_cases, N, size), and weights (n_cases, N).
        """
        if self.loss == "cosine-all":
            return 1 - functional.cosine_similarity(embedding.unsqueeze(1), representations, dim=-1).mean()
        target = torch.einsum("bn,bnd->bd", weights, representations)
        if self.loss == "cosine":
            return 1 - functional.cosine_similarity(embedding, target, dim=-1).mean()
        if self.renormalise:
            target = functional.normalize(target, dim=-1) * deterministic.norm(dim=-1, keepdim=True)
        return functional.mse_loss(embedding, target)


@dataclass(frozen=True)
class LogitLoss:
    """Divergence from the teacher head's softened probabilities; the parameters are those of `SSD`."""

    weight: float
    kl_temperature: float
    kl_last_pass: bool

    @property
    def uses_selection(self) -> bool:
        """Whether the loss depends on which representations are selected."""
        return self.weight > 0 and not self.kl_last_pass

    def in_use(self, several: bool) -> dict[str, bool]:
        """Return which parameters have an effect; `several`: a case has more than one distinct representation."""
        return {"kl_temperature": self.weight > 0, "kl_last_pass": self.weight > 0 and several}

    def __call__(self, logits: Tensor, representations: Tensor, weights: Tensor, classifier: nn.Module) -> Tensor:
        """Return the mean loss over cases, from the student's logits (n_cases, n_classes) and the teacher's classifier.

        Representations (n_cases, N, size) and their weights (n_cases, N) are those of `FeatureLoss`.
        """
        if self.kl_last_pass:
            target = (classifier(representations[:, -1]) / self.kl_temperature).softmax(-1)
        else:
            probabilities = (classifier(representations) / self.kl_temperature).softmax(-1)
            target = torch.einsum("bn,bnk->bk", weights, probabilities)
        return softened_kl(target, logits, self.kl_temperature)


@dataclass(frozen=True)
class LossParameters:
    """Parameters of `StudentGuided`; `dropout` holds the rates of the representations."""

    representations: int
    dropout: Dropout
    guidance: Guidance
    feature: FeatureLoss
    logit: LogitLoss
    ce_weight: float
    legacy_eval: bool = False


class StudentGuided(Objective):
    """Cross-entropy, and the distance from a mixture of the teacher's stochastic representations that the student selects.

    With representations t_1 … t_N of a case, the student's embedding s (before its embed dropout) and temperature tau:

        phi_i = <s, t_i>,   a = softmax(phi / tau) over the kept i,   target = sum_i a_i t_i,
        loss = weight · mean_d (s_d - target_d)**2 + (1 - weight) · cross-entropy.

    If the student's `embedding_size` is not that of the frozen teacher, a linear map (without bias) between them is trained and
    dropped afterwards.
    """

    resumable = True

    def __init__(self, teacher: Network, parameters: LossParameters, workbench: Workbench, embedding_size: int) -> None:
        super().__init__()
        self.parameters = parameters
        self.refresh = workbench.refresh_batch_norm
        self.classifier = teacher.classifier
        masks, self.random = workbench.rng("teacher masks"), workbench.rng("guidance")
        self.streams = (masks, self.random)
        self.teacher = StochasticTeacher(workbench.bind(teacher), parameters.representations, parameters.dropout, masks)
        if parameters.dropout.mid:
            # A backward pass counts as two forward passes; a narrow student counts as a full network.
            self.step_cost = (3 + (1 - BODY_SHARE) + parameters.representations * BODY_SHARE) / 3
            self.extra_memory = ExtraMemory(second_halves=parameters.representations)
        if embedding_size != teacher.embedding_size:
            self.trainable = nn.Linear(embedding_size, teacher.embedding_size, bias=False)
            initialise(self.trainable, workbench.rng("linear map", 0, "cpu"), workbench.recipe.initialisation)
            self.trainable.to(workbench.device, workbench.dtype)

    def prepare(self, x: Tensor) -> None:
        self.teacher.prepare(x)

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        return (self.teacher.embeddings,)

    def begin_epoch(self, epoch: int, modules: nn.Module) -> None:
        if self.parameters.legacy_eval and epoch == 2:
            self.refresh(cast(Network, modules))
        elif self.parameters.legacy_eval and epoch > 2:
            modules.eval()

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return weighted losses "ce", "feature" and "kl"; a term with weight 0 is left out."""
        parameters, feature, logit = self.parameters, self.parameters.feature, self.parameters.logit
        logits, embedding, _ = network(batch.x)
        losses = {}
        if parameters.ce_weight:
            losses["ce"] = parameters.ce_weight * functional.cross_entropy(logits, batch.y)
        if not (feature.weight or logit.weight):
            return losses
        representations, deterministic = self.teacher.represent(batch), self.teacher.embeddings[batch.index]
        if self.trainable is not None:
            embedding = self.trainable(embedding)
        scores = self.scores(embedding, representations, batch.y)
        self._observe(embedding, scores, deterministic)
        weights = parameters.guidance.weights(scores)
        if feature.weight:
            losses["feature"] = feature.weight * feature(embedding, representations, weights, deterministic)
        if logit.weight:
            losses["kl"] = logit.weight * logit(logits, representations, weights, self.classifier)
        return losses

    def scores(self, embedding: Tensor, representations: Tensor, y: Tensor) -> Tensor:
        """Return scores (n_cases, N): the student's similarity, random numbers, or the label's log-likelihood."""
        guidance = self.parameters.guidance
        if guidance.guidance == "student":
            return similarity(embedding.detach() if guidance.detach_attention else embedding, representations, guidance.scale)
        if guidance.guidance == "random":
            shape = representations.shape[:2]
            return torch.rand(shape, generator=self.random, dtype=embedding.dtype, device=embedding.device)
        likelihoods = self.classifier(representations).log_softmax(-1)
        return likelihoods.gather(2, y[:, None, None].expand(-1, likelihoods.shape[1], 1)).squeeze(2)

    def _observe(self, embedding: Tensor, scores: Tensor, deterministic: Tensor) -> None:
        """Record the entropy and spread of the softmax before the filter, and the norm of the student's embedding."""
        guidance = self.parameters.guidance
        with torch.no_grad():
            self.observed["norm_ratio"] = embedding.norm(dim=-1).mean() / deterministic.norm(dim=-1).mean()
            if self.parameters.representations > 1 and guidance.guidance != "random":
                self.observed["entropy"] = relative_entropy(scores, guidance.tau)
                self.observed["spread"] = (scores / guidance.tau).std(dim=1).mean()
