"""Records on disk: atomic, resumable, readable by other tools."""
