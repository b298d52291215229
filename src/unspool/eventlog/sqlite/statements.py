"""What is done with a connection. Each function runs inside a transaction; those that write refuse first."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from unspool.errors import IdempotencyConflict, RunIdTaken, RunNotFound, ThreadNotFound
from unspool.eventlog.base import READ_BYTES, Appended, Created, Lease, NewRun, Retention, Run, Thread
from unspool.eventlog.packing import check_cursor, outcome_of, pack, status_after, unpack, up_to_bytes
from unspool.eventlog.sqlite.schema import NOW
from unspool.events import EndStatus, Record

_COLUMNS = (
    "id, owner, source, status, request, request_hash, epoch, worker, lease_until, first_seq, last_seq, "
    "cancel_requested, created_at, watched_until, ended_at, thread_id, idempotency_key"
)
_NAMES = tuple(_COLUMNS.split(", "))
TRIM_AT_A_TIME = 50


class Written(NamedTuple):
    """An append that was committed: what the followers of this process get."""

    appended: Appended
    at: float
    status: EndStatus | None


def _run(row: tuple[Any, ...]) -> Run:
    return msgspec.convert(dict(zip(_NAMES, row, strict=True)), Run, strict=False)


def get(db: sqlite3.Connection, run_id: str) -> Run:
    row = db.execute(f"SELECT {_COLUMNS} FROM run WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise RunNotFound(run_id)
    return _run(row)


def create(db: sqlite3.Connection, new: NewRun) -> Created:
    row = db.execute(f"SELECT {_COLUMNS} FROM run WHERE id = ?", (new.id,)).fetchone()
    if row is not None:
        run = _run(row)
        if run.owner != new.owner or run.request_hash != new.request_hash:
            raise RunIdTaken(new.id)
        return Created(run, created=False)
    if new.idempotency_key is not None:
        row = db.execute(
            f"SELECT {_COLUMNS} FROM run WHERE owner = ? AND idempotency_key = ?",
            (new.owner, new.idempotency_key),
        ).fetchone()
        if row is not None:
            run = _run(row)
            if run.request_hash != new.request_hash:
                raise IdempotencyConflict(new.idempotency_key)
            return Created(run, created=False)
    status = "queued" if new.worker is None else "running"
    lease = f"{NOW} + ?" if new.worker is not None else "0.0 * ?"
    db.execute(
        f"INSERT INTO run ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 1, ?, {lease}, 1, 0, 0, {NOW}, 0.0, NULL, ?, ?)",
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
        ),
    )
    return Created(get(db, new.id), created=True)


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


def page_of_runs(
    db: sqlite3.Connection, owner: str, source: str | None, thread_id: str | None, before: str | None, limit: int
) -> list[Run]:
    since: tuple[Any, ...] = (None, None)
    if before is not None:
        since = (
            db.execute("SELECT created_at, id FROM run WHERE id = ? AND owner = ?", (before, owner)).fetchone() or since
        )
        if since[1] is None:
            raise RunNotFound(before)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM run WHERE owner = :owner"
        " AND (:source IS NULL OR source = :source) AND (:thread IS NULL OR thread_id = :thread)"
        " AND (:id IS NULL OR (created_at, id) < (:at, :id)) ORDER BY created_at DESC, id DESC LIMIT :limit",
        {"owner": owner, "source": source, "thread": thread_id, "at": since[0], "id": since[1], "limit": limit},
    )
    return [_run(row) for row in rows]


def page_of_threads(
    db: sqlite3.Connection, owner: str, source: str | None, before: str | None, limit: int
) -> list[Thread]:
    rows = db.execute(
        "SELECT thread_id, count(*), min(created_at), max(created_at) FROM run WHERE owner = :owner"
        " AND thread_id IS NOT NULL AND (:source IS NULL OR source = :source)"
        " GROUP BY thread_id ORDER BY max(created_at) DESC, max(id) DESC",
        {"owner": owner, "source": source},
    ).fetchall()
    if before is not None:
        ids = [row[0] for row in rows]
        if before not in ids:
            raise ThreadNotFound(before)
        rows = rows[ids.index(before) + 1 :]
    threads: list[Thread] = []
    for thread_id, runs, created_at, updated_at in rows[:limit]:
        newest = page_of_runs(db, owner, source, thread_id, None, 1)[0]
        threads.append(
            Thread(
                id=thread_id,
                runs=runs,
                created_at=created_at,
                updated_at=updated_at,
                last_run_id=newest.id,
                last_status=newest.status,
            )
        )
    return threads


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
        f" WHERE id = ? AND ended_at IS NULL AND lease_until <= {NOW} RETURNING {_COLUMNS}",
        (worker, lease, run_id),
    ).fetchall()
    return _run(rows[0]) if rows else None


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
        db.execute("UPDATE run SET first_seq = last_seq + 1, bytes = 0 WHERE id = ?", (run_id,))
    db.execute(
        f"DELETE FROM run WHERE ended_at < {NOW} - ? AND first_seq > last_seq",
        (retention.forget_after,),
    )
    return ids


def grown(db: sqlite3.Connection, known: dict[str, int]) -> list[str]:
    """Of some runs, those that have more records than we knew of, or that are gone."""
    rows = db.execute(
        "SELECT id, last_seq FROM run WHERE id IN (SELECT value FROM json_each(?))",
        (_json(list(known)),),
    )
    there: dict[str, int] = dict(rows.fetchall())
    return [run_id for run_id, last_seq in known.items() if there.get(run_id, last_seq + 1) > last_seq]
