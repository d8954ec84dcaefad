"""Pure functions on scores and probabilities: numpy and scipy only."""
