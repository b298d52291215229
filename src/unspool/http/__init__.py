"""Bytes to sockets."""
