"""The tables, and how a file of an older version gets them."""

from __future__ import annotations

import sqlite3

from unspool.errors import LogUnavailable

NOW = "((julianday('now') - 2440587.5) * 86400.0)"
"""Seconds since the Unix epoch, by the database: one clock for all processes, good to 0.1 ms."""

# One entry per version: what turns a file of the version before into it. Never edit one that was released.
_MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE run (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        source TEXT NOT NULL,
        status TEXT NOT NULL,
        request BLOB NOT NULL,
        request_hash TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        worker TEXT,
        lease_until REAL NOT NULL,
        first_seq INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        cancel_requested INTEGER NOT NULL,
        created_at REAL NOT NULL,
        watched_until REAL NOT NULL,
        ended_at REAL,
        thread_id TEXT,
        idempotency_key TEXT,
        bytes INTEGER NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX run_key ON run (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE INDEX run_owner ON run (owner, created_at, id);
    CREATE INDEX run_thread ON run (owner, thread_id, created_at) WHERE thread_id IS NOT NULL;
    CREATE INDEX run_live ON run (lease_until) WHERE ended_at IS NULL;
    CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;
    CREATE TABLE batch (
        run_id TEXT NOT NULL,
        last_seq INTEGER NOT NULL,
        first_seq INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        at REAL NOT NULL,
        events BLOB NOT NULL,
        PRIMARY KEY (run_id, last_seq)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE run ADD COLUMN replaces TEXT;
    ALTER TABLE run ADD COLUMN replaced_by TEXT;
    CREATE INDEX run_replaced ON run (owner, thread_id) WHERE replaced_by IS NOT NULL;
    CREATE TABLE feedback (
        run_id TEXT NOT NULL,
        key TEXT NOT NULL,
        at REAL NOT NULL,
        given BLOB NOT NULL,
        PRIMARY KEY (run_id, key)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE kept (run_id TEXT PRIMARY KEY, kept BLOB NOT NULL);
    """,
)

VERSION = len(_MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to :data:`VERSION`, in one transaction per version.

    Raises:
        LogUnavailable: The file comes from a newer Unspool.
    """
    while _one_step(connection):
        pass


def _one_step(connection: sqlite3.Connection) -> bool:
    connection.execute("BEGIN IMMEDIATE")  # two processes may open a new file at the same moment
    try:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        _refuse_newer(version)
        if version < VERSION:
            for statement in _MIGRATIONS[version].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1:d}")
        connection.execute("COMMIT")
    except (sqlite3.Error, LogUnavailable):
        connection.execute("ROLLBACK")
        raise
    return version < VERSION


def _refuse_newer(version: int) -> None:
    if version > VERSION:
        raise LogUnavailable(
            f"the event log was written by a newer Unspool (schema {version}; this one knows {VERSION}): "
            "upgrade Unspool, or use another file"
        )
