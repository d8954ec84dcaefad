"""A method and a backbone for ssd-bench."""
