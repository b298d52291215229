"""``unspool runs``: looking into an SQLite log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unspool.errors import UnspoolError
from unspool.eventlog import SQLiteLog, tail
from unspool.events import (
    AnyEvent,
    End,
    Error,
    Interrupt,
    MessageEnd,
    MessageStart,
    Record,
    Retry,
    Start,
    StepEnd,
    StepStart,
    ToolCall,
    ToolEnd,
    Transcript,
)
from unspool.runs import read_all

_STATUS = {"completed": "green", "failed": "red", "cancelled": "yellow", "interrupted": "magenta", "running": "cyan"}


def existing(log: str) -> SQLiteLog:
    """The log in a file that is there.

    Raises:
        typer.BadParameter: It is not there.
    """
    if not Path(log).is_file():
        raise typer.BadParameter(f"there is no event log {log!r} here; give --log the file")
    return SQLiteLog(log)


async def list_runs(log: str, owner: str, limit: int) -> None:
    """Print a table of runs."""
    async with existing(log) as events:
        found = await events.list(owner, limit=limit)
    table = Table("run", "began", "status", "events", "source", "thread")
    for run in found:
        began = datetime.fromtimestamp(run.created_at).strftime("%Y-%m-%d %H:%M:%S")
        status = Text(run.status, style=_STATUS.get(run.status, ""))
        table.add_row(run.id, began, status, str(run.last_seq), run.source, run.thread_id or "")
    Console().print(table)


async def show_run(log: str, run_id: str) -> None:
    """Print a run's timeline and its text."""
    records = await records_of(log, run_id)
    console = Console()
    began = records[0].at if records else 0.0
    transcript = Transcript()
    for record in records:
        transcript.fold(record)
        line = describe(record.event)
        if line:
            console.print(Text(f"{record.at - began:9.3f} s  {record.seq:6d}  {line}"))
    for message in transcript.messages:
        console.rule(message.role)
        console.print(Text(message.text))


async def records_of(log: str, run_id: str) -> list[Record]:
    """Everything that the log holds of a run.

    Raises:
        typer.BadParameter: There is no such run.
    """
    async with existing(log) as events:
        try:
            return await read_all(events, run_id)
        except UnspoolError as exc:
            raise typer.BadParameter(exc.message) from exc


async def follow_run(log: str, run_id: str) -> None:
    """Print a run's events as they come."""
    async with existing(log) as events:
        try:
            async for batch in tail(events, run_id):
                for record in batch:
                    sys.stdout.buffer.write(record.data + b"\n")
                sys.stdout.buffer.flush()
        except UnspoolError as exc:
            raise typer.BadParameter(exc.message) from exc


def describe(event: AnyEvent) -> str | None:
    """One line on an event; None for those that only carry text."""
    line = _LINES.get(type(event))
    return None if line is None else line(event)


_LINES: dict[type, Callable[[Any], str]] = {
    Start: lambda e: f"start        {e.source}, attempt {e.attempt}",
    MessageStart: lambda e: f"message      {e.role} {e.name or ''}",
    MessageEnd: lambda e: f"message ends {e.finish_reason or ''}",
    StepStart: lambda e: f"step         {e.name}",
    StepEnd: lambda e: f"step ends    {e.name}",
    ToolCall: lambda e: f"tool         {e.name} {e.args}",
    ToolEnd: lambda e: f"tool ends    {e.error or e.result}",
    Interrupt: lambda e: f"interrupt    {e.value}",
    Retry: lambda e: f"retry        attempt {e.attempt}: {e.reason}; what came after {e.keep_seq} is void",
    Error: lambda e: f"error        {e.code}: {e.message}",
    End: lambda e: f"end          {e.status}",
}
