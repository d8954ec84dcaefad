"""Choose the dropout rate of SSD by cross-validation, with scikit-learn's grid search."""

from aeon.datasets import load_italy_power_demand
from sklearn.model_selection import GridSearchCV

from ssd_cli import SSDClassifier

X, y = load_italy_power_demand(split="train")
classifier = SSDClassifier(backbone="lite[width=8]", epochs=5, random_state=0)
search = GridSearchCV(classifier, {"dropout": [0.1, 0.3]}, cv=2).fit(X, y)
print("best", search.best_params_, "accuracy in cross-validation", round(search.best_score_, 3))
