"""Serve sktime's torch networks.

Adam, the asked batch size and no callbacks are forced on its ResNet, whose defaults are RMSprop, batches of one and a plateau rule.
"""

from serve import Laps, Stopwatch, serve
from sktime.classification.deep_learning.inceptiontime import InceptionTimeClassifierTorch
from sktime.classification.deep_learning.resnet import ResNetClassifierTorch

CLASSES = {"inception": InceptionTimeClassifierTorch, "resnet": ResNetClassifierTorch}


def fit(network: str, X, y, batch_size: int, epochs: int) -> Laps:
    """Train one network; see serve.py."""
    watch = Stopwatch()

    class Timed(CLASSES[network]):
        def _run_epoch(self, epoch, dataloader):
            watch.start()
            super()._run_epoch(epoch, dataloader)
            watch.lap()

    Timed(num_epochs=epochs, batch_size=batch_size, optimizer="Adam", callbacks=None, random_state=0).fit(X, y)
    return {"sktime": watch.laps}


serve(fit, tuple(CLASSES), ("sktime", "torch"))
