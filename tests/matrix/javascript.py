"""One Node process that reads runs with the JavaScript clients: a request per line in, an answer per line out."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "js" / "reader.mjs"


@dataclass
class _Question:
    lost: Callable[[], None] | None
    answered: anyio.Event = field(default_factory=anyio.Event)
    answer: Mapping[str, Any] = field(default_factory=dict)


class Reader:
    """Asks the process. Many may ask at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._asked = 0
        self._waiting: dict[int, _Question] = {}

    async def ask(self, protocol: str, *, lost: Callable[[], None] | None = None, **request: Any) -> Any:
        """What the client of ``protocol`` has in the end.

        Args:
            protocol: A function of ``reader.mjs``.
            lost: Called when it says that it lost its connection and made it anew.
            request: For that function.

        Raises:
            AssertionError: It failed.
        """
        assert self._process.stdin is not None
        self._asked += 1
        number, question = self._asked, _Question(lost)
        self._waiting[number] = question
        line = json.dumps({"number": number, "protocol": protocol, **request})
        await self._process.stdin.send(line.encode() + b"\n")
        await question.answered.wait()
        assert "failed" not in question.answer, question.answer["failed"]
        return question.answer["read"]

    async def listen(self) -> None:
        """Take the answers, until the process ends."""
        assert self._process.stdout is not None
        rest = ""
        async for text in TextReceiveStream(self._process.stdout):
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                message = json.loads(line)
                self._take(message)

    def _take(self, message: Mapping[str, Any]) -> None:
        question = self._waiting[message["number"]]
        if message.get("lost"):
            assert question.lost is not None
            question.lost()
            return
        del self._waiting[message["number"]]
        question.answer = message
        question.answered.set()


def bundle(directory: Path) -> Path:
    """Make one file of the reader, our client's sources and the packages: it runs from anywhere."""
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    out = directory / "reader.mjs"
    command = [
        str(esbuild),
        str(SOURCE),
        "--bundle",
        "--platform=node",
        "--format=esm",
        "--log-level=warning",
        "--banner:js=import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);",
        f"--alias:@unspool/client={ROOT / 'packages' / 'client' / 'src' / 'index.ts'}",
        f"--outfile={out}",
    ]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    return out


@asynccontextmanager
async def javascript(directory: Path) -> AsyncIterator[Reader]:
    """Run the process."""
    node = shutil.which("node")
    assert node is not None, "the matrix needs Node"
    program = bundle(directory)
    process = await anyio.open_process([node, str(program)], stderr=None)
    async with process, anyio.create_task_group() as tasks:
        reader = Reader(process)
        tasks.start_soon(reader.listen)
        try:
            yield reader
        finally:
            process.terminate()
            tasks.cancel_scope.cancel()
