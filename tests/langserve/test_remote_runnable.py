"""LangServe's own Python client sees no difference."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from typing_extensions import override

from langserve import RemoteRunnable
from tests.langserve.compare import ORIGINAL, OURS
from tests.langserve.runnables import SEPARATORS


@pytest.fixture(params=[OURS, ORIGINAL], ids=["ours", "theirs"])
def url(request: pytest.FixtureRequest) -> str:
    """The drop-in, and LangServe itself: what is expected here is what it does."""
    found: str = request.getfixturevalue("ours" if request.param == OURS else "original")
    return found


Remote = Callable[[str, str], RemoteRunnable[Any, Any]]


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    """Makes clients, and closes them in time: theirs are closed when they are collected, in whatever loop is left."""
    made: list[RemoteRunnable[Any, Any]] = []

    def make(url: str, path: str) -> RemoteRunnable[Any, Any]:
        made.append(RemoteRunnable(f"{url}/{path}", timeout=20))
        return made[-1]

    yield make
    for one in made:
        one.sync_client.close()
        await one.async_client.aclose()


class Heard(BaseCallbackHandler):
    """What of a run is told to handlers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @override
    def on_chain_start(self, serialized: Any, inputs: Any, **_: Any) -> None:
        self.said.append(f"start {inputs}")

    @override
    def on_chain_end(self, outputs: Any, **_: Any) -> None:
        self.said.append(f"end {outputs}")


async def test_all_methods_answer(remote: Remote, url: str) -> None:
    add, words = remote(url, "add"), remote(url, "words")
    assert (add.invoke(1), await add.ainvoke(2)) == (2, 3)
    assert (add.batch([1, 2]), await add.abatch([3, 4])) == ([2, 3], [4, 5])
    assert add.batch([]) == []
    assert list(words.stream(3)) == ["w0 ", "w1 ", "w2 "]
    assert [piece async for piece in words.astream(2)] == ["w0 ", "w1 "]
    assert [piece async for piece in words.astream(0)] == []
    patches = [patch async for patch in words.astream_log(2)]
    assert patches[0].ops[0]["value"]["streamed_output"] == []
    assert (patches[0] + patches[1] + patches[2]).ops[-1] == {
        "op": "replace",
        "path": "/final_output",
        "value": "w0 w1 ",
    }
    events = [event async for event in words.astream_events(1, version="v2")]
    assert [event["event"] for event in events] == ["on_chain_start", "on_chain_stream", "on_chain_end"]
    assert {event["name"] for event in events} == {"/words"}


async def test_a_chat_model_streams_messages_that_add_up(remote: Remote, url: str) -> None:
    chat = remote(url, "chat")
    whole: Any = None
    async for chunk in chat.astream([SystemMessage("s"), HumanMessage("hi")]):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert (whole.content, whole.tool_calls[0]["args"], whole.usage_metadata["total_tokens"]) == ("Hello", {"a": 1}, 12)
    assert "".join(str(chunk.content) for chunk in chat.stream("hi")) == "Hello"
    answer = await chat.ainvoke("hi")
    assert isinstance(answer, AIMessage)
    assert answer.tool_calls == [{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]


async def test_messages_and_documents_arrive_as_what_they_were(remote: Remote, url: str) -> None:
    messages = await remote(url, "messages").ainvoke("x")
    kinds = [
        "HumanMessage",
        "SystemMessage",
        "AIMessage",
        "ToolMessage",
        "FunctionMessage",
        "AIMessageChunk",
        "AIMessage",
    ]
    assert [type(message).__name__ for message in messages] == kinds
    assert isinstance(messages[3], ToolMessage)
    assert messages[3].artifact == {"a": 1}
    sent = [
        HumanMessage("hi"),
        AIMessage("yes", tool_calls=[{"name": "a", "args": {}, "id": "1", "type": "tool_call"}]),
    ]
    assert await remote(url, "read").ainvoke(sent) == ["HumanMessage: hi", "AIMessage: yes"]
    assert remote(url, "documents").invoke("x") == [Document("p", id="1", metadata={"k": 1})]


async def test_config_travels_as_far_as_the_server_lets_it(remote: Remote, url: str) -> None:
    config: RunnableConfig = {
        "tags": ["t"],
        "metadata": {"m": 1},
        "configurable": {"template": "{x}!", "other": object()},
        "callbacks": [],
    }
    told = await remote(url, "asked-all").ainvoke({"x": "1"}, config)
    assert told["tags"] == ["t"]
    assert told["metadata"]["m"] == 1
    assert told["configurable"] == {"template": "{x}!"}
    assert (await remote(url, "asked").ainvoke({"x": "1"}, config))["tags"] == []


@pytest.mark.filterwarnings("ignore:Accessing the 'model_fields'")  # in the client
async def test_local_handlers_hear_what_the_server_was_told(remote: Remote, url: str) -> None:
    heard = Heard()
    assert await remote(url, "events").ainvoke(1, {"callbacks": [heard]}) == 2
    assert heard.said == ["start 1", "start 1", "end 2", "end 2"]


@pytest.mark.parametrize("path", ["fails", "refuses", "place"])
async def test_failures_are_http_errors_that_tell_no_secret(remote: Remote, url: str, path: str) -> None:
    code = {"fails": 500, "refuses": 418, "place": 422}[path]
    for call in (remote(url, path).ainvoke, remote(url, path).abatch):
        given: Any = [1] if call.__name__ == "abatch" else 1
        with pytest.raises(httpx.HTTPStatusError) as raised:
            await call(given)
        assert raised.value.response.status_code in (code, 500)
        assert "secret" not in str(raised.value)


async def test_a_stream_that_breaks_gives_what_came_before_and_then_the_error(remote: Remote, url: str) -> None:
    pieces: list[str] = []
    with pytest.raises(httpx.HTTPStatusError, match="Internal Server Error") as raised:
        async for piece in remote(url, "breaks").astream(1):
            pieces.append(piece)
    assert pieces == ["one ", "two "]
    assert raised.value.response.status_code == 500
    with pytest.raises(httpx.HTTPStatusError, match="Internal Server Error"):
        list(remote(url, "breaks").stream(1))


async def test_line_ends_of_unicode_do_not_break_the_client(remote: Remote, ours: str) -> None:
    assert "".join([piece async for piece in remote(ours, "separators").astream(1)]) == SEPARATORS
    assert await remote(ours, "separators").ainvoke(1) == SEPARATORS
    assert [event["data"] async for event in remote(ours, "separators").astream_events(1)][-1] == {"output": SEPARATORS}


async def test_sync_generators_stream(remote: Remote, ours: str) -> None:
    assert [piece async for piece in remote(ours, "thread").astream(2)] == ["t0 ", "t1 "]
