"""``unspool replay``: a stored run as a source."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import anyio
import typer
from fastapi import FastAPI
from typing_extensions import override

from unspool.cli.inspect import records_of
from unspool.cli.serving import checked_port, serve_app
from unspool.events import End, Record, Retry, Start
from unspool.http import Unspool
from unspool.runs import RunOptions
from unspool.sources import Call, Item, Output, ResumePoint, Schemas, Source


class ReplaySource(Source):
    """Answers every call with the events of a stored run.

    Args:
        records: Of the run, whole.
        speed: 1 is the original pace, 2 twice as fast, 0 as fast as it goes.
    """

    def __init__(self, records: Sequence[Record], *, speed: float) -> None:
        self._records = _kept(records)
        self._speed = speed

    @property
    @override
    def name(self) -> str:
        return "replay"

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        before = self._records[0].at if self._records else 0.0
        for record in self._records:
            if self._speed and record.at > before:
                await anyio.sleep((record.at - before) / self._speed)
            before = record.at
            event = record.event
            if isinstance(event, End):
                if event.output is not None:
                    yield Output(event.output)
            elif not isinstance(event, Start):
                yield event

    @override
    def schemas(self) -> Schemas:
        return Schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


def _kept(records: Sequence[Record]) -> list[Record]:
    """Without what a retry made void, and without the retries."""
    kept: list[Record] = []
    for record in records:
        event = record.event
        if isinstance(event, Retry):
            kept = [earlier for earlier in kept if earlier.seq <= event.keep_seq]
        else:
            kept.append(record)
    return kept


def serve_replay(log: str, run_id: str, *, speed: float, host: str, port: int) -> None:
    """Serve the run until the process is told to stop."""
    records = anyio.run(records_of, log, run_id)
    if not any(record.is_end for record in records):
        typer.echo("The run has not ended: only what it has so far is replayed.", err=True)
    port = checked_port(host, port)
    app = FastAPI(title=f"Replay of {run_id}")
    unspool = Unspool()
    options = RunOptions(first_token_timeout=None, idle_timeout=None, total_timeout=None)
    unspool.add_routes(app, ReplaySource(records, speed=speed), path="/agent", options=options)
    unspool.add_playground(app, title="Replay", note=f"Every question is answered with run {run_id}.")

    pace = f"{speed:g} times its pace" if speed else "as fast as it goes"
    typer.echo(f"Agent  http://{host}:{port}/agent, {pace}\nPage   http://{host}:{port}/\nCtrl-C stops it.")
    serve_app(app, host=host, port=port, grace=1.0)
