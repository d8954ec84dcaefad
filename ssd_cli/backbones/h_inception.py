"""H-Inception (Ismail-Fawaz et al. 2022), as in the repository MSD-IRIMAS/CF-4-TSC."""

from __future__ import annotations

from dataclasses import dataclass

from ssd_cli.backbones.base import NO_DROPOUT, Dropout, Network
from ssd_cli.backbones.inception import InceptionBackbone, InceptionNetwork
from ssd_cli.backbones.registry import backbones


@backbones.register("h-inception")
@dataclass(frozen=True)
class HInceptionBackbone(InceptionBackbone):
    """InceptionTime's network whose first module also has 17 hand-made, frozen filters; 421 thousand parameters.

    Parameters
    ----------
    width, depth, kernel : int
        As for ``inception``.

    Notes
    -----
    Trainable parameters: 421,314 + 129 K for one channel, 490,594 + 192 C + 129 K for C > 1 channels and K classes;
    438 C weights are frozen.
    """

    published_batch_divisor = 10  # MSD-IRIMAS/CF-4-TSC: batches of min(n // 10, 64)

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        """Build an untrained network."""
        return InceptionNetwork(n_channels, n_classes, dropout, width=self.width, depth=self.depth, kernel=self.kernel, hybrid=True)
