"""Node processes that read runs with the JavaScript clients: a request per line in, an answer per line out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from tests.support.node import ROOT, program

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


class Readers(NamedTuple):
    """One on the Node that everything runs on, with version 6 of the AI SDK; and one on 22 or later, with version 7."""

    usual: Reader
    newer: Reader


def bundle(directory: Path, *, newer: bool) -> Path:
    """Make one file of the reader, our client's sources and the packages: it runs from anywhere."""
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    client = ROOT / "packages" / "client" / "src"
    out = directory / ("newer.mjs" if newer else "usual.mjs")
    command = [
        str(esbuild),
        str(SOURCE),
        "--bundle",
        "--platform=node",
        "--format=esm",
        "--log-level=warning",
        "--banner:js=import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);",
        f"--alias:@unspool/client={client / 'index.ts'}",
        f"--alias:@unspool/client/ai-sdk={client / 'ai-sdk.ts'}",
        f"--outfile={out}",
    ]
    if newer:
        command += ["--alias:ai=ai-7", "--alias:@ai-sdk/react=ai-7-react"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    held = [name for name in ("ai", "ai-7") if f"node_modules/{name}/dist/" in out.read_text()]
    assert held == ["ai-7" if newer else "ai"]
    return out


@asynccontextmanager
async def javascript(directory: Path, *, newer: bool = False) -> AsyncIterator[Reader]:
    """Run a process."""
    command = [program(newer=newer), str(bundle(directory, newer=newer))]
    process = await anyio.open_process(command, stderr=None)
    async with process, anyio.create_task_group() as tasks:
        reader = Reader(process)
        tasks.start_soon(reader.listen)
        try:
            yield reader
        finally:
            process.terminate()
            tasks.cancel_scope.cancel()
