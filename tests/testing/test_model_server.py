"""The fake providers, seen by the official SDKs."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import httpx
import openai
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import RawMessageStreamEvent
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from unspool.testing import FakeAnthropic, FakeOpenAI
from unspool.testing.model_server import MAX_BODY_BYTES, Request
from unspool.testing.script import (
    CallTool,
    Cite,
    Drop,
    Fail,
    Incomplete,
    Picture,
    Piece,
    Raw,
    Refuse,
    Say,
    Search,
    Stall,
    Status,
    Think,
    Tokens,
)

SECONDS = 20
HI: Any = [{"role": "user", "content": "hi"}]


@asynccontextmanager
async def asking(server: FakeOpenAI) -> AsyncIterator[AsyncOpenAI]:
    with anyio.fail_after(SECONDS):
        async with AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
            yield client


async def responses(client: AsyncOpenAI, **params: Any) -> list[Any]:
    stream = await client.responses.create(**{"model": "m", "input": "hi", **params}, stream=True)
    return [event async for event in stream]


async def chat(client: AsyncOpenAI, **params: Any) -> list[Any]:
    stream = await client.chat.completions.create(**{"model": "m", "messages": HI, **params}, stream=True)
    return [chunk async for chunk in stream]


async def frames(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> list[Any]:
    """The data of all events of a stream, as they are on the wire."""
    async with httpx.AsyncClient(headers=dict(headers)) as client:
        text = (await client.post(url, json={**body, "stream": True})).text
    data = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    return [TypeAdapter(Any).validate_json(line) for line in data if line != "[DONE]"]


EVERYTHING: Sequence[Piece] = [
    Think("h", "m"),
    Search("rain", "https://ex.org"),
    Say("See ", "ex.org"),
    Cite("https://ex.org", "Ex", 4, 10),
    CallTool("get_weather", '{"city"', ':"Paris"}'),
]


async def test_every_event_of_responses_is_one_that_the_sdk_knows() -> None:
    events: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    pieces = [*EVERYTHING, Think("raw", raw=True), Refuse("No."), Picture("AAAA"), Incomplete()]
    with anyio.fail_after(SECONDS), FakeOpenAI(pieces) as server:
        found = await frames(
            f"{server.base_url}/responses", {"model": "m", "input": "hi"}, {"authorization": "Bearer k"}
        )
    parsed = [events.validate_python(event) for event in found]
    assert [event.type for event in parsed] == [event["type"] for event in found]
    # What the SDK's own types leave open shows as something extra.
    assert [event.type for event in parsed if event.model_extra] == []
    assert [event["sequence_number"] for event in found] == list(range(len(found)))


async def test_every_event_of_messages_is_one_that_the_sdk_knows() -> None:
    events: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    body = {"model": "m", "max_tokens": 9, "messages": HI}
    with anyio.fail_after(SECONDS), FakeAnthropic([*EVERYTHING, Tokens(9, 4, reasoning=2, cached=3)]) as server:
        found = await frames(f"{server.base_url}/v1/messages", body, headers)
    assert found[1] == {"type": "ping"}
    parsed = [events.validate_python(event) for event in found if event["type"] != "ping"]
    assert [event.type for event in parsed if event.model_extra] == []
    assert parsed[-2].usage.model_dump(exclude_none=True) == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 3,
        "output_tokens": 4,
        "output_tokens_details": {"thinking_tokens": 2},
    }


async def test_every_chunk_of_chat_completions_is_one_that_the_sdk_knows() -> None:
    pieces = [Say("a"), Refuse("No."), CallTool("f", "{}"), CallTool("g", "{}"), Incomplete()]
    body = {"model": "m", "messages": HI, "stream_options": {"include_usage": True}}
    with anyio.fail_after(SECONDS), FakeOpenAI(pieces) as server:
        found = await frames(f"{server.base_url}/chat/completions", body, {"authorization": "Bearer k"})
    for chunk in found:
        parsed = ChatCompletionChunk.model_validate(chunk)
        assert not parsed.model_extra
        assert not [choice for choice in parsed.choices if choice.delta.model_extra]
    assert found[-2]["choices"][0]["finish_reason"] == "length"


# The order of types in the captures of what the SDK emits, by script.
_PART = ["response.output_item.added", "response.content_part.added"]
_DONE = ["response.content_part.done", "response.output_item.done"]
ORDERS: Mapping[str, tuple[Sequence[Piece], Sequence[str]]] = {
    "text": (
        [Say("Hel", "lo")],
        [*_PART, *["response.output_text.delta"] * 2, "response.output_text.done", *_DONE, "response.completed"],
    ),
    "refusal": (
        [Refuse("I can", "not.")],
        [*_PART, *["response.refusal.delta"] * 2, "response.refusal.done", *_DONE, "response.completed"],
    ),
    "reasoning": (
        [Think("think", "ing")],
        [
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            *["response.reasoning_summary_text.delta"] * 2,
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.completed",
        ],
    ),
    "tool": (
        [CallTool("get_weather", '{"city"', ':"Paris"}')],
        [
            "response.output_item.added",
            *["response.function_call_arguments.delta"] * 2,
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ],
    ),
    "search": (
        [Search("q", "https://ex.org")],
        [
            "response.output_item.added",
            "response.web_search_call.in_progress",
            "response.web_search_call.searching",
            "response.web_search_call.completed",
            "response.output_item.done",
            "response.completed",
        ],
    ),
    "failed": ([Say("a"), Fail("x", how="failed")], [*_PART, "response.output_text.delta", "response.failed"]),
    "error": ([Say("a"), Fail("x")], [*_PART, "response.output_text.delta", "error"]),
    "incomplete": (
        [Say("a"), Incomplete()],
        [*_PART, "response.output_text.delta", "response.output_text.done", *_DONE, "response.incomplete"],
    ),
}


@pytest.mark.parametrize("script", ORDERS)
async def test_the_events_of_responses_come_in_the_order_of_the_captures(script: str) -> None:
    pieces, types = ORDERS[script]
    with FakeOpenAI(pieces) as server:
        async with asking(server) as client:
            found = [event.type for event in await responses(client)]
    assert found == ["response.created", "response.in_progress", *types]


async def test_a_script_answers_both_apis_of_openai_alike_as_a_stream_and_whole() -> None:
    script = [Say("Hel", "lo"), CallTool("f", '{"a"', ":1}", call_id="c1"), Tokens(7, 3, reasoning=1, cached=2)]
    with FakeOpenAI(script) as server:
        async with asking(server) as client:
            streamed = (await responses(client))[-1].response
            whole = await client.responses.create(model="m", input="hi")
            chunks = await chat(client, stream_options={"include_usage": True})
            completion = await client.chat.completions.create(model="m", messages=HI)
            models = [model.id async for model in client.models.list()]
    assert models == ["fake-model"]
    calls = [{"name": "f", "arguments": '{"a":1}', "call_id": "c1"}]
    for response in (streamed, whole):
        assert response.output_text == "Hello"
        assert [i.to_dict(mode="json") | calls[0] for i in response.output[1:]] == [
            response.output[1].to_dict(mode="json")
        ]
        assert response.usage is not None
        assert (response.usage.input_tokens, response.usage.output_tokens_details.reasoning_tokens) == (7, 1)
    texts = [chunk.choices[0].delta.content for chunk in chunks[:-1]]
    assert "".join(text or "" for text in texts) == completion.choices[0].message.content == "Hello"
    assert chunks[-1].usage == completion.usage
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


def test_sync_clients_are_answered_too() -> None:
    with FakeOpenAI([Say("a", "b")]) as server, OpenAI(base_url=server.base_url, api_key="k") as client:
        stream = client.responses.create(model="m", input="hi", stream=True)
        assert [event.delta for event in stream if event.type == "response.output_text.delta"] == ["a", "b"]
    with FakeAnthropic([Say("a", "b")]) as fake, Anthropic(base_url=fake.base_url, api_key="k") as anthropic:
        with anthropic.messages.stream(model="m", max_tokens=9, messages=HI) as message:
            assert list(message.text_stream) == ["a", "b"]


CALL: Any = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT: Any = {"type": "function_call_output", "call_id": "c", "output": "1"}


async def test_the_turn_is_chosen_by_the_conversation_and_not_by_a_counter() -> None:
    with FakeOpenAI([CallTool("f", "{}")], [Say("one")], [Say("two")]) as server:
        async with asking(server) as client:
            texts = []
            user = {"role": "user", "content": "hi"}
            more = {**CALL, "call_id": "d"}
            for conversation in (
                [user, CALL, RESULT],
                [user, CALL, RESULT],  # a retry
                [user, CALL, more, RESULT, {**RESULT, "call_id": "d"}],  # two calls of one turn
                [user, CALL, RESULT, more, {**RESULT, "call_id": "d"}],
                [user, CALL, RESULT, {"role": "assistant", "content": "one"}, user, CALL, RESULT],
            ):
                texts.append((await client.responses.create(model="m", input=conversation)).output_text)
            first = await client.responses.create(model="m", input="hi")
            assert first.output[0].type == "function_call"
            answer: Any = {**RESULT, "call_id": first.output[0].call_id}
            follow = await client.responses.create(model="m", previous_response_id=first.id, input=[answer])
            again = await client.responses.create(model="m", previous_response_id=follow.id, input="and now?")
            calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
            messages: Any = [
                *HI,
                {"role": "assistant", "tool_calls": calls},
                {"role": "tool", "tool_call_id": "c", "content": "1"},
            ]
            completion = await client.chat.completions.create(model="m", messages=messages)
    assert texts == ["one", "one", "one", "two", "one"]
    assert (follow.output_text, again.output[0].type) == ("one", "function_call")
    assert completion.choices[0].message.content == "one"
    assert [request.turn for request in server.requests] == [1, 1, 1, 2, 1, 0, 1, 0, 1]


async def test_an_answer_may_be_made_from_the_request() -> None:
    def answer(request: Request) -> Sequence[Piece]:
        return [Status(500)] if request.number == 0 else [Say(f"{request.body['input']} at {request.path}")]

    with FakeOpenAI(answer=answer) as server:
        async with AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=1) as client:
            with anyio.fail_after(SECONDS):
                assert (await client.responses.create(model="m", input="hi")).output_text == "hi at /v1/responses"
    assert server.requests[1].headers["authorization"] == "Bearer k"


async def test_raw_events_are_sent_as_they_are() -> None:
    item = {"id": "mcp_1", "type": "mcp_call", "name": "roll", "arguments": "{}", "server_label": "s", "output": "4"}
    raw = [{"type": f"response.output_item.{x}", "output_index": 0, "item": item} for x in ("added", "done")]
    with FakeOpenAI([Raw(*raw), Say("4")]) as server:
        async with asking(server) as client:
            found = await responses(client)
    assert [event.item.to_dict() for event in found[2:4]] == [item, item]
    assert [(event.sequence_number, event.output_index) for event in found[4:5]] == [(4, 1)]
    assert [kind.type for kind in found[-1].response.output] == ["mcp_call", "message"]


BAD_RESPONSES: Sequence[tuple[Any, str]] = [
    ([], "must be provided"),
    ([{"role": "robot", "content": "x"}], "role"),
    ([{"role": "user"}], "content"),
    ([{"role": "user", "content": [{"type": "output_text", "text": "x"}]}], "output_text"),
    ([{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}], "input_text"),
    ([CALL], "No tool output found for function call c"),
    ([RESULT], "No tool call found"),
    ([CALL, {**RESULT, "output": None}], "output"),
    ([{**CALL, "id": "call_1"}, RESULT], "begins with 'fc'"),
    ([{**CALL, "name": "a b"}, RESULT], "Invalid name"),
    ([{**CALL, "call_id": "c" * 65}], "1 to 64"),
    ([{**CALL, "arguments": {}}, RESULT], "expected a string"),
    ([{"type": "reasoning", "id": "rs_1"}], "summary"),
]
_CALLING = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}
BAD_CHATS: Sequence[tuple[Any, str]] = [
    ([], "messages"),
    ([{"role": "robot", "content": "x"}], "robot"),
    ([{"role": "assistant"}], "needs 'content' or 'tool_calls'"),
    ([{"role": "tool", "tool_call_id": "c", "content": "x"}], "must follow the 'tool_calls'"),
    ([_CALLING], "have no tool message"),
    ([_CALLING, *HI], "have no tool message"),
    ([{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}]}], "be a string"),
]
_USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
_USED = {"type": "tool_result", "tool_use_id": "t", "content": "1"}
BAD_MESSAGES: Sequence[tuple[Any, str]] = [
    ([], "at least one message"),
    ([{"role": "assistant", "content": "x"}], "first message"),
    ([*HI, {"role": "tool", "content": "x"}], "must be"),
    ([{"role": "user", "content": " "}], "non-whitespace"),
    ([{"role": "user", "content": []}], "non-empty"),
    ([*HI, {"role": "assistant", "content": [_USE]}], "without `tool_result`"),
    ([*HI, {"role": "assistant", "content": [_USE]}, *HI], "without `tool_result`"),
    ([{"role": "user", "content": [_USED]}], "unexpected `tool_use_id`"),
    ([*HI, {"role": "assistant", "content": [{**_USE, "input": "{}"}]}], "valid dictionary"),
    ([*HI, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": ""}]}], "signature"),
]


async def test_what_the_real_apis_refuse_is_refused() -> None:
    with FakeOpenAI([Say("a")]) as server, FakeAnthropic([Say("a")]) as fake, anyio.fail_after(SECONDS):
        key = {"authorization": "Bearer k", "x-api-key": "k", "anthropic-version": "1"}
        cases = [
            *((f"{server.base_url}/responses", {"input": bad}, why) for bad, why in BAD_RESPONSES),
            *((f"{server.base_url}/chat/completions", {"messages": bad}, why) for bad, why in BAD_CHATS),
            *((f"{fake.base_url}/v1/messages", {"messages": bad, "max_tokens": 9}, why) for bad, why in BAD_MESSAGES),
            (f"{server.base_url}/responses", {"input": "x", "model": ""}, "model"),
            (f"{server.base_url}/responses", {"input": "x", "previous_response_id": "resp_9"}, "not found"),
            (f"{server.base_url}/responses", {"input": "x", "tools": [{"type": "function"}]}, "Invalid name"),
            (f"{fake.base_url}/v1/messages", {"messages": HI}, "max_tokens"),
        ]
        async with httpx.AsyncClient(headers=key) as client:
            for url, body, why in cases:
                answer = await client.post(url, json={"model": "m", **body})
                assert (answer.status_code, why in answer.json()["error"]["message"]) == (400, True), (body, answer)
            assert (await client.post(f"{server.base_url}/responses", content=b"{")).status_code == 400
            assert (await client.get(f"{server.base_url}/responses")).status_code == 404
            for key_header in ("Bearer", ""):
                headers = {"authorization": key_header, "x-api-key": ""}
                for url in (f"{server.base_url}/responses", f"{fake.base_url}/v1/messages"):
                    assert (await client.post(url, json={}, headers=headers)).status_code == 401
    assert server.requests == fake.requests == []


ASKS: Mapping[str, Callable[..., Any]] = {"responses": responses, "chat": chat}


@pytest.mark.parametrize("api", ASKS)
async def test_failures_reach_the_sdk_as_its_own_exceptions(api: str) -> None:
    limit = Status(429, code="rate_limit_exceeded", retry_after=2.5)
    scripts: Sequence[Sequence[Piece]] = [[limit], [Say("a"), Fail("server_error", how="body")], [Say("a"), Drop()]]
    with FakeOpenAI(answer=lambda request: scripts[request.number]) as server:
        async with asking(server) as client:
            with pytest.raises(openai.RateLimitError) as limited:
                await ASKS[api](client)
            with pytest.raises(openai.APIError, match="boom") as failed:
                await ASKS[api](client)
            with pytest.raises(openai.APIConnectionError):
                await ASKS[api](client)
    assert (limited.value.code, limited.value.response.headers["retry-after"]) == ("rate_limit_exceeded", "2.5")
    assert failed.value.code == "server_error"


@pytest.mark.parametrize("api", ASKS)
async def test_a_client_that_leaves_a_stalled_answer_is_seen_at_once(api: str) -> None:
    with FakeOpenAI([Say("a"), Stall(), Say("b")]) as server:
        async with asking(server) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(ASKS[api], client)
            stalled = await server.stalled()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                assert await server.disconnected() is stalled
            with pytest.raises(TimeoutError, match="no client left early"):
                server.wait_disconnected(timeout=0)


def test_a_connection_that_is_reset_is_seen_too_also_where_no_stream_was_asked_for() -> None:
    body = b'{"model": "m", "input": "hi"}'
    head = f"POST /v1/responses HTTP/1.1\r\nauthorization: Bearer k\r\ncontent-length: {len(body)}\r\n\r\n"
    with FakeOpenAI([Stall(), Say("a")]) as server:
        with socket.create_connection(("127.0.0.1", httpx.URL(server.base_url).port or 0), SECONDS) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(head.encode() + body)
            server.wait_stalled()
        assert server.wait_disconnected() is server.requests[0]


def test_a_client_that_has_hung_up_is_not_told_the_rest() -> None:
    body = b'{"model": "m", "input": "hi", "stream": true}'
    head = f"POST /v1/responses HTTP/1.1\r\nauthorization: Bearer k\r\ncontent-length: {len(body)}\r\n\r\n"
    with FakeOpenAI([Say(*["a"] * 10_000)]) as server:
        with socket.create_connection(("127.0.0.1", httpx.URL(server.base_url).port or 0), SECONDS) as client:
            client.sendall(head.encode() + body)
            client.shutdown(socket.SHUT_WR)
            assert server.wait_disconnected() is server.requests[0]


async def test_stalled_answers_go_on_when_they_are_released() -> None:
    answers: list[list[Any]] = []

    async def ask(client: AsyncOpenAI) -> None:
        answers.append([e.delta for e in await responses(client) if e.type == "response.output_text.delta"])

    with FakeOpenAI([Say("a"), Stall(), Say("b")]) as server:
        async with asking(server) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(ask, client)
            tasks.start_soon(ask, client)
            await server.stalled(2)
            server.release()
        async with asking(server) as client:
            await ask(client)
        with pytest.raises(TimeoutError, match="no answer came to a Stall"):
            server.wait_stalled(timeout=0)
    assert answers == [["a", "b"]] * 3


async def test_what_is_under_way_is_cut_when_the_server_is_left() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(FakeOpenAI([Stall()]))
        async with asking(server) as client:
            stream = await client.responses.create(model="m", input="hi", stream=True)
            server.wait_stalled()
            stack.close()
            with pytest.raises(openai.APIConnectionError):
                async for _ in stream:
                    pass


async def test_what_a_format_cannot_say_fails_the_test_and_not_only_the_request() -> None:
    for stream in (True, False):
        with pytest.raises(ValueError, match="chat completions have no form for Search"):
            with FakeOpenAI([Search("q")]) as server:
                async with asking(server) as client:
                    with pytest.raises(openai.InternalServerError):
                        await client.chat.completions.create(model="m", messages=HI, stream=stream)
    with pytest.raises(ZeroDivisionError):
        with FakeOpenAI(answer=lambda request: [Say("a" * (1 // request.number))]) as server:
            async with asking(server) as client:
                with pytest.raises(openai.InternalServerError):
                    await chat(client)
    with pytest.raises(TypeError, match="at least one turn"):
        FakeOpenAI()


@pytest.mark.parametrize("together", [False, True])
async def test_ten_thousand_tokens_are_not_too_many(together: bool) -> None:
    with FakeOpenAI([Say(*["word "] * 10_000)], together=together) as server:
        async with httpx.AsyncClient() as client:
            with anyio.fail_after(SECONDS):
                body = {"model": "m", "messages": HI, "stream": True}
                headers = {"authorization": "Bearer k"}
                answer = await client.post(f"{server.base_url}/chat/completions", json=body, headers=headers)
    assert answer.text.count('"content":"word "') == 10_000


def exchanged(server: FakeOpenAI, size: int, body: bytes) -> bytes:
    """What the server answers to a request for a stream, to the byte."""
    head = f"POST /v1/responses HTTP/1.1\r\nauthorization: Bearer k\r\ncontent-length: {size}\r\n\r\n"
    found = b""
    with socket.create_connection(("127.0.0.1", httpx.URL(server.base_url).port or 0), SECONDS) as client:
        client.sendall(head.encode() + body)
        while piece := client.recv(65536):
            found += piece
            if found.endswith(b"\r\n0\r\n\r\n"):
                break
    return found


@pytest.mark.parametrize("together", [False, True])
def test_what_lies_between_two_waits_can_go_in_one_write(together: bool) -> None:
    asked = b'{"model": "m", "input": "hi", "stream": true}'
    with FakeOpenAI([Say("a"), Stall(), Say("b")], together=together) as server:
        server.release()
        chunks = exchanged(server, len(asked), asked).partition(b"\r\n\r\n")[2]
    sizes: list[int] = []
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        sizes.append(int(size, 16))
        chunks = rest[sizes[-1] + 2 :]
    assert (len(sizes) == 3) is together
    assert sizes[-1] == 0


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    with FakeOpenAI([Say("a")]) as server:
        assert exchanged(server, MAX_BODY_BYTES + 1, b"").startswith(b"HTTP/1.1 411 ")


async def test_messages_of_anthropic_are_streamed_and_whole() -> None:
    with FakeAnthropic([*EVERYTHING], [Refuse("No."), Tokens(5, 2)]) as server:
        async with AsyncAnthropic(base_url=server.base_url, api_key="k", max_retries=0) as client:
            with anyio.fail_after(SECONDS):
                whole = await client.messages.create(model="m", max_tokens=9, messages=HI)
                async with client.messages.stream(model="m", max_tokens=9, messages=HI) as stream:
                    streamed = await stream.get_final_message()
                content: Any = [
                    *HI,
                    {"role": "assistant", "content": [{**_USE, "id": "toolu_1"}]},
                    {"role": "user", "content": [{**_USED, "tool_use_id": "toolu_1"}]},
                ]
                refused = await client.messages.create(model="m", max_tokens=9, messages=content)
    kinds = ["thinking", "server_tool_use", "web_search_tool_result", "text", "tool_use"]
    assert [block.type for block in whole.content] == [block.type for block in streamed.content] == kinds
    assert streamed.content[3].to_dict() == whole.content[3].to_dict()
    assert (streamed.stop_reason, refused.stop_reason, refused.usage.output_tokens) == ("tool_use", "refusal", 2)


def test_the_kit_is_imported_without_a_server_or_an_sdk() -> None:
    code = (
        "import sys, unspool.testing.script; from unspool.testing import FakeOpenAI as fake; "
        "print([m for m in ('uvicorn', 'openai', 'anthropic', 'langchain_core') if m in sys.modules], fake.prefix)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[] /v1\n"
