"""Splits into training and test cases, and the sealed test set."""
