"""LangServe's own JavaScript client, in Node, sees no difference."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.langserve.runnables import SEPARATORS

SCRIPT = Path(__file__).parent / "js" / "remote.mjs"


def _seen(url: str) -> dict[str, Any]:
    done = subprocess.run(["node", SCRIPT, url], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.fixture(scope="module")
def seen(ours: str) -> dict[str, Any]:
    """What the client saw of us."""
    return _seen(ours)


def test_it_sees_what_it_sees_of_langserve(seen: dict[str, Any], original: str) -> None:
    whatever = {"broken": None}  # it drops pieces that come in one packet with the error
    assert seen | whatever == _seen(original) | whatever


def test_it_invokes_and_batches(seen: dict[str, Any]) -> None:
    assert (seen["invoke"], seen["slash"]) == (2, 2)
    assert (seen["batch"], seen["batchWithConfigs"]) == ([2, 3], [2, 3])


def test_it_streams(seen: dict[str, Any]) -> None:
    assert seen["stream"] == ["w0 ", "w1 ", "w2 "]
    assert seen["empty"] == []
    assert seen["separators"] == SEPARATORS


def test_it_streams_logs_and_events(seen: dict[str, Any]) -> None:
    assert (seen["streamed"], seen["said"]) == (["w0 ", "w1 "], "Hello")
    assert seen["events"] == ["on_parser_start", *["on_parser_stream"] * 6, "on_parser_end"]


def test_it_makes_messages_of_what_a_model_says_and_reads_messages(seen: dict[str, Any]) -> None:
    assert "".join(chunk["content"] for chunk in seen["chat"]) == "Hello"
    assert {chunk["kind"] for chunk in seen["chat"]} == {"AIMessageChunk"}
    assert seen["answer"] == {"kind": "AIMessage", "content": "Hello"}
    assert seen["read"] == ["HumanMessage: hi", "AIMessage: yes"]


def test_its_config_and_its_headers_arrive(seen: dict[str, Any]) -> None:
    assert (seen["told"]["tags"], seen["told"]["configurable"]) == (["t"], {"template": "{x}!"})
    assert seen["header"] == ["modified"]


def test_it_raises_where_something_fails(seen: dict[str, Any]) -> None:
    assert seen["failed"] == "500 Error: Internal Server Error"
    assert seen["invalid"].startswith("422 Error: ")
    assert "".join(seen["broken"]["pieces"]) in {"", "one ", "one two "}
    assert json.loads(seen["broken"]["error"]) == {"status_code": 500, "message": "Internal Server Error"}
    assert "422" in seen["invalidStream"]
