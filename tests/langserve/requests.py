"""Every request that the two are compared by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from langserve.lzstring import LZString

from tests.langserve.compare import Asked

DATA_ROUTES = ("invoke", "batch", "stream", "stream_log", "stream_events")
SCHEMAS = ("input_schema", "output_schema", "config_schema")
FILTERS = ("include_names", "include_types", "include_tags", "exclude_names", "exclude_types", "exclude_tags")
HUMAN = {"content": "hi", "type": "human", "additional_kwargs": {}, "example": False}
EVERYTHING = {
    "tags": ["a", "b"],
    "metadata": {"m": 1},
    "run_id": "00000000-0000-4000-8000-000000000001",
    "max_concurrency": 3,
    "recursion_limit": 7,
    "run_name": "mine",
    "configurable": {"user": "u", "z": 9, "__secret": 1},
    "callbacks": [1],
    "unknown": True,
}
INPUTS: list[tuple[str, Any]] = [
    ("add", 1),
    ("words", 3),
    ("chat", "hello"),
    ("chain", {"q": "hello"}),
    ("prompt", {"word": "yes"}),
    ("graph", {"messages": [HUMAN]}),
    ("typed", {"count": 2}),
    ("place", {"city": "Rome"}),
    ("upload", {"file": "aGVsbG8=", "size": 3}),
    ("fails", 1),
    ("refuses", 1),
    ("breaks", 1),
    ("nothing", 1),
    ("thread", 2),
    ("messages", "x"),
    ("read", [HUMAN, {"type": "ai", "content": [{"type": "text", "text": "t"}]}]),
    ("documents", "x"),
    ("set", 1),
    ("decimal", 1),
    ("root", 1),
    ("misfit", 1),
    ("separators", 1),
    ("values", 1),
    ("events", 1),
    ("events-chain", {"q": "hello"}),
    ("events-recovered", 1),
    ("events-found", "x"),
    ("tool", {"x": 2}),
    ("first", 1),
    ("listed", 1),
    ("listed-bound", 1),
    ("modified-later", 1),
]


def hashed(config: dict[str, Any]) -> str:
    """A config as it stands in an address."""
    made: str = LZString.compressToEncodedURIComponent(json.dumps(config))  # type: ignore[no-untyped-call]
    return made


def _runnables() -> Iterator[Asked]:
    for path, given in INPUTS:
        for route in DATA_ROUTES:
            body = {"inputs": [given, given]} if route == "batch" else {"input": given}
            yield Asked(f"{route} of {path}", f"/{path}/{route}", body)
        for schema in SCHEMAS:
            yield Asked(f"{schema} of {path}", f"/{path}/{schema}", method="GET")


def _streams() -> Iterator[Asked]:
    yield Asked("no chunks", "/words/stream", {"input": 0})
    yield Asked("no chunks, as a log", "/words/stream_log", {"input": 0})
    yield Asked("no chunks, as events", "/words/stream_events", {"input": 0})
    for name in FILTERS:
        for value in (["RunnableSequence", "StrOutputParser", "chain", "seq:step:1"], [], 5):
            yield Asked(f"events, {name} {value}", "/chain/stream_events", {"input": {"q": "x"}, name: value})
            yield Asked(f"log, {name} {value}", "/chain/stream_log", {"input": {"q": "x"}, name: value})
    yield Asked("log without diff", "/words/stream_log", {"input": 2, "diff": False})
    yield Asked("events, kwargs", "/words/stream_events", {"input": 2, "kwargs": {"version": "v2"}})


def _refusals() -> Iterator[Asked]:
    for route in DATA_ROUTES:
        one = "inputs" if route == "batch" else "input"
        good = [1] if route == "batch" else 1
        bad: Any = ["no"] if route == "batch" else "no"
        address = f"/add/{route}"
        yield Asked(f"{route}: no JSON", address, "{nope")
        yield Asked(f"{route}: nothing", address, "")
        yield Asked(f"{route}: a list", address, [1])
        yield Asked(f"{route}: null", address, "null")
        yield Asked(f"{route}: empty", address, {})
        yield Asked(f"{route}: bad input", address, {one: bad})
        yield Asked(f"{route}: input null", address, {one: None})
        yield Asked(f"{route}: bad bytes", address, '{"input": "\\ud800"}')
        yield Asked(f"{route}: config null", address, {one: good, "config": None})
        yield Asked(f"{route}: config a number", address, {one: good, "config": 5})
        yield Asked(f"{route}: kwargs a list", address, {one: good, "kwargs": [{}, {}]})
        yield Asked(f"{route}: more than wanted", address, {one: good, "other": 1})
        yield Asked(f"{route}: bad tags", f"/told/{route}", {one: good, "config": {"tags": [1]}})
        yield Asked(f"{route}: bad run id", f"/told/{route}", {one: good, "config": {"run_id": "x"}})
        yield Asked(f"{route}: bad hash", f"/add/c/nope/{route}", {one: good})
        yield Asked(f"{route}: GET", address, method="GET")
        yield Asked(f"{route}: OPTIONS", address, method="OPTIONS")
        yield Asked(f"{route}: not enabled", f"/only/{route}", {one: good})
        yield Asked(f"{route}: not disabled", f"/without/{route}", {one: good})
        yield Asked(f"{route}: guarded, no key", f"/guarded/{route}", {one: good})
        yield Asked(f"{route}: guarded, wrong key", f"/guarded/{route}", {one: good}, headers={"x-key": "no"})
        yield Asked(f"{route}: guarded, key", f"/guarded/{route}", {one: good}, headers={"x-key": "open"})
        yield Asked(f"{route}: bad place", f"/place/{route}", {one: [{"days": 0}] if route == "batch" else {"days": 0}})
    yield Asked("batch: nothing in it", "/add/batch", {"inputs": []})
    yield Asked("batch: a number", "/add/batch", {"inputs": 5})
    yield Asked("batch: one of two bad", "/add/batch", {"inputs": [1, "no"]})
    yield Asked("batch: fewer configs", "/add/batch", {"inputs": [1, 2], "config": [{}]})
    yield Asked("batch: a config that is no object", "/add/batch", {"inputs": [1], "config": [5]})
    yield Asked("an unknown route", "/add/other", {"input": 1})
    for schema in SCHEMAS:
        yield Asked(f"{schema}: POST", f"/add/{schema}", {})
        yield Asked(f"{schema}: not enabled", f"/only/{schema}", method="GET")
        yield Asked(f"{schema}: bad hash", f"/add/c/nope/{schema}", method="GET")
        yield Asked(f"{schema}: guarded", f"/guarded/{schema}", method="GET")


def _configs() -> Iterator[Asked]:
    for path in ("told", "asked", "asked-all", "asked-none", "modified"):
        for route in DATA_ROUTES:
            given: Any = {"x": "hi"}
            fields = {"inputs": [given, given]} if route == "batch" else {"input": given}
            address = f"/{path}/{route}"
            user = {"x-user": "me"}
            yield Asked(f"{route} of {path}, no config", address, fields, headers=user)
            yield Asked(f"{route} of {path}, all of a config", address, {**fields, "config": EVERYTHING}, headers=user)
            yield Asked(f"{route} of {path}, no user", address, fields)
            tail = hashed({"tags": ["h"], "configurable": {"template": "{x} from the hash"}})
            yield Asked(f"{route} of {path}, hash", f"/{path}/c/{tail}/{route}", fields, headers=user)
            both = {**fields, "config": {"tags": ["b"], "configurable": {"template": "{x}!"}}}
            yield Asked(f"{route} of {path}, hash and config", f"/{path}/c/{tail}/{route}", both, headers=user)
        several = {"inputs": [{"x": "1"}, {"x": "2"}], "config": [{"tags": ["1"]}, {"configurable": {"template": "2"}}]}
        yield Asked(f"batch of {path}, a config each", f"/{path}/batch", several, headers={"x-user": "me"})
    other = hashed({"configurable": {"template": "tell {other}"}})
    for schema in SCHEMAS:
        yield Asked(f"{schema}, hash", f"/prompt/c/{other}/{schema}", method="GET")
        yield Asked(f"{schema}, all keys", f"/asked-all/{schema}", method="GET")
    yield Asked("invoke, the hash changes the input", f"/prompt/c/{other}/invoke", {"input": {"other": "x"}})
    yield Asked("invoke, the hash, input of before", f"/prompt/c/{other}/invoke", {"input": {"word": "x"}})


def _langsmith() -> Iterator[Asked]:
    run = "00000000-0000-4000-8000-000000000001"
    for path in ("add", "rated", "linked"):
        yield Asked(f"feedback of {path}", f"/{path}/feedback", {"run_id": run, "key": "k", "score": 1})
        yield Asked(f"feedback of {path}, no key", f"/{path}/feedback", {"run_id": run})
        yield Asked(f"feedback of {path}, HEAD", f"/{path}/feedback", method="HEAD")
        yield Asked(f"feedback of {path}, GET", f"/{path}/feedback", method="GET")
        yield Asked(f"token feedback of {path}", f"/{path}/token_feedback", {"token_or_url": "t", "score": 1})
        yield Asked(f"token feedback of {path}, nothing", f"/{path}/token_feedback", {})
        yield Asked(f"trace link of {path}", f"/{path}/public_trace_link", {"run_id": run}, "PUT")
        yield Asked(f"trace link of {path}, bad", f"/{path}/public_trace_link", {"run_id": "x"}, "PUT")
        yield Asked(f"trace link of {path}, HEAD", f"/{path}/public_trace_link", method="HEAD")
        yield Asked(f"playground of {path}, no slash", f"/{path}/playground", method="GET")


def requests() -> list[Asked]:
    """All of them; names are unique."""
    every = [*_runnables(), *_streams(), *_refusals(), *_configs(), *_langsmith()]
    names = [asked.name for asked in every]
    assert len(set(names)) == len(names), sorted({name for name in names if names.count(name) > 1})
    return every
