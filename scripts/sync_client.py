"""Writes the sync client from the async one: one text to keep. ``make fmt`` runs it; a test compares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "src" / "unspool" / "client"

CHANGES = [
    (
        "                    async with opened(response.aiter_bytes()) as chunks:\n"
        "                        async for chunk in chunks:\n"
        "                            for record in following.feed(chunk):\n"
        "                                yield record\n",
        "                    for chunk in response.iter_bytes():\n"
        "                        yield from following.feed(chunk)\n",
    ),
    (
        '"""The async client."""',
        '"""The sync client. Written by scripts/sync_client.py from the async one: change that."""',
    ),
    ("from unspool.closing import opened\n", ""),
    ("import anyio\n", ""),
    ("from __future__ import annotations\n\n", "from __future__ import annotations\n\nimport time\n"),
    ("asynccontextmanager", "contextmanager"),
    ("An async context manager and iterator.", "A context manager and iterator."),
    ("await anyio.sleep", "time.sleep"),
    ("AsyncGenerator", "Generator"),
    ("AsyncIterator", "Iterator"),
    ("AsyncRunStream", "RunStream"),
    ("AsyncClient", "Client"),
    ("async def", "def"),
    ("async with", "with"),
    ("async for", "for"),
    ("await ", ""),
    ("__aenter__", "__enter__"),
    ("__aexit__", "__exit__"),
    ("__aiter__", "__iter__"),
    ("def aclose", "def close"),
    (".aclose()", ".close()"),
    (".aread()", ".read()"),
]


def sync_client() -> str:
    """The text of the sync client."""
    text = (CLIENT / "asynchronous.py").read_text()
    for old, new in CHANGES:
        text = text.replace(old, new)
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(CLIENT / "synchronous.py"), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    (CLIENT / "synchronous.py").write_text(sync_client())
