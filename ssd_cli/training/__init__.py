"""The one loop that every method shares, and all it needs."""
