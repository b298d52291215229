"""A source pumped into a log, watched or not."""
