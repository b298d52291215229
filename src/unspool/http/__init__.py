"""Bytes to sockets."""

from unspool.http.app import Unspool, add_routes

__all__ = ["Unspool", "add_routes"]
