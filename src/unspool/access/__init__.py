"""Who may do what."""

from unspool.access.principal import ANONYMOUS, Authenticate, Principal, everybody

__all__ = ["ANONYMOUS", "Authenticate", "Principal", "everybody"]
