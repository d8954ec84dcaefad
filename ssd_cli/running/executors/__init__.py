"""Where cells are computed: the interface of executors, and one file for each executor."""
