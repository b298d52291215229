"""``unspool doctor``: what is here, and what is not."""

from __future__ import annotations

import importlib.metadata
import platform
import sqlite3

from rich.console import Console
from rich.table import Table

from unspool.errors import UnspoolError
from unspool.local import find_weights

_EXTRAS = {
    "langchain": ("langchain-core",),
    "langgraph": ("langgraph", "langchain-core"),
    "local": ("xllamacpp",),
    "demo": ("langchain-openai", "langgraph-checkpoint-sqlite"),
}


def diagnose() -> None:
    """Print a table of what is installed."""
    table = Table("what", "found", "what to do")
    table.add_row("Python", platform.python_version(), "")
    table.add_row("SQLite", sqlite3.sqlite_version, "")
    for package in ("unspool", "starlette", "fastapi", "uvicorn"):
        table.add_row(package, _version(package) or "missing", "")
    for extra, packages in _EXTRAS.items():
        found = [_version(package) for package in packages]
        text = ", ".join(f"{package} {version or 'missing'}" for package, version in zip(packages, found, strict=True))
        table.add_row(f"extra: {extra}", text, "" if all(found) else f'pip install "unspool[{extra}]"')
    try:
        table.add_row("embedded model", find_weights().name, "")
    except UnspoolError as exc:
        table.add_row("embedded model", "missing", exc.message)
    Console().print(table)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
