"""Your own series in ten lines: X is (n_cases, n_channels, n_timepoints), y are labels."""

import numpy as np

from ssd_cli import SSDClassifier

random = np.random.default_rng(0)
y = np.array(["calm", "shaking"])[np.arange(40) % 2]
X = random.standard_normal((40, 3, 50)) * np.where(y == "shaking", 3.0, 1.0)[:, None, None]
classifier = SSDClassifier(backbone="lite", scale="train", epochs=20, random_state=0).fit(X[:30], y[:30])
print("accuracy", (classifier.predict(X[30:]) == y[30:]).mean())
