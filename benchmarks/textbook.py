"""Train three published networks with torch.nn layers, a DataLoader and Adam: the textbook loop that speed is compared with.

A careful user of PyTorch would write this loop after reading the papers. For the same weights its networks have the same outputs
as those of ssd-bench (tested). The file needs torch and numpy only:

    network = build("inception", n_channels=1, n_classes=2)
    train(network, X, y, batch_size=64, epochs=10)

    python benchmarks/textbook.py FILE.npz NETWORK EPOCHS    # prints milliseconds of a step (processor time) and peak memory in MB
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

NETWORKS = ("inception", "resnet", "lite")
HANDMADE_LENGTHS = (2, 4, 8, 16, 32, 64)


def conv(n_in: int, n_out: int, kernel: int, **options: Any) -> nn.Conv1d:
    """Return a convolution without bias that keeps the length."""
    return nn.Conv1d(n_in, n_out, kernel, padding="same", bias=False, **options)


class InceptionModule(nn.Module):
    """Bottleneck, three convolutions side by side, and a pooled branch (Ismail Fawaz et al. 2020)."""

    def __init__(self, n_in: int, width: int = 32) -> None:
        super().__init__()
        self.bottleneck = conv(n_in, width, 1) if n_in > 1 else nn.Identity()
        self.convolutions = nn.ModuleList(conv(width if n_in > 1 else 1, width, kernel) for kernel in (40, 20, 10))
        self.pooled = nn.Sequential(nn.MaxPool1d(3, stride=1, padding=1), conv(n_in, width, 1))
        self.finish = nn.Sequential(nn.BatchNorm1d(4 * width), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, n_in, n_timepoints) to (batch, 4 width, n_timepoints)."""
        narrow = self.bottleneck(x)
        return self.finish(torch.cat([layer(narrow) for layer in self.convolutions] + [self.pooled(x)], dim=1))


class Residual(nn.Module):
    """ReLU of a trunk plus a shortcut."""

    def __init__(self, trunk: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.trunk, self.shortcut, self.activation = trunk, shortcut, nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, n_in, n_timepoints) to (batch, n_out, n_timepoints)."""
        return self.activation(self.trunk(x) + self.shortcut(x))


def inception_group(n_in: int, n_out: int = 128) -> Residual:
    """Return three Inception modules and their shortcut."""
    modules = nn.Sequential(InceptionModule(n_in), InceptionModule(n_out), InceptionModule(n_out))
    return Residual(modules, nn.Sequential(conv(n_in, n_out, 1), nn.BatchNorm1d(n_out)))


def resnet_block(n_in: int, n_out: int) -> Residual:
    """Return three convolutions of 8, 5 and 3 taps (Wang et al. 2017)."""
    layers: list[nn.Module] = []
    for i, kernel in enumerate((8, 5, 3)):
        layers += [nn.Conv1d(n_in if i == 0 else n_out, n_out, kernel, padding="same"), nn.BatchNorm1d(n_out), nn.ReLU()]
    projection = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()
    return Residual(nn.Sequential(*layers[:-1]), nn.Sequential(projection, nn.BatchNorm1d(n_out)))


class HandMade(nn.Module):
    """The 17 fixed filters of LITE: trends up and down, and peaks (Ismail-Fawaz et al. 2022)."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        filters = []
        for length in HANDMADE_LENGTHS:
            trend = torch.ones(length)
            trend[::2] = -1
            filters.append(torch.stack([trend, -trend]))
        for length in HANDMADE_LENGTHS[1:]:
            rise = (torch.arange(1, length // 4 + 1) / (length // 4)) ** 2
            hump = torch.cat([rise, rise.flip(0)])
            filters.append(torch.cat([-hump, 2 * hump, -hump])[None])
        self.convolutions = nn.ModuleList(conv(n_in, len(group), group.shape[1]) for group in filters)
        for layer, group in zip(self.convolutions, filters, strict=True):
            layer.weight.data = group[:, None].repeat(1, n_in, 1)
            layer.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, n_in, n_timepoints) to (batch, 17, n_timepoints)."""
        return torch.relu(torch.cat([layer(x) for layer in self.convolutions], dim=1))


class Multiplexed(nn.Module):
    """First layer of LITE: three convolutions beside the hand-made filters."""

    def __init__(self, n_in: int, width: int = 32) -> None:
        super().__init__()
        self.branches = nn.ModuleList([*(conv(n_in, width, kernel) for kernel in (40, 20, 10)), HandMade(n_in)])
        self.finish = nn.Sequential(nn.BatchNorm1d(3 * width + 17), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, n_in, n_timepoints) to (batch, 3 width + 17, n_timepoints)."""
        return self.finish(torch.cat([branch(x) for branch in self.branches], dim=1))


def separable(n_in: int, n_out: int, kernel: int, dilation: int) -> nn.Sequential:
    """Return depthwise and pointwise convolution, batch normalisation, ReLU (LITE, Ismail-Fawaz et al. 2023)."""
    depthwise = conv(n_in, n_in, kernel, dilation=dilation, groups=n_in)
    return nn.Sequential(depthwise, conv(n_in, n_out, 1), nn.BatchNorm1d(n_out), nn.ReLU())


def build(network: str, n_channels: int, n_classes: int) -> nn.Module:
    """Build one of `NETWORKS`: series (batch, n_channels, n_timepoints) in, logits (batch, n_classes) out."""
    if network == "inception":
        trunk, width = [inception_group(n_channels), inception_group(128)], 128
    elif network == "resnet":
        trunk, width = [resnet_block(n_channels, 64), resnet_block(64, 128), resnet_block(128, 128)], 128
    elif network == "lite":
        trunk, width = [Multiplexed(n_channels), separable(113, 32, 20, dilation=2), separable(32, 32, 10, dilation=4)], 32
    else:
        raise ValueError(f"no network is called {network!r}; there are {', '.join(NETWORKS)}")
    return nn.Sequential(*trunk, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(width, n_classes))


def train(
    network: nn.Module, X: Any, y: Any, batch_size: int = 64, epochs: int = 1, on_epoch: Callable[[], None] = lambda: None
) -> list[float]:
    """Train with Adam and cross-entropy on shuffled batches, the last one short; return the mean loss of every epoch.

    Parameters
    ----------
    network : nn.Module
    X : array of float32, shape (n_cases, n_channels, n_timepoints)
    y : array of int64, shape (n_cases,)
    batch_size, epochs : int
    on_epoch : callable
        Called after every epoch.
    """
    loader = DataLoader(TensorDataset(torch.as_tensor(X), torch.as_tensor(y)), batch_size=batch_size, shuffle=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    network.train()
    losses = []
    for _ in range(epochs):
        total = 0.0
        for series, labels in loader:
            optimiser.zero_grad()
            loss = criterion(network(series), labels)
            loss.backward()
            optimiser.step()
            total += loss.item() * len(labels)
        losses.append(total / len(y))
        on_epoch()
    return losses


def main() -> None:
    """Train on a file, and print time and peak memory."""
    import numpy as np

    torch.set_num_threads(1)
    path, network, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with np.load(path) as data:
        X, y = data["X"], data["y"]
    built = build(network, X.shape[1], int(y.max()) + 1)
    train(built, X[:8], y[:8])  # torch loads parts of itself in the first step
    started = time.process_time()
    train(built, X, y, epochs=epochs)
    seconds = (time.process_time() - started) / (epochs * math.ceil(len(y) / 64))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps([1000 * seconds, peak / 1e6]))


if __name__ == "__main__":
    main()
