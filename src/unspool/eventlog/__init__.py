"""Where runs live: events in, records out, any number of times."""
