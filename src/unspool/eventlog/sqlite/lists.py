"""Pages of runs and threads, what sources keep, and the feedback on a run. Each function runs inside a transaction."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from unspool.errors import RunNotFound, ThreadNotFound
from unspool.eventlog.base import Feedback, Run, Thread
from unspool.eventlog.sqlite.schema import NOW
from unspool.eventlog.sqlite.statements import COLUMNS, get, run_of


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
        f"SELECT {COLUMNS} FROM run WHERE owner = :owner"
        " AND (:source IS NULL OR source = :source) AND (:thread IS NULL OR thread_id = :thread)"
        " AND (:id IS NULL OR (created_at, id) < (:at, :id)) ORDER BY created_at DESC, id DESC LIMIT :limit",
        {"owner": owner, "source": source, "thread": thread_id, "at": since[0], "id": since[1], "limit": limit},
    )
    return [run_of(row) for row in rows]


def page_of_threads(
    db: sqlite3.Connection, owner: str, source: str | None, thread_id: str | None, before: str | None, limit: int
) -> list[Thread]:
    """Return threads, the one with the newest run first."""
    wanted = {"owner": owner, "source": source, "thread": thread_id}
    those = (
        " FROM run WHERE owner = :owner AND thread_id IS NOT NULL AND (:source IS NULL OR source = :source)"
        " AND (:thread IS NULL OR thread_id = :thread)"
    )
    rows = db.execute(
        f"SELECT thread_id, count(*), min(created_at), max(created_at){those}"
        " GROUP BY thread_id ORDER BY max(created_at) DESC, max(id) DESC",
        wanted,
    ).fetchall()
    if before is not None:
        ids = [row[0] for row in rows]
        if before not in ids:
            raise ThreadNotFound(before)
        rows = rows[ids.index(before) + 1 :]
    rows = rows[:limit]
    ends = db.execute(
        "SELECT * FROM (SELECT thread_id, id, status, first_value(id) OVER oldest,"
        " row_number() OVER (PARTITION BY thread_id ORDER BY created_at DESC, id DESC) AS place"
        f"{those} AND thread_id IN (SELECT value FROM json_each(:page))"
        " WINDOW oldest AS (PARTITION BY thread_id ORDER BY replaced_by IS NOT NULL, created_at, id)"
        ") AS run WHERE place = 1",
        {**wanted, "page": _json([row[0] for row in rows])},
    ).fetchall()
    newest: dict[str, tuple[str, str, str, str, int]] = {end[0]: end for end in ends}
    asked = db.execute(
        "SELECT id, request FROM run WHERE id IN (SELECT value FROM json_each(?))", (_json([end[3] for end in ends]),)
    )
    requests: dict[str, bytes] = dict(asked.fetchall())
    return [
        msgspec.convert(
            {
                "id": row[0],
                "runs": row[1],
                "created_at": row[2],
                "updated_at": row[3],
                "last_run_id": newest[row[0]][1],
                "last_status": newest[row[0]][2],
                "first_run_id": newest[row[0]][3],
                "first_request": requests[newest[row[0]][3]],
            },
            Thread,
        )
        for row in rows
    ]


def replaced(db: sqlite3.Connection, owner: str, source: str, thread_id: str) -> list[str]:
    """Return the ids of the thread's runs that were replaced."""
    rows = db.execute(
        "SELECT id FROM run WHERE owner = ? AND thread_id = ? AND replaced_by IS NOT NULL AND source = ?",
        (owner, thread_id, source),
    )
    return [row[0] for row in rows]


def keep(db: sqlite3.Connection, run_id: str, epoch: int, kept: bytes) -> bool:
    """Store what a source wants back, if the run is still its own."""
    run = get(db, run_id)
    if run.epoch != epoch or run.ended:
        return False
    db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (run_id, kept))
    return True


def kept(db: sqlite3.Connection, run_id: str) -> bytes | None:
    """Return what its source stored last."""
    get(db, run_id)
    row = db.execute("SELECT kept FROM kept WHERE run_id = ?", (run_id,)).fetchone()
    return None if row is None else row[0]


def put_feedback(db: sqlite3.Connection, run_id: str, feedback: Feedback) -> Feedback:
    """Store feedback in place of an earlier one of the same key."""
    get(db, run_id)
    at: float = db.execute(f"SELECT {NOW}").fetchone()[0]
    feedback = msgspec.structs.replace(feedback, at=at)
    db.execute(
        "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?)",
        (run_id, feedback.key, at, msgspec.json.encode(feedback)),
    )
    return feedback


def feedback_on(db: sqlite3.Connection, run_id: str) -> list[Feedback]:
    """Return all feedback on a run, by key."""
    get(db, run_id)
    rows = db.execute("SELECT given FROM feedback WHERE run_id = ? ORDER BY key", (run_id,))
    return [msgspec.json.decode(row[0], type=Feedback) for row in rows]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
