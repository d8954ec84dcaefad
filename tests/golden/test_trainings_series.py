"""Short trainings give the golden bits: joint training, other series, other recipes, averages over several epochs."""

from tests.golden.check import executed_runs, test_identities_keys_and_counts, test_weights_and_probabilities  # noqa: F401

finished = executed_runs(
    "together", "other series", "unequal lengths and gaps", "recipe paper", "methods that average", "recipe of equal compute"
)
