"""What the checks of the kit for event logs share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count

from unspool.errors import UnspoolError
from unspool.eventlog import EventLog, NewRun, Run
from unspool.events import End, Record, Start, Token, encode

Check = Callable[[EventLog], Awaitable[None]]

_ids = count(1)
START = encode(Start("r", "s", 0.0))
END = encode(End("completed"))


def token(text: str) -> bytes:
    """A ``token`` event, encoded."""
    return encode(Token("m", text))


def new_run(
    *,
    run_id: str | None = None,
    owner: str = "ann",
    source: str = "agent",
    worker: str | None = "w1",
    lease: float = 60.0,
    thread_id: str | None = None,
    key: str | None = None,
    request_hash: str = "h",
    replaces: str | None = None,
) -> NewRun:
    """A run to create; what is not given is as in most checks. Ids rise."""
    return NewRun(
        id=run_id or f"run-{next(_ids):06d}",
        owner=owner,
        source=source,
        request=b'{"input":1}',
        request_hash=request_hash,
        worker=worker,
        lease=lease,
        thread_id=thread_id,
        idempotency_key=key,
        replaces=replaces,
    )


async def run_with(log: EventLog, *texts: str, ended: bool = False, new: NewRun | None = None) -> Run:
    """A run that was created, with a token for each text, and an ``end`` if it has ended."""
    run = (await log.create(new or new_run())).run
    events = [token(text) for text in texts] + ([END] if ended else [])
    if events:
        appended = await log.append(run.id, epoch=1, first_seq=1, events=events)
        assert appended.outcome == "ok", appended
    return await log.get(run.id)


async def raises(error: type[UnspoolError], awaitable: Awaitable[object]) -> None:
    """Raise AssertionError if it does not raise ``error``."""
    try:
        result = await awaitable
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised; the result was {result!r}")


async def all_records(log: EventLog, run_id: str, after: int = 0) -> list[Record]:
    """Every record behind ``after``."""
    records: list[Record] = []
    while batch := await log.read(run_id, after=after + len(records)):
        records.extend(batch)
    return records
