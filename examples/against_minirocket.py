"""SSD against MiniRocket on BasicMotions, both as classifiers of aeon."""

from aeon.classification.convolution_based import MiniRocketClassifier
from aeon.datasets import load_basic_motions

from ssd_cli import SSDClassifier

X_train, y_train = load_basic_motions(split="train")
X_test, y_test = load_basic_motions(split="test")
for classifier in (
    SSDClassifier(backbone="lite", scale="train", epochs=20, random_state=0),
    MiniRocketClassifier(n_kernels=1000, random_state=0),
):
    accuracy = (classifier.fit(X_train, y_train).predict(X_test) == y_test).mean()
    print(type(classifier).__name__, accuracy)
