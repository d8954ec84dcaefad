"""Serve aeon's TensorFlow networks.

aeon saves a .keras file after every epoch whose loss is the lowest so far: in a short run, nearly every epoch. The column "aeon"
holds epochs with the saving; "aeon-bare" holds the same epochs without it.
"""

import os
import tempfile

import tensorflow as tf
from aeon.classification.deep_learning import IndividualInceptionClassifier, IndividualLITEClassifier, ResNetClassifier
from serve import Laps, Stopwatch, serve

CLASSES = {"inception": IndividualInceptionClassifier, "resnet": ResNetClassifier, "lite": IndividualLITEClassifier}
THREADS = int(os.environ["OMP_NUM_THREADS"])
tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(THREADS)


class Watch(tf.keras.callbacks.Callback):
    """Time epochs with and without the checkpoint, which aeon appends to the callbacks after this one."""

    def __init__(self):
        super().__init__()
        self.whole, self.bare = Stopwatch(), Stopwatch()

    def on_epoch_begin(self, epoch, logs=None):
        """End the previous whole epoch; begin both."""
        if epoch > 0:
            self.whole.lap()
        self.whole.start()
        self.bare.start()

    def on_epoch_end(self, epoch, logs=None):
        """End the bare epoch, before the checkpoint."""
        self.bare.lap()

    def on_train_end(self, logs=None):
        """End the last whole epoch."""
        self.whole.lap()


def fit(network: str, X, y, batch_size: int, epochs: int) -> Laps:
    """Train one network; see serve.py."""
    plateau = tf.keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=50, min_lr=0.0001)  # aeon's default
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        options = {"batch_size": batch_size, "n_epochs": epochs, "callbacks": [plateau, watch], "file_path": f"{folder}/"}
        CLASSES[network](**options, optimizer=tf.keras.optimizers.Adam(1e-3), random_state=0).fit(X, y)
    tf.keras.backend.clear_session()
    return {"aeon": watch.whole.laps, "aeon-bare": watch.bare.laps}


serve(fit, tuple(CLASSES), ("aeon", "tensorflow", "tensorflow-cpu", "keras"), prepares=True)
