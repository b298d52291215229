"""What is done with a connection. Each function runs inside a transaction; those that write refuse first."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from unspool.errors import IdempotencyConflict, RunIdTaken, RunNotFound
from unspool.eventlog.base import READ_BYTES, Appended, Created, Lease, NewRun, Retention, Run
from unspool.eventlog.packing import (
    check_all_ended,
    check_cursor,
    check_replaced,
    outcome_of,
    pack,
    status_after,
    unpack,
    up_to_bytes,
)
from unspool.eventlog.sqlite.schema import NOW
from unspool.events import EndStatus, Record

COLUMNS = (
    "id, owner, source, status, request, request_hash, epoch, worker, lease_until, first_seq, last_seq, "
    "cancel_requested, created_at, watched_until, ended_at, thread_id, idempotency_key, replaces, replaced_by"
)
_NAMES = tuple(COLUMNS.split(", "))
TRIM_AT_A_TIME = 50


class Written(NamedTuple):
    """An append that was committed: what the followers of this process get."""

    appended: Appended
    at: float
    status: EndStatus | None


def run_of(row: tuple[Any, ...]) -> Run:
    return msgspec.convert(dict(zip(_NAMES, row, strict=True)), Run, strict=False)


def get(db: sqlite3.Connection, run_id: str) -> Run:
    run = _find(db, run_id)
    if run is None:
        raise RunNotFound(run_id)
    return run


def _find(db: sqlite3.Connection, run_id: str) -> Run | None:
    row = db.execute(f"SELECT {COLUMNS} FROM run WHERE id = ?", (run_id,)).fetchone()
    return None if row is None else run_of(row)


def create(db: sqlite3.Connection, new: NewRun) -> Created:
    run = _find(db, new.id)
    if run is not None:
        if run.owner != new.owner or run.request_hash != new.request_hash:
            raise RunIdTaken(new.id)
        return Created(run, created=False)
    if new.idempotency_key is not None:
        row = db.execute(
            f"SELECT {COLUMNS} FROM run WHERE owner = ? AND idempotency_key = ?",
            (new.owner, new.idempotency_key),
        ).fetchone()
        if row is not None:
            run = run_of(row)
            if run.request_hash != new.request_hash:
                raise IdempotencyConflict(new.idempotency_key)
            return Created(run, created=False)
    if new.replaces is not None:
        _replace(db, new, new.replaces)
    status = "queued" if new.worker is None else "running"
    lease = f"{NOW} + ?" if new.worker is not None else "0.0 * ?"
    db.execute(
        f"INSERT INTO run ({COLUMNS})"
        f" VALUES (?, ?, ?, ?, ?, ?, 1, ?, {lease}, 1, 0, 0, {NOW}, 0.0, NULL, ?, ?, ?, NULL)",
        (
            new.id,
            new.owner,
            new.source,
            status,
            new.request,
            new.request_hash,
            new.worker,
            new.lease,
            new.thread_id,
            new.idempotency_key,
            new.replaces,
        ),
    )
    return Created(get(db, new.id), created=True)


def _replace(db: sqlite3.Connection, new: NewRun, run_id: str) -> None:
    """Refuse, or mark the run and all that follow it in its thread."""
    first = check_replaced(new, run_id, _find(db, run_id))
    those = " owner = ? AND source = ? AND thread_id = ? AND (created_at, id) >= (?, ?)"
    place = (new.owner, new.source, new.thread_id, first.created_at, first.id)
    check_all_ended(bool(row[0]) for row in db.execute(f"SELECT ended_at IS NOT NULL FROM run WHERE{those}", place))
    db.execute(f"UPDATE run SET replaced_by = ? WHERE{those}", (new.id, *place))


class Append(NamedTuple):
    """What :meth:`~unspool.eventlog.EventLog.append` was asked for."""

    run_id: str
    epoch: int
    first_seq: int
    events: Sequence[bytes]


def append_all(db: sqlite3.Connection, appends: Sequence[Append]) -> list[Written | RunNotFound]:
    """Append to many runs, one append each, in three statements, however many there are.

    Python's lock is given up at every step of a statement, and a busy event loop keeps it for milliseconds. So
    what counts is the number of steps, and rows travel as JSON, many to a step.
    """
    text, at = db.execute(
        f"SELECT json_group_array(json_array(id, epoch, last_seq, ended_at IS NOT NULL, cancel_requested)), {NOW}"
        " FROM run WHERE id IN (SELECT value FROM json_each(?))",
        (_json([append.run_id for append in appends]),),
    ).fetchone()
    known: dict[str, tuple[str, int, int, int, int]] = {row[0]: row for row in msgspec.json.decode(text)}
    results: list[Written | RunNotFound] = []
    batches: list[tuple[str, int, int, int, bytes]] = []
    changes: list[tuple[str, int, int, EndStatus | None]] = []
    for append in appends:
        row = known.get(append.run_id)
        if row is None:
            results.append(RunNotFound(append.run_id))
            continue
        _, epoch, last_seq, ended, cancel = row
        outcome = outcome_of(
            epoch,
            last_seq,
            ended=bool(ended),
            epoch=append.epoch,
            first_seq=append.first_seq,
            count=len(append.events),
        )
        status = None
        if outcome == "ok":
            packed = pack(append.events)
            last_seq += len(append.events)
            status = status_after(append.events[-1])
            batches.append((append.run_id, last_seq, append.first_seq, epoch, packed))
            changes.append((append.run_id, last_seq, len(packed), status))
        results.append(Written(Appended(outcome, last_seq, bool(cancel)), at, status))
    if batches:
        _insert(db, at, batches, changes)
    return results


def _insert(
    db: sqlite3.Connection,
    at: float,
    batches: list[tuple[str, int, int, int, bytes]],
    changes: list[tuple[str, int, int, EndStatus | None]],
) -> None:
    if len(batches) == 1:
        run_id, last_seq, first_seq, epoch, packed = batches[0]
        db.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)", (run_id, last_seq, first_seq, epoch, at, packed))
    else:
        rows = [(*batch[:4], batch[4].decode()) for batch in batches]
        db.execute(
            "INSERT INTO batch SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),"
            " json_extract(value, '$[2]'), json_extract(value, '$[3]'), ?, CAST(json_extract(value, '$[4]') AS BLOB)"
            " FROM json_each(?)",
            (at, _json(rows)),
        )
    db.execute(
        "UPDATE run SET last_seq = new.last_seq, bytes = run.bytes + new.bytes,"
        " status = coalesce(new.status, run.status),"
        " ended_at = CASE WHEN new.status IS NULL THEN NULL ELSE ? END,"
        " worker = CASE WHEN new.status IS NULL THEN worker END"
        " FROM (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS last_seq,"
        " json_extract(value, '$[2]') AS bytes, json_extract(value, '$[3]') AS status FROM json_each(?)) AS new"
        " WHERE run.id = new.id",
        (at, _json(changes)),
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def read(db: sqlite3.Connection, run_id: str, after: int, limit: int) -> Sequence[Record]:
    check_cursor(after, get(db, run_id))
    rows = db.execute(
        "SELECT first_seq, at, events FROM batch WHERE run_id = ? AND last_seq > ? ORDER BY last_seq", (run_id, after)
    )
    records: list[Record] = []
    total = 0
    for first_seq, at, packed in rows:
        batch = unpack(packed, first_seq=first_seq, at=at)
        if first_seq <= after:
            batch = batch[after + 1 - first_seq :]
        records.extend(batch)
        total += len(packed)
        if len(records) >= limit or total > READ_BYTES:
            break
    return up_to_bytes(records[:limit])


def request_cancel(db: sqlite3.Connection, run_id: str) -> Run:
    db.execute("UPDATE run SET cancel_requested = 1 WHERE id = ? AND ended_at IS NULL", (run_id,))
    return get(db, run_id)


def cancels(db: sqlite3.Connection, worker: str) -> list[str]:
    rows = db.execute("SELECT id FROM run WHERE worker = ? AND cancel_requested AND ended_at IS NULL", (worker,))
    return [row[0] for row in rows]


def claim(db: sqlite3.Connection, run_id: str, worker: str, lease: float) -> Run | None:
    get(db, run_id)
    rows = db.execute(
        f"UPDATE run SET epoch = epoch + 1, worker = ?, lease_until = {NOW} + ?, status = 'running'"
        f" WHERE id = ? AND ended_at IS NULL AND lease_until <= {NOW} RETURNING {COLUMNS}",
        (worker, lease, run_id),
    ).fetchall()
    return run_of(rows[0]) if rows else None


def reap(db: sqlite3.Connection, worker: str, lease: float, sources: Sequence[str] | None, limit: int) -> list[Run]:
    rows = db.execute(
        f"SELECT id, source FROM run WHERE ended_at IS NULL AND lease_until <= {NOW} ORDER BY lease_until"
    ).fetchall()
    lost = [run_id for run_id, source in rows if sources is None or source in sources]
    claimed = [claim(db, run_id, worker, lease) for run_id in lost[:limit]]
    return [run for run in claimed if run is not None]


def renew(db: sqlite3.Connection, worker: str, lease: float) -> list[Lease]:
    rows = db.execute(
        f"UPDATE run SET lease_until = {NOW} + ? WHERE worker = ? AND ended_at IS NULL"
        " RETURNING id, epoch, cancel_requested, watched_until",
        (lease, worker),
    ).fetchall()
    return [Lease(run_id, epoch, bool(cancel), watched) for run_id, epoch, cancel, watched in rows]


def release(db: sqlite3.Connection, run_id: str, epoch: int) -> None:
    get(db, run_id)
    db.execute(
        "UPDATE run SET worker = NULL, lease_until = 0.0 WHERE id = ? AND epoch = ? AND ended_at IS NULL",
        (run_id, epoch),
    )


def watch(db: sqlite3.Connection, run_id: str, seconds: float) -> None:
    get(db, run_id)
    db.execute(f"UPDATE run SET watched_until = max(watched_until, {NOW} + ?) WHERE id = ?", (seconds, run_id))


def trim_some(db: sqlite3.Connection, retention: Retention) -> list[str]:
    """Remove the events of up to :data:`TRIM_AT_A_TIME` runs; return their ids."""
    rows = db.execute(
        "SELECT id FROM (SELECT id, ended_at, row_number() OVER newest AS place, sum(bytes) OVER newest AS total"
        " FROM run WHERE ended_at IS NOT NULL AND first_seq <= last_seq WINDOW newest AS"
        " (ORDER BY ended_at DESC, id DESC))"
        f" WHERE ended_at < {NOW} - :age OR place > coalesce(:runs, place) OR total > coalesce(:bytes, total)"
        " LIMIT :limit",
        {
            "age": retention.max_age,
            "runs": retention.max_runs,
            "bytes": retention.max_bytes,
            "limit": TRIM_AT_A_TIME,
        },
    ).fetchall()
    ids = [row[0] for row in rows]
    for run_id in ids:
        db.execute("DELETE FROM batch WHERE run_id = ?", (run_id,))
        db.execute("DELETE FROM kept WHERE run_id = ?", (run_id,))
        db.execute("UPDATE run SET first_seq = last_seq + 1, bytes = 0 WHERE id = ?", (run_id,))
    forgotten = db.execute(
        f"DELETE FROM run WHERE ended_at < {NOW} - ? AND first_seq > last_seq RETURNING id",
        (retention.forget_after,),
    ).fetchall()
    db.executemany("DELETE FROM feedback WHERE run_id = ?", forgotten)
    return ids


def grown(db: sqlite3.Connection, known: dict[str, int]) -> list[str]:
    """Of some runs, those that have more records than we knew of, or that are gone."""
    rows = db.execute(
        "SELECT id, last_seq FROM run WHERE id IN (SELECT value FROM json_each(?))",
        (_json(list(known)),),
    )
    there: dict[str, int] = dict(rows.fetchall())
    return [run_id for run_id, last_seq in known.items() if there.get(run_id, last_seq + 1) > last_seq]
