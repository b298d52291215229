"""Another server as a source."""
