"""The Python client: start runs, follow them through lost connections, cancel and answer them."""

from unspool.client.asynchronous import AsyncClient, AsyncRunStream
from unspool.client.following import Backoff, Disconnected
from unspool.client.synchronous import Client, RunStream

__all__ = ["AsyncClient", "AsyncRunStream", "Backoff", "Client", "Disconnected", "RunStream"]
