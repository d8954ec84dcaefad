"""The multilayer perceptron for time series (Wang et al. 2017), as in the repository hfawaz/dl-4-tsc."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, DropoutSite, Network
from ssd_cli.configuration import require

DROPOUT = (0.1, 0.2, 0.2, 0.3)
"""Published rates: of the values of the series, and of the outputs of the three layers."""


class MLPNetwork(Network):
    """Three linear layers with ReLU on the values of all channels; the first is the stem, the others the body.

    Dropout is published: before each layer, and before the classifier. The maps have one step, whose mean is the embedding. Padded
    steps enter as zeros.
    """

    resumable = True

    def __init__(self, n_values: int, n_classes: int, dropout: Dropout, width: int) -> None:
        super().__init__(width, n_classes, dropout)
        self.n_values = n_values
        self.layers = nn.ModuleList(nn.Linear(size, width) for size in (n_values, width, width))
        of_series, first, second, third = DROPOUT
        self.series_site, self.second_site = DropoutSite(0, of_series), DropoutSite(0, second)
        self.mid_site, self.embed_site = DropoutSite(dropout.mid, first), DropoutSite(dropout.embed, third)

    @property
    def further_sites(self) -> tuple[DropoutSite, ...]:
        return self.series_site, self.second_site

    def stem(self, x: Tensor) -> Tensor:
        """Run the first layer on x (batch, n_channels, n_timepoints): maps (batch, width, 1)."""
        values = self.series_site(x.reshape(-1, self.n_values))
        maps: Tensor = self.layers[0](values).relu().unsqueeze(-1)
        return maps

    def body(self, maps: Tensor) -> Tensor:
        """Run the other layers on maps (batch, width, 1)."""
        second = self.layers[1](maps.squeeze(-1)).relu()
        third: Tensor = self.layers[2](self.second_site(second)).relu().unsqueeze(-1)
        return third


@backbones.register("mlp")
@dataclass(frozen=True)
class MLPBackbone(Backbone):
    """The multilayer perceptron of Wang et al. 2017: three layers of 500 units with dropout; for series of one length.

    Parameters
    ----------
    width : int
        Units of each layer.

    Notes
    -----
    Trainable parameters: 501,500 + 500 C L + 501 K for C channels, L steps and K classes. The published code (hfawaz/dl-4-tsc,
    classifiers/mlp.py) trains 5000 epochs in batches of min(n // 10, 16) by Adadelta, and halves its rate of 1 down to .1 where the
    training loss has not fallen for 200 epochs. Here optimiser and schedule are the recipe's. Dropout of the published rates (.1 of
    the series' values, .2, .2 and .3 of the layers' outputs) acts in every training. The rates of a method at the sites `mid`
    (after the first layer) and `embed` (after the third) have an effect only above .2 and .3.
    """

    published_epochs = 5000
    published_batch_size = 16
    published_batch_divisor = 10
    narrow_share = 120 / 500  # a tenth of the parameters for one channel of 300 steps, without the head
    keeps_steps = False

    width: int = 500

    def __post_init__(self) -> None:
        require(self.width >= 1, f"width must be at least 1, not {self.width}")

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        return self.build_for(1, n_channels, n_classes, dropout)

    def build_for(self, n_timepoints: int, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        return MLPNetwork(n_channels * n_timepoints, n_classes, dropout, self.width)
