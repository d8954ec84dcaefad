"""Serve tsai's networks through its own loaders and fastai's loop.

tsai rounds the kernels down to odd lengths (39, 19, 9) and drops the last, short batch by default; here `drop_last` is off, so that
all train on the same cases.
"""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # fastai imports torchvision, whose build on the package index needs CUDA's libraries and does not declare its operators where
    # they are absent. Nothing here calls them: declaring their names is enough to import it.
    _OPERATORS = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _OPERATORS.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from fastai.callback.core import Callback, CancelValidException
from serve import Laps, Stopwatch, serve
from tsai.data.core import TSClassification, TSDataLoaders, TSDatasets
from tsai.learner import Learner
from tsai.models.InceptionTime import InceptionTime
from tsai.models.ResNet import ResNet

CLASSES = {"inception": InceptionTime, "resnet": ResNet}


class Watch(Callback):
    """Time the training part of every epoch, and skip the validation part."""

    def __init__(self):
        self.watch = Stopwatch()

    def before_train(self):
        """Begin an epoch."""
        self.watch.start()

    def after_train(self):
        """End an epoch."""
        self.watch.lap()

    def before_validate(self):
        """Train only."""
        raise CancelValidException


def fit(network: str, X, y, batch_size: int, epochs: int) -> Laps:
    """Train one network; see serve.py."""
    every = list(range(len(y)))
    datasets = TSDatasets(X, y, tfms=[None, TSClassification()], splits=(every, every[:1]), inplace=True)
    loaders = TSDataLoaders.from_dsets(datasets.train, datasets.valid, bs=batch_size, num_workers=0, drop_last=False)
    watch = Watch()
    learner = Learner(loaders, CLASSES[network](X.shape[1], int(y.max()) + 1), cbs=watch)
    with learner.no_bar(), learner.no_logging():
        learner.fit(epochs, 1e-3)
    return {"tsai": watch.watch.laps}


serve(fit, tuple(CLASSES), ("tsai", "fastai", "torch"))
