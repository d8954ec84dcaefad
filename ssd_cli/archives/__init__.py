"""Datasets by name: the catalogue, search, download, reading and preparation."""
