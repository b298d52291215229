"""Kits and aids for those who test with Unspool, or extend it."""
