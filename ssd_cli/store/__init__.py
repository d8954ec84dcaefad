"""The output folder of a run: records, predictions, networks and checkpoints, readable by other tools."""
