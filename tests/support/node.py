"""Node.js, for clients that exist in JavaScript alone: which one, and a process that answers JSON lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
"""Where Node 20 or later is."""
NODE_22 = ROOT / ".venv" / "node22" / "node"


def program(*, newer: bool = False) -> str:
    """Return the path of Node.js, 20 or later; ``newer``: 22 or later, which version 7 of the AI SDK needs."""
    found = shutil.which(str(NODE_22)) if newer else shutil.which("node", path=PATH)
    assert found is not None, "Node.js is not there: `make setup` installs it"
    return found


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
    with subprocess.Popen(
        [program(), str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PATH": PATH},
    ) as process:
        try:
            yield Node(process)
        finally:
            process.kill()
