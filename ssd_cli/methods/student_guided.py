"""The objective of stochastic self-distillation: the student picks the representations it is then drawn to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssd_cli.backbones.base import NO_DROPOUT, Network
from ssd_cli.methods.attention import attend, keep_quantile, keep_top, relative_entropy, similarity
from ssd_cli.methods.representations import StochasticTeacher
from ssd_cli.training.initialise import initialise
from ssd_cli.training.losses import softened_kl
from ssd_cli.training.objective import Batch, ExtraMemory, Objective

if TYPE_CHECKING:
    from ssd_cli.methods.ssd import SSD
    from ssd_cli.training.workbench import Workbench

BODY_SHARE = 0.75
"""Share of a network behind the site `mid`, for estimates of cost: Inception .61, LITE .73, ResNet .93, FCN .996."""


class StudentGuided(Objective):
    """Cross-entropy, and the distance from a mixture of the teacher's stochastic representations that the student itself selects.

    With representations t_1 … t_N of a case, the student's embedding s (before its own embed dropout) and temperature tau:

        phi_i = <s, t_i>,   a = softmax(phi / tau) over the kept i,   target = sum_i a_i t_i,
        loss = weight · mean_d (s_d - target_d)**2 + (1 - weight) · cross-entropy.

    Parameters
    ----------
    teacher : Network
        Frozen.
    settings : SSD
        The method's parameters.
    workbench : Workbench
        Gives the random streams, the device and the teacher's execution.
    embedding_size : int
        Of the student; where the teacher's differs, a linear map (without bias) between them is trained and dropped afterwards.
    """

    resumable = True

    def __init__(self, teacher: Network, settings: SSD, workbench: Workbench, embedding_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.classifier = teacher.classifier
        rates = settings.rates if settings.stochastic else NO_DROPOUT
        masks = workbench.rng("teacher masks")
        self.teacher = StochasticTeacher(workbench.bind(teacher), settings.representations, rates, masks)
        self.guidance = workbench.rng("guidance")
        self.streams = (masks, self.guidance)
        n_halves = settings.representations if rates.mid else 0
        if n_halves:
            # A backward pass counts as two forward passes; the student counts as a full network, also where it is narrow.
            self.step_cost = (3 + (1 - BODY_SHARE) + n_halves * BODY_SHARE) / 3
            self.extra_memory = ExtraMemory(second_halves=n_halves)
        if embedding_size != teacher.embedding_size:
            self.trainable = nn.Linear(embedding_size, teacher.embedding_size, bias=False)
            initialise(self.trainable, workbench.rng("linear map", 0, "cpu"), workbench.recipe.initialisation)
            self.trainable.to(workbench.device, workbench.dtype)

    def prepare(self, x: Tensor) -> None:
        """Let the teacher embed all training cases once."""
        self.teacher.prepare(x)

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        """The teacher's embeddings without dropout."""
        return (self.teacher.embeddings,)

    def begin_epoch(self, epoch: int, modules: nn.Module) -> None:
        """Reproduce, where asked for, a slip of the released script: from the second epoch on the student stays in eval mode."""
        if self.settings.legacy_eval and epoch > 1:
            modules.eval()

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Weighted losses "ce", "feature" and "kl", as far as they have weight."""
        settings, weight = self.settings, self.settings.distillation_weight
        logits, embedding, _ = network(batch.x)
        losses = {}
        if weight < 1:
            losses["ce"] = (1 - weight) * functional.cross_entropy(logits, batch.y)
        if weight == 0 and settings.space != "both":
            return losses
        representations = self.teacher.represent(batch)
        if self.trainable is not None:
            embedding = self.trainable(embedding)
        weights = self._weights(embedding, representations, batch)
        if weight and settings.space != "logit":
            losses["feature"] = weight * self._feature_loss(embedding, representations, weights, batch)
        if settings.space != "feature":
            share = weight if settings.space == "logit" else settings.kl_weight
            losses["kl"] = share * self._logit_loss(logits, representations, weights)
        return losses

    def _weights(self, embedding: Tensor, representations: Tensor, batch: Batch) -> Tensor:
        """How much each representation counts, (n_cases, N); the gradient flows through them unless it is cut, as released."""
        settings = self.settings
        scores = self._scores(embedding, representations, batch.y)
        self._observe(embedding, scores, batch)
        ranked = scores.detach()
        keep = keep_top(ranked, settings.top_k) if settings.keep == "topk" else keep_quantile(ranked, settings.quantile)
        return attend(scores, keep, settings.tau if settings.weighting == "softmax" else None)

    def _scores(self, embedding: Tensor, representations: Tensor, y: Tensor) -> Tensor:
        """Whom the choice is left to: the student's similarity, chance, or the label's likelihood under the teacher's head."""
        settings = self.settings
        if settings.guidance == "student":
            return similarity(embedding.detach() if settings.detach_attention else embedding, representations, settings.scale)
        if settings.guidance == "random":
            shape = representations.shape[:2]
            return torch.rand(shape, generator=self.guidance, dtype=embedding.dtype, device=embedding.device)
        likelihoods = self.classifier(representations).log_softmax(-1)
        return likelihoods.gather(2, y[:, None, None].expand(-1, likelihoods.shape[1], 1)).squeeze(2)

    def _feature_loss(self, embedding: Tensor, representations: Tensor, weights: Tensor, batch: Batch) -> Tensor:
        settings = self.settings
        if settings.loss == "cosine-all":  # the released ablation: no choice at all
            return 1 - functional.cosine_similarity(embedding.unsqueeze(1), representations, dim=-1).mean()
        target = torch.einsum("bn,bnd->bd", weights, representations)
        if settings.loss == "cosine":
            return 1 - functional.cosine_similarity(embedding, target, dim=-1).mean()
        if settings.renormalise:
            target = functional.normalize(target, dim=-1) * self.teacher.embeddings[batch.index].norm(dim=-1, keepdim=True)
        return functional.mse_loss(embedding, target)

    def _logit_loss(self, logits: Tensor, representations: Tensor, weights: Tensor) -> Tensor:
        """Divergence from the teacher head's softened probabilities of the representations, mixed by their weights."""
        temperature = self.settings.kl_temperature
        if self.settings.kl_last_pass:
            target = (self.classifier(representations[:, -1]) / temperature).softmax(-1)
        else:
            probabilities = (self.classifier(representations) / temperature).softmax(-1)
            target = torch.einsum("bn,bnk->bk", weights, probabilities)
        return softened_kl(target, logits, temperature)

    def _observe(self, embedding: Tensor, scores: Tensor, batch: Batch) -> None:
        """Curves that show whether the choice is one: flat weights leave it to the filter, and long targets inflate embeddings."""
        settings = self.settings
        with torch.no_grad():
            teacher_norm = self.teacher.embeddings[batch.index].norm(dim=-1).mean()
            self.observed["norm_ratio"] = embedding.norm(dim=-1).mean() / teacher_norm
            if settings.representations > 1 and settings.guidance != "random":
                self.observed["entropy"] = relative_entropy(scores, settings.tau)
                self.observed["spread"] = (scores / settings.tau).std(dim=1).mean()
