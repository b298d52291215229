"""The protocols of others: what their codecs cost beside the native one, and their own servers beside us."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

from benchmarks.measure import Server, http, median, run_load, serving
from unspool.events import AnyEvent, End, MessageEnd, MessageStart, Record, Start, Token, encode
from unspool.wire import Codec, NativeNdjson, NativeSse
from unspool.wire.ag_ui import AgUiSse
from unspool.wire.ai_sdk import AiSdkSse
from unspool.wire.plain_text import PlainText
from unspool.wire.shapes import SHAPES, ShapeSse

NATIVE = "native"
BATCHES = (1, 64)
"""How many records a codec is given at once: one, where the model is slow, and many, where a follower catches up."""

CODECS: dict[str, Callable[[], Codec]] = {
    NATIVE: NativeSse,
    "NDJSON": NativeNdjson,
    "AI SDK 6": lambda: AiSdkSse("r"),
    "AI SDK 7": lambda: AiSdkSse("r", version=7),
    "AG-UI": lambda: AgUiSse("t", "r"),
    "plain text": PlainText,
    **{f"shape {shape}": partial(ShapeSse, shape) for shape in SHAPES},
}


class Job(NamedTuple):
    """A stream to read: of which app, how it is asked for, and what stands in it once a token."""

    app: str
    request: Callable[[], str]
    marker: str


def _said(count: int) -> list[Record]:
    """A run that says ``token `` so many times."""
    events: list[AnyEvent] = [
        Start("r", "agent", 1.0),
        MessageStart("m"),
        *[Token("m", "token ")] * count,
        MessageEnd("m"),
        End("completed"),
    ]
    return [Record(seq, 1.0, encode(event)) for seq, event in enumerate(events, 1)]


def _encode(make: Callable[[], Codec], batches: Sequence[Sequence[Record]]) -> float:
    codec = make()
    began = time.process_time()
    codec.open()
    for batch in batches:
        codec.encode(batch)
    return time.process_time() - began


def codecs(count: int, repeats: int) -> dict[str, dict[str, float]]:
    """CPU per token of each codec by itself, in microseconds, by the size of the batches."""
    found: dict[str, dict[str, float]] = {name: {} for name in CODECS}
    for size in BATCHES:
        spent: dict[str, list[float]] = {name: [] for name in CODECS}
        for _ in range(repeats + 1):  # the first is the warm-up
            for name, make in CODECS.items():
                said = _said(count)  # anew: a record keeps what it was decoded to
                batches = [said[at : at + size] for at in range(0, len(said), size)]
                spent[name].append(_encode(make, batches))
        for name, seconds in spent.items():
            found[name][str(size)] = median(seconds[1:]) / count * 1e6
    for name, costs in found.items():
        shown = "  ".join(f"{cost:6.2f} µs in batches of {size}" for size, cost in costs.items())
        print(f"  {name:16} {shown}", flush=True)
    return found


def _jobs(count: int) -> dict[str, Job]:
    said = '"content":"token '
    question = http("POST", "/chat/stream", {"input": str(count)})
    kept = http("POST", "/chat/stream", {"input": str(count)}, header="Unspool-Resume: 1")

    def chat() -> str:
        message = {"id": "u", "role": "user", "parts": [{"type": "text", "text": str(count)}]}
        return http("POST", "/agent/ai-sdk", {"id": str(uuid.uuid4()), "messages": [message]})

    return {
        "langserve_chat": Job("langserve", lambda: question, said),
        "ours_langserve": Job("ours_langserve", lambda: question, said),
        "ours_kept": Job("ours_langserve", lambda: kept, said),
        "ai_sdk_node": Job("ai_sdk_node", lambda: http("GET", f"/stream?n={count}"), '"token "'),
        "ours_ai_sdk": Job("ours_memory", chat, '"token "'),
    }


def servers(count: int, repeats: int) -> dict[str, dict[str, float]]:
    """Tokens per second of one unthrottled stream, each server in turn, several times over."""
    jobs = _jobs(count)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in jobs}
    with ExitStack() as stack:
        apps = {app: stack.enter_context(serving(app)) for app in {job.app for job in jobs.values()}}
        for _ in range(repeats + 1):
            for name, job in jobs.items():
                runs[name].append(_read(apps[job.app], job, count))
    found: dict[str, dict[str, float]] = {}
    for name, measured in runs.items():
        found[name] = {
            "tokens_per_second": median([run["tokens"] / run["seconds"] for run in measured[1:]]),
            "cpu_us_per_token": median([run["cpu_us_per_token"] for run in measured[1:]]),
        }
        print(
            f"  {name:16} {found[name]['tokens_per_second']:12,.0f} tokens/s  "
            f"{found[name]['cpu_us_per_token']:8.2f} µs CPU/token",
            flush=True,
        )
    return found


def _read(server: Server, job: Job, count: int) -> dict[str, float]:
    result = run_load(server, job.request(), marker=job.marker)
    if result["tokens"] != count:
        sys.exit(f"{server.app} sent {result['tokens']:.0f} tokens instead of {count}")
    return result


def measure(count: int, repeats: int) -> dict[str, Any]:
    """Both."""
    return {"codecs": codecs(count, repeats), "servers": servers(count, repeats)}
