"""The native protocol's columns: its three transports as they are on the wire, and our clients."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import chain, repeat
from typing import Any, cast

import httpx
import msgspec
from websockets.asyncio.client import connect

from tests.matrix.reading import Column, Reading
from tests.matrix.scenarios import Assembled, ToolUse, assembled
from tests.support.proxy import cutting
from unspool import Transcript
from unspool.client import AsyncClient, Backoff
from unspool.closing import opened
from unspool.events import decode
from unspool.wire import NdjsonDecoder, SseDecoder

CUT_AT_BYTES = 900
"""Of an answer: behind its head, and before the end of the scenario ``cut``."""


Connection = AsyncGenerator[tuple[str, bytes], None]
"""Events, each with the cursor behind it."""


async def _read(reading: Reading, connected: Callable[[Reading, str], Connection]) -> Assembled:
    """Fold what comes; where the scenario is about that, over two connections."""
    transcript, cursor = Transcript(), ""
    if reading.scenario.name == "cut":
        async with opened(connected(reading, "")) as events:
            async for behind, event in events:
                cursor = behind
                transcript.fold_event(transcript.last_seq + 1, decode(event))
                if transcript.text:
                    break
        reading.lost()
    async with opened(connected(reading, cursor)) as events:
        async for _, event in events:
            transcript.fold_event(transcript.last_seq + 1, decode(event))
    return assembled(transcript)


@asynccontextmanager
async def streaming(url: str, **headers: str) -> AsyncGenerator[AsyncGenerator[bytes, None], None]:
    """The body of a GET, piece by piece."""
    async with httpx.AsyncClient(timeout=30) as client, client.stream("GET", url, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        async with opened(response.aiter_raw()) as pieces:
            yield cast("AsyncGenerator[bytes, None]", pieces)


async def _frames(reading: Reading, cursor: str) -> Connection:
    decoder = SseDecoder()
    headers = {"Last-Event-ID": cursor} if cursor else {}
    async with streaming(f"{reading.url}/runs/{reading.run_id}/stream", **headers) as pieces:
        async for piece in pieces:
            for frame in decoder.feed(piece):
                yield frame.id, frame.data.encode()


async def _lines(reading: Reading, cursor: str) -> Connection:
    decoder = NdjsonDecoder()
    url = f"{reading.url}/runs/{reading.run_id}/stream?after={cursor or 0}"
    async with streaming(url, Accept="application/x-ndjson") as pieces:
        async for piece in pieces:
            for line in decoder.feed(piece):
                record = msgspec.json.decode(line)
                yield str(record["seq"]), msgspec.json.encode(record["event"])


async def _messages(reading: Reading, cursor: str) -> Connection:
    async with connect(reading.url.replace("http", "ws") + "/ws") as socket:
        await socket.send(json.dumps({"type": "resume", "run_id": reading.run_id, "after": int(cursor or 0)}))
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "event":
                yield str(message["seq"]), msgspec.json.encode(message["event"])
                if message["event"]["type"] == "end":
                    return


async def read_sse(reading: Reading) -> Assembled:
    """Frame by frame; what was lost is asked for by the cursor of the last frame."""
    return await _read(reading, _frames)


async def read_ndjson(reading: Reading) -> Assembled:
    """Line by line; what was lost is asked for by the number of the last event."""
    return await _read(reading, _lines)


async def read_websocket(reading: Reading) -> Assembled:
    """Message by message; what was lost is asked for by the number of the last event."""
    return await _read(reading, _messages)


@asynccontextmanager
async def losing(reading: Reading) -> AsyncGenerator[str, None]:
    """Where the agent is for this reader: behind a proxy that cuts its first answer, if the scenario is about that."""
    if reading.scenario.name != "cut":
        yield reading.url
        return
    host, _, path = reading.url.removeprefix("http://").partition("/")
    reading.lost()
    async with cutting(f"http://{host}", chain([CUT_AT_BYTES], repeat(1 << 60))) as proxy:
        yield f"{proxy.url}/{path}"
        assert proxy.connections > 1, "the connection was not lost"


async def read_python(reading: Reading) -> Assembled:
    """With ``unspool.client``."""
    async with losing(reading) as url:
        return await _with_client(reading, url)


async def _with_client(reading: Reading, url: str) -> Assembled:
    async with AsyncClient(url, backoff=Backoff(first=0.01)) as client:
        async with client.follow(reading.run_id) as stream:
            async for _ in stream:
                pass
            return assembled(stream.transcript)


async def read_javascript(reading: Reading) -> Assembled:
    """With ``@unspool/client``."""
    async with losing(reading) as url:
        return _of_snapshot(await reading.javascript.usual.ask("unspool", url=url, runId=reading.run_id))


def _of_snapshot(snapshot: dict[str, Any]) -> Assembled:
    found = Assembled(status=snapshot["status"], error=snapshot.get("error"), asked=snapshot["asked"])
    for part in snapshot["parts"]:
        if part["type"] == "tool":
            result = part.get("error") or part.get("result")
            failed = part["status"] == "failed"
            found.tools.append(ToolUse(part["call_id"], part["name"], part.get("args"), result, failed))
        elif part["type"] == "text" and part.get("kind") == "reasoning":
            found.reasoning += part["text"]
        elif part["type"] == "text":
            found.text += part["text"]
    return found


GROUP = "Unspool's own protocol"
COLUMNS = [
    Column("sse", "[SSE](following.md)", GROUP, read_sse),
    Column("ndjson", "[NDJSON](following.md)", GROUP, read_ndjson),
    Column("websocket", "[WebSocket](following.md)", GROUP, read_websocket),
    Column("python", "[`unspool.client`](client.md)", GROUP, read_python),
    Column("javascript", "[`@unspool/client`](javascript.md)", GROUP, read_javascript),
]
