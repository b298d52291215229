"""Whoever changes only the import sees no difference but those that are listed here."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from langchain_core.runnables import RunnableLambda

from tests.langserve.compare import ORIGINAL, OURS, Asked, ask, new_client
from tests.langserve.requests import DATA_ROUTES, requests


@dataclass(frozen=True)
class Difference:
    """Requests that we answer in another way, why, and how: the status, and a part of the body."""

    names: str
    why: str
    status: int
    part: str


_SCRUBBED = '"message": "Internal Server Error"}'
_STREAMS = ("stream", "stream_log", "stream_events")

INTENDED: list[Difference] = [
    *(
        Difference(f"{route} of {path}", "the response ends as it should after an error event", 200, _SCRUBBED)
        for route in _STREAMS
        for path in ("fails", "breaks", "decimal")
    ),
    *(
        Difference(f"{route} of refuses", "streams tell what the other routes tell", 200, '"message": "a teapot"}')
        for route in _STREAMS
    ),
    *(
        Difference(f"{route} of thread", "plain generators stream", 200, "t1 ")
        for route in ("invoke", "batch", *_STREAMS)
    ),
    *(
        Difference(f"{route} of set", "sets have a form in JSON", 200, "[1,2]")
        for route in ("invoke", "batch", *_STREAMS)
    ),
    *(
        Difference(f"{route} of root", "an output stays as it is that has the key root", 200, '{"root":5,"other":1}')
        for route in ("invoke", "batch")
    ),
    *(
        Difference(f"{route} of separators", "line ends of Unicode do not break the Python client", 200, "a\\u2028b")
        for route in _STREAMS
    ),
    *(
        Difference(f"{route} of events-chain", "what chat models say can be told", 200, '"type":"on_llm_end"')
        for route in ("invoke", "batch")
    ),
    *(
        Difference(f"{route} of tool", "tools may return what is no string", 200, '"type":"on_tool_end"')
        for route in ("invoke", "batch")
    ),
    *(
        Difference(f"{route} of listed", "the allow list does not break the stream", 200, "event: end")
        for route in ("stream_log", "stream_events")
    ),
    *(
        Difference(
            f"{route}: {given}", "our own name for the model of the request", 422, '"type":"model_type","loc":[]'
        )
        for route in DATA_ROUTES
        for given in ("a list", "null")
    ),
    *(
        Difference(f"{route}: bad bytes", "half a character is the client's fault", 422, "Invalid JSON body")
        for route in DATA_ROUTES
    ),
    *(Difference(f"{route}: config null", "null is no config", 200, "2") for route in DATA_ROUTES if route != "batch"),
    Difference("batch: bad input", "a bad item is the client's fault", 422, '"loc":["inputs",0]'),
    Difference("batch: bad place", "a bad item is the client's fault", 422, '"loc":["inputs",0,"city"]'),
    Difference("batch: one of two bad", "a bad item is the client's fault", 422, '"loc":["inputs",1]'),
    Difference("batch: input null", "what is no list is the client's fault", 422, '"type":"list_type"'),
    Difference("batch: a number", "what is no list is the client's fault", 422, '"type":"list_type"'),
    *(
        Difference(f"batch of modified, {config}", "a modifier has the last word in batches, too", 200, '"by":"server"')
        for config in ("no config", "all of a config", "hash", "hash and config", "a config each")
    ),
    *(
        Difference(what, "our own words for what is off", 400, '{"detail":"This ')
        for what in (
            "token feedback of add",
            "token feedback of rated",
            "token feedback of linked",
            "feedback of rated",
        )
    ),
    Difference("trace link of linked", "it is off, and not broken", 400, '{"detail":"This '),
]


def _intended(asked: Asked) -> Difference | None:
    found = [one for one in INTENDED if fnmatchcase(asked.name, one.names)]
    assert len(found) < 2, f"{asked.name} is listed twice"
    return found[0] if found else None


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as opened:
        yield opened


@pytest.mark.parametrize("asked", requests(), ids=lambda asked: asked.name)
async def test_the_answer_is_that_of_langserve(
    asked: Asked, client: httpx.AsyncClient, original: str, ours: str
) -> None:
    theirs, our = await ask(client, original, asked), await ask(client, ours, asked)
    intended = _intended(asked)
    if intended is None:
        assert our.lines() == theirs.lines()
        return
    assert our.lines() != theirs.lines(), f"there is no difference any more: {intended.why}"
    assert our.status == intended.status
    assert intended.part in our.text
    assert not our.cut


def test_every_intended_difference_is_asked_for() -> None:
    names = [asked.name for asked in requests()]
    assert [one.names for one in INTENDED if not any(fnmatchcase(name, one.names) for name in names)] == []


def _refused(module: str, call: dict[str, Any], *, times: int = 1, router: bool = False) -> str:
    app: Any = APIRouter() if router else FastAPI()
    arguments = {"runnable": RunnableLambda(lambda x: x), **call}
    runnable = arguments.pop("runnable")
    try:
        for _ in range(times):
            importlib.import_module(module).add_routes(app, runnable, **arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it has to be the same
        return type(error).__name__
    return "mounted"


@pytest.mark.parametrize(
    "call",
    [
        {"runnable": "text"},
        {"path": "nope"},
        {"enabled_endpoints": ["invoke"], "disabled_endpoints": ["batch"]},
        {"enabled_endpoints": ["other"]},
        {"disabled_endpoints": "invoke"},
        {"config_keys": ["run_name"]},
        {"token_feedback_config": {"key_configs": [{"key": "a"}, {"key": "b"}]}},
        {"playground_type": "other"},
        {"enabled_endpoints": []},
        {"times": 2},
        {"times": 2, "router": True},
    ],
    ids=str,
)
def test_what_cannot_be_mounted_is_refused_with_the_same_exception(call: dict[str, Any]) -> None:
    how = {key: call[key] for key in call if key in ("times", "router")}
    call = {key: call[key] for key in call if key not in how}
    assert _refused(OURS, call, **how) == _refused(ORIGINAL, call, **how)


async def test_the_documented_operations_are_the_same(client: httpx.AsyncClient, original: str, ours: str) -> None:
    def documented(schema: dict[str, Any]) -> dict[str, Any]:
        return {
            f"{method} {path}": (operation.get("tags"), operation["summary"].strip(), sorted(operation["responses"]))
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
        }

    both = [(await client.get(f"{url}/openapi.json")).json() for url in (original, ours)]
    theirs, our = map(documented, both)
    more = {name for name in our if name not in theirs}
    assert {name: our[name] for name in our if name not in more} == theirs
    assert {"get /add/runs/{run_id}/stream", "post /add/runs/{run_id}/cancel"} <= more
    assert all(name.endswith(("/runs/{run_id}/stream", "/runs/{run_id}/cancel")) for name in more)
    assert [tag["name"] for tag in both[1]["tags"]] == [tag["name"] for tag in both[0]["tags"]]
