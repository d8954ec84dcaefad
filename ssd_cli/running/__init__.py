"""Run a suite: plan its cells, compute them and write their records."""
