"""Short trainings give the golden bits: every method on LITE, FCN and ResNet; classifiers of aeon."""

from tests.golden.check import executed_runs, test_identities_keys_and_counts, test_weights_and_probabilities  # noqa: F401

finished = executed_runs("methods on lite, fcn and resnet", "external classifiers")
