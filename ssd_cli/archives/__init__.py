"""Datasets by name: which exist, where they are found, how they are read and prepared."""
