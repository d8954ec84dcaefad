"""From a suite to finished cells."""
