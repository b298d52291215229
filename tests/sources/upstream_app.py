"""The app of the chain tests: an agent that another server runs."""

from __future__ import annotations

import os

from fastapi import FastAPI

from unspool import RunOptions, SQLiteLog, Unspool
from unspool.sources.upstream.source import upstream


def make_app() -> FastAPI:
    """The app of one process."""
    app = FastAPI()
    unspool = Unspool(log=SQLiteLog(os.environ["CRASH_LOG"]), lease=0.6, grace=0.2)
    agent = upstream(os.environ["UPSTREAM_URL"], patience=60.0)
    unspool.add_routes(app, agent, path="/agent", options=RunOptions(takeovers=1000))
    return app
