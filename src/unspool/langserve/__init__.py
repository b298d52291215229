"""LangServe's server, on Unspool: its routes, its wire, its arguments. Change the import, and that is all.

Its clients stay as they are: ``langserve.RemoteRunnable``, and that of ``@langchain/core`` 0.3.
"""

from unspool.langserve.api_handler import APIHandler
from unspool.langserve.schema import CustomUserType
from unspool.langserve.server import add_routes

__all__ = ["APIHandler", "CustomUserType", "add_routes"]
