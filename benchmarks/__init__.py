"""Unspool and its peers, on the same work, in one run. ``make bench`` prints the table."""
