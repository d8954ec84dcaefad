"""Results that ssd-bench did not compute: published accuracies, reference results, and files of other tools."""
