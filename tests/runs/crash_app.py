"""The app of the crash tests: a slow source that can go on where the log ends, and one that cannot."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from fastapi import FastAPI
from typing_extensions import override

from unspool import Call, Output, Record, RunOptions, SQLiteLog, Unspool
from unspool.cli.serving import shutdown_at_signal
from unspool.events import AnyEvent, MessageEnd, MessageStart, Token
from unspool.sources import ResumePoint, Schemas, Source

TOKENS = 60
HOLD = Path(os.environ["CRASH_HOLD"]) if "CRASH_HOLD" in os.environ else None
"""A run says its last number only once this file is there."""


class Resumable(Source):
    """Says its numbers. Everything that reached the log counts, and it goes on behind it."""

    @property
    @override
    def name(self) -> str:
        return "resumable"

    @override
    async def stream(self, call: Call) -> AsyncGenerator[AnyEvent | Output, None]:
        first: int = call.position or 0
        if first == 0:
            yield MessageStart("m")
        for number in range(first, TOKENS):
            while number == TOKENS - 1 and HOLD is not None and not HOLD.exists():
                await anyio.sleep(0.01)
            yield Token("m", f"{number} ")
            await anyio.sleep(0.01)
        yield MessageEnd("m")

    @override
    def schemas(self) -> Schemas:
        return Schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        said = [record for record in records if record.type == "token"]
        return ResumePoint(keep_seq=said[-1].seq, position=len(said)) if said else ResumePoint(keep_seq=1)


async def forgetful(number: int) -> AsyncGenerator[str, None]:
    for _ in range(TOKENS):
        yield f"{number} "
        await anyio.sleep(0.01)


def make_app() -> FastAPI:
    """The app of one process."""
    app = FastAPI()
    log = SQLiteLog(os.environ["CRASH_LOG"])
    unspool = Unspool(log=log, lease=0.6, grace=float(os.environ["CRASH_GRACE"]))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        async with shutdown_at_signal(unspool):
            yield

    app.router.lifespan_context = lifespan
    unspool.add_routes(app, Resumable(), path="/resumable", options=RunOptions(takeovers=1000))
    unspool.add_routes(app, forgetful, path="/forgetful")
    return app
