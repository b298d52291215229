"""Who may do what."""

from unspool.access.principal import ANONYMOUS, Authenticate, Principal, everybody
from unspool.access.tickets import Tickets

__all__ = ["ANONYMOUS", "Authenticate", "Principal", "Tickets", "everybody"]
