"""Pure functions on scores and probabilities, with numpy and scipy only."""
