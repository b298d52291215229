"""Foreign streams in, events out."""
