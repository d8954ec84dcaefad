"""Classifiers for aeon (`estimators.aeon`, and ``from ssd_cli import SSDClassifier``) and for sktime (`estimators.sktime`)."""
