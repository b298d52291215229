"""A Node process that answers JSON lines, for clients that exist in JavaScript alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

ROOT = Path(__file__).parents[2]


class Node:
    """One process, asked one thing at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    async def ask(self, **request: Any) -> Any:
        """Send one line, and return what the answer to it holds."""
        with anyio.fail_after(30):
            line = await anyio.to_thread.run_sync(self._ask, request, abandon_on_cancel=True)
        assert line, "the Node process ended"
        return json.loads(line)

    def _ask(self, request: dict[str, Any]) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def node(script: Path) -> Iterator[Node]:
    """Run ``script`` until the end of the block."""
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        ["node", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PATH": path},
    ) as process:
        try:
            yield Node(process)
        finally:
            process.kill()
