"""One thin file per command; the only folder that prints."""
