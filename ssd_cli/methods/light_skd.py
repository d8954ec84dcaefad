"""Self-distillation within one training (Wang et al. 2023): sorted outputs of the previous batch, and a head on early maps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssd_cli.backbones.base import BN_EPS
from ssd_cli.methods import methods
from ssd_cli.methods.base import Backbone, Method, Network, NonNegative, Positive, Predictor, TrainingSet, Workbench
from ssd_cli.training.initialise import initialise
from ssd_cli.training.objective import Batch, Objective, softened_kl


@methods.register("dsr")
@dataclass(frozen=True)
class DSR(Method):
    """Shape-wise regularisation: one network whose sorted outputs are pulled towards those of the previous batch.

    Wang et al. 2023, "Lightweight Self-Knowledge Distillation with Multi-source Information Fusion", DSR: loss
    CE + weight T**2 KL(softmax(o' / T) || softmax(o / T)), where o are the logits of a case in ascending order, and o' those of the
    case at the same position of the previous batch, from its step. Initialisation and batch order are those of `single`.

    The first batch of an epoch is not compared. If one batch holds all training cases (`compared_batches` is 0), this is `single`.
    In this mode the release also trains the head of `drg` by its cross-entropy: that is ``drg[weight=0,shape_weight=1]``.

    Parameters
    ----------
    weight : float
        Of the divergence. Default of the release (xucong-parsifal/LightSKD).
    temperature : float
        T. Default of the release.
    target : {"rows", "mean"}
        Case by case, as published, or the mean of softmax(o' / T) over the previous batch, which is ours and varies less.
    """

    weight: Positive = 1.0
    temperature: Positive = 4.0
    target: Literal["rows", "mean"] = "rows"

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        objective = RankedOutputs(self.weight, self.temperature, self.target)
        network = workbench.train(workbench.fresh(0), objective, purpose="member", label="network")
        return Predictor([network], diagnostics={"compared_batches": compared_batches(training_set, workbench)})


def compared_batches(training_set: TrainingSet, workbench: Workbench) -> int:
    """Return the number of batches of an epoch that have a previous batch."""
    return math.ceil(training_set.n_cases / workbench.recipe.batch(training_set.n_cases)) - 1


class RankedOutputs(Objective):
    """Cross-entropy, and divergence of the sorted outputs from those of the previous batch.

    A captured step repeats the same operations: a factor of 0 marks the first batch of an epoch, and previous outputs stay in one
    tensor. A smaller last batch is compared with the first rows of the previous one. The parameters are those of `DSR`.
    """

    resumable = True  # a training resumes at the start of an epoch, where no outputs are kept

    def __init__(self, weight: float, temperature: float, target: Literal["rows", "mean"] = "rows") -> None:
        super().__init__()
        self.weight, self.temperature, self.target = weight, temperature, target
        self._kept: tuple[Tensor, Tensor] | None = None

    def begin_epoch(self, epoch: int, modules: nn.Module) -> None:
        if self._kept is not None:
            self._kept[1].zero_()

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return cross-entropy "ce" and weighted divergence "shape"."""
        logits = network(batch.x).logits
        return {"ce": functional.cross_entropy(logits, batch.y), "shape": self.shape(logits)}

    def shape(self, logits: Tensor) -> Tensor:
        """Return the weighted divergence of logits (batch, n_classes), and keep them for the next batch."""
        ranked = logits.sort(-1).values
        if self._kept is None:
            self._kept = torch.zeros_like(ranked, requires_grad=False), ranked.new_zeros(())
        previous, present = self._kept
        target = (previous / self.temperature).softmax(-1)
        target = target.mean(0).expand_as(ranked) if self.target == "mean" else target[: len(ranked)]
        loss = self.weight * present.clone() * softened_kl(target, ranked, self.temperature)
        with torch.no_grad():
            previous[: len(ranked)] = ranked
            present.fill_(1)
        return loss


@methods.register("drg")
@dataclass(frozen=True)
class DRG(Method):
    """Reverse guidance: one network learns from labels and from a small head on its own maps in the middle, which is dropped.

    Wang et al. 2023, "Lightweight Self-Knowledge Distillation with Multi-source Information Fusion", DRG: loss CE(z) + head_weight
    CE(z_m) + weight T**2 KL(softmax(z_m / T) || softmax(z / T)), z the logits of the network and z_m those of the head. The
    divergence has no gradient in the head; the head's cross-entropy also trains the first half of the network. The maps are those
    of the dropout site `mid`. The head is theirs for images, in one dimension (`GuidingHead`). Initialisation and batch order are
    those of `single`.

    Parameters
    ----------
    weight : float
        Of the divergence. Default of the release (xucong-parsifal/LightSKD).
    temperature : float
        T. Default of the release.
    head_weight : float
        Of the head's cross-entropy. Default of the release.
    shape_weight : float
        Of the divergence of `dsr`, at the same temperature, which is `drg-dsr`.
    """

    weight: NonNegative = 0.2
    temperature: Positive = 4.0
    head_weight: Positive = 1.0
    shape_weight: NonNegative = 0.0

    def parameters_in_use(self) -> dict[str, bool]:
        return {"temperature": self.weight > 0 or self.shape_weight > 0}

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        return None if backbone.keeps_steps else "the head needs maps over time, which the backbone does not have"

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        network = workbench.fresh(0)
        workbench.train(network, ReverseGuidance(self, head_of(network, workbench)), purpose="member", label="network")
        diagnostics = {"compared_batches": compared_batches(training_set, workbench)} if self.shape_weight else {}
        return Predictor([network], diagnostics=diagnostics)


@methods.register("drg-dsr")
@dataclass(frozen=True)
class DRGDSR(DRG):
    """drg and dsr together: a head in the middle teaches the output, and sorted outputs are pulled towards the previous ones."""

    shape_weight: float = 1.0


def head_of(network: Network, workbench: Workbench) -> GuidingHead:
    """Return an untrained head for the maps of a network."""
    x, _ = workbench.tensors(workbench.training_set)
    with torch.no_grad():
        n_filters = network.eval().stem(x[:1]).shape[1]
    head = GuidingHead(n_filters, network.embedding_size, network.n_classes)
    initialise(head, workbench.rng("guiding head", device="cpu"), workbench.recipe.initialisation)
    return head.to(workbench.device, workbench.dtype)


class SeparableConvolutions(nn.Module):
    """Two separable convolutions (depthwise of three taps, pointwise), each with batch norm and ReLU; the first has stride 2."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(n_inputs, n_inputs, 3, stride, padding=1, groups=n_inputs, bias=False),
                nn.Conv1d(n_inputs, n_filters, 1, bias=False),
                nn.BatchNorm1d(n_filters, eps=BN_EPS),
                nn.ReLU(),
            )
            for n_filters, stride in ((n_inputs, 2), (n_outputs, 1))
        )

    def forward(self, maps: Tensor, valid: Tensor) -> Tensor:
        """Map (batch, n_inputs, n_timepoints) to half as many steps; `valid` (batch, 1, n_timepoints / 2) is 0 for padded ones."""
        for part in self.parts:
            maps = part(maps) * valid
        return maps


class GuidingHead(nn.Module):
    """A classifier on the maps of the first half of a network, as released for images.

    A gate sigmoid(ReLU(BN(separable convolutions))), at least .5 and below 1, multiplies the maps; then two pairs of separable
    convolutions; the mean over time; a linear layer. The gate has half of the maps' steps, and each of its values is used twice
    (the release interpolates). `embedding_size` filters precede the linear layer.
    """

    def __init__(self, n_filters: int, embedding_size: int, n_classes: int) -> None:
        super().__init__()
        self.gate = SeparableConvolutions(n_filters, n_filters)
        self.gate_norm = nn.BatchNorm1d(n_filters, eps=BN_EPS)
        self.halves = nn.ModuleList([SeparableConvolutions(n_filters, size) for size in (n_filters, embedding_size)])
        self.classifier = nn.Linear(embedding_size, n_classes)

    def forward(self, maps: Tensor, valid: Tensor) -> Tensor:
        """Return the logits of maps (batch, n_filters, n_timepoints); `valid` (batch, 1, n_timepoints) is 0 for padded steps."""
        maps = maps * valid
        maps = self.gate_of(maps, valid[..., ::2]) * maps
        for half in self.halves:
            valid = valid[..., ::2]
            maps = half(maps, valid)
        logits: Tensor = self.classifier(maps.sum(-1) / valid.sum(-1).clamp(min=1))
        return logits

    def gate_of(self, maps: Tensor, valid: Tensor) -> Tensor:
        """Return the gate of maps (batch, n_filters, n_timepoints), of the same shape; `valid` is that of every second step."""
        gate = self.gate_norm(self.gate(maps, valid)).relu().sigmoid()
        return gate[..., None].expand(-1, -1, -1, 2).flatten(2)[..., : maps.shape[-1]]


class ReverseGuidance(Objective):
    """Cross-entropy of network and head, divergence of the network from the head, and optionally the divergence of `dsr`."""

    resumable = True

    def __init__(self, settings: DRG, head: GuidingHead) -> None:
        super().__init__()
        self.settings = settings
        self.trainable = self.head = head
        shape = settings.shape_weight
        self.ranked = RankedOutputs(shape, settings.temperature) if shape else None

    def begin_epoch(self, epoch: int, modules: nn.Module) -> None:
        if self.ranked is not None:
            self.ranked.begin_epoch(epoch, modules)

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return cross-entropies "ce" and "head", divergences "guidance" and "shape"; a term with weight 0 is left out."""
        settings = self.settings
        logits, _, (maps, _) = network(batch.x)
        guiding = self.head(maps.to(logits.dtype), (~batch.x[:, :1].isnan()).to(logits.dtype))
        losses = {
            "ce": functional.cross_entropy(logits, batch.y),
            "head": settings.head_weight * functional.cross_entropy(guiding, batch.y),
        }
        if settings.weight:
            target = (guiding.detach() / settings.temperature).softmax(-1)
            losses["guidance"] = settings.weight * softened_kl(target, logits, settings.temperature)
        if self.ranked is not None:
            losses["shape"] = self.ranked.shape(logits)
        return losses
