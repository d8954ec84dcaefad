"""Short trainings give the golden bits: every backbone with every execution."""

from tests.golden.check import executed_runs, test_identities_keys_and_counts, test_weights_and_probabilities  # noqa: F401

finished = executed_runs("execution plain", "execution fast", "execution bilinear", "execution batched", "execution graph")
