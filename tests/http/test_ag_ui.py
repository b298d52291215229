"""AG-UI with its own client, @ag-ui/client's HttpAgent, which verifies every event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.support.node import Node, node
from tests.support.server import serve
from unspool import Principal, RunOptions, SourceError, Unspool
from unspool.events import (
    Data,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    State,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.sources import Call, Item, Rewind
from unspool.testing import ScriptedSource
from unspool.testing.codec import HOSTILE

HOSTILE_TEXT = "".join(HOSTILE)


@pytest.fixture(scope="module")
def client() -> Iterator[Node]:
    """The process that the client runs in."""
    with node(Path(__file__).with_name("ag_ui_client.mjs")) as process:
        yield process


def _app(source: object, **options: Any) -> FastAPI:
    app = FastAPI()
    Unspool(heartbeat=0.3, grace=0.2).add_routes(
        app, source, path="/agent", protocols=["ag-ui"], options=RunOptions(**options), playground=False
    )
    return app


async def test_a_whole_run_is_what_the_client_shows(client: Node) -> None:
    source = ScriptedSource(
        [
            StepStart("s1", "work"),
            StepStart("s2", "work"),
            MessageStart("m1", name="clerk"),
            Reasoning("m1", "hm"),
            Reasoning("m1", "!"),
            *(Token("m1", text) for text in HOSTILE),
            ToolStart("c1", "add", "m1"),
            ToolArgs("c1", '{"a"'),
            ToolArgs("c1", ":1}"),
            ToolCall("c1", "add", {"a": 1}),
            MessageEnd("m1"),
            ToolCall("c2", "boom", {}),
            ToolEnd("c2", error="It broke."),
            ToolEnd("c1", result={"sum": 1}),
            StepEnd("s2", "work"),
            State(snapshot={"a": 1}),
            State(patch=[{"op": "replace", "path": "/a", "value": 2}]),
            Data("note", None),
            Usage(input_tokens=3, output_tokens=2, model="x"),
            Usage(input_tokens=1, model="x"),
            MessageStart("m2"),
            Token("m2", "done"),
            MessageEnd("m2"),
        ]
    )
    async with serve(_app(source)) as url:
        told = await client.ask(
            agent="whole", url=f"{url}/agent/ag-ui", threadId="t1", runId="r1", ask="hi", askId="u1"
        )
    assert (told.get("error"), told["warnings"]) == (None, [])
    assert told["messages"] == [
        {"id": "u1", "role": "user", "content": "hi"},
        {"id": "r1:1", "role": "reasoning", "content": "hm!"},
        {
            "id": "r1",
            "role": "assistant",
            "name": "clerk",
            "content": HOSTILE_TEXT,
            "toolCalls": [
                {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
                {"id": "c2", "type": "function", "function": {"name": "boom", "arguments": "{}"}},
            ],
        },
        {"id": "r1:2", "role": "tool", "toolCallId": "c2", "content": "It broke.", "metadata": {"error": "It broke."}},
        {"id": "r1:3", "role": "tool", "toolCallId": "c1", "content": '{"sum":1}'},
        {"id": "r1:4", "role": "assistant", "content": "done"},
    ]
    assert told["state"] == {"a": 2}
    assert told["events"][-1]["usage"] == [{"model": "x", "inputTokens": 4, "outputTokens": 2, "totalTokens": 6}]
    assert source.calls[0].input == "hi"


class Echo(ScriptedSource):
    """Says what it was asked, as the thread has it."""

    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Answer with the inputs of the thread so far."""
        self.calls.append(call)
        asked = [m.text for past in await call.history() for m in past.messages if m.role == "user"]
        message_id = f"{call.run_id}-m"
        yield MessageStart(message_id)
        yield Token(message_id, " | ".join([*asked, str(call.input)]))
        yield MessageEnd(message_id)


async def test_a_source_gets_what_is_new_and_the_log_remembers_the_rest(client: Node) -> None:
    source = Echo([])
    async with serve(_app(source)) as url:

        async def ask(run_id: str, **more: Any) -> Any:
            return await client.ask(agent="new", url=f"{url}/agent/ag-ui", threadId="t", runId=run_id, **more)

        first = await ask("r1", ask="one", askId="u1")
        second = await ask("r2", ask="two", askId="u2")
        again = await ask("r3", messages=second["messages"][:-1])
        once_more = await ask("r3", messages=second["messages"][:-1])
        edited = await ask("r4", messages=first["messages"], ask="2", askId="u3")
        stranger = await client.ask(
            agent="other", url=f"{url}/agent/ag-ui", threadId="t9", runId="r5", messages=edited["messages"], ask="3"
        )
        nothing = await ask("r6", messages=edited["messages"])
    assert [call.input for call in source.calls[:4]] == ["one", "two", "two", "2"]
    assert [call.replaces for call in source.calls] == [None, None, "r2", "r3", None]
    assert once_more["messages"] == again["messages"]
    assert [message["content"] for message in again["messages"]] == ["one", "one", "two", "one | two"]
    assert [message["content"] for message in edited["messages"]] == ["one", "one", "2", "one | 2"]
    assert [message["role"] for message in source.calls[4].input["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert stranger.get("error") is None
    assert "nothing that is new" in nothing["error"]


async def test_attachments_and_what_only_a_client_shows(client: Node) -> None:
    source = ScriptedSource(["ok"])
    parts = [
        {"type": "text", "text": "see"},
        {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}},
        {"type": "document", "source": {"type": "url", "value": "https://example.org/x.pdf"}},
    ]
    messages = [{"id": "a", "role": "reasoning", "content": "hm"}, {"id": "b", "role": "user", "content": parts}]
    stored = [{"type": "image", "source": {"type": "file", "value": "f1"}}]
    async with serve(_app(source)) as url:
        told = await client.ask(agent="parts", url=f"{url}/agent/ag-ui", threadId="t", messages=messages)
        refused = await client.ask(
            agent="file",
            url=f"{url}/agent/ag-ui",
            threadId="t2",
            messages=[{"id": "c", "role": "user", "content": stored}],
        )
    assert told.get("error") is None
    assert source.calls[0].input == {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image", "base64": "aGk=", "mime_type": "image/png"},
                    {"type": "file", "url": "https://example.org/x.pdf"},
                ],
            }
        ]
    }
    assert "HTTP 422" in refused["error"]


APPROVAL = {
    "action_requests": [
        {"name": "send", "args": {"to": "a"}, "description": "Send to a?"},
        {"name": "send", "args": {"to": "b"}},
    ],
    "review_configs": [{"action_name": "send", "allowed_decisions": ["approve", "edit", "reject"]}],
}


class Asks(ScriptedSource):
    """Waits for a person, and then does what they said."""

    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Ask first; then show the calls again, as LangGraph does, and answer them."""
        self.calls.append(call)
        yield MessageStart(f"{call.run_id}-m")
        for call_id, to in (("c1", "a"), ("c2", "b")):
            yield ToolCall(call_id, "send", {"to": to})
            if call.resumes is not None:
                yield ToolEnd(call_id, result=f"sent to {to}")
        yield MessageEnd(f"{call.run_id}-m")
        if call.resumes is None:
            yield Interrupt("i1", APPROVAL)
            yield Interrupt("i2", "How many?")


async def test_interrupts_are_asked_and_answered(client: Node) -> None:
    source = Asks([])
    async with serve(_app(source)) as url:

        async def ask(**more: Any) -> Any:
            return await client.ask(agent="asks", url=f"{url}/agent/ag-ui", threadId="t", **more)

        asked = await ask(runId="r1", ask="go")
        forgot = await ask(resume=[{"interruptId": "i2", "status": "resolved", "payload": 3}])
        answer: list[dict[str, Any]] = [
            {"interruptId": "i1:0", "status": "resolved", "payload": {"approved": True, "editedArgs": {"to": "z"}}},
            {"interruptId": "i1:1", "status": "resolved", "payload": {"approved": False, "reason": "no"}},
            {"interruptId": "i2", "status": "resolved", "payload": 3},
        ]
        odd = await ask(resume=[*answer[:1], {**answer[1], "payload": "perhaps"}, answer[2]])
        both = await ask(resume=answer, messages=[*asked["messages"], {"id": "x", "role": "user", "content": "also"}])
        done = await ask(runId="r2", resume=answer, messages=asked["messages"])
        again = await ask(runId="r2", resume=answer, messages=asked["messages"])
    assert [(i["id"], i["reason"], i.get("toolCallId"), i["message"]) for i in asked["pending"]] == [
        ("i1:0", "tool_call", "c1", "Send to a?"),
        ("i1:1", "tool_call", "c2", "May send be called?"),
        ("i2", "input_required", None, "How many?"),
    ]
    assert "not addressed" in forgot["error"]
    assert "approved" in odd["error"]
    assert "not both" in both["error"]
    assert (done.get("error"), done["warnings"], done["pending"]) == (None, [], [])
    assert source.calls[1].resumes == "r1"
    assert source.calls[1].answer == {
        "i1": {
            "decisions": [
                {"type": "edit", "edited_action": {"name": "send", "args": {"to": "z"}}},
                {"type": "reject", "message": "no"},
            ]
        },
        "i2": 3,
    }
    assert [message["role"] for message in done["messages"]] == ["user", "assistant", "tool", "tool"]
    assert [call["function"]["arguments"] for call in done["messages"][1]["toolCalls"]] == ['{"to":"a"}', '{"to":"b"}']
    assert again["messages"] == done["messages"]
    assert len(source.calls) == 2


async def test_an_interrupt_that_is_given_up_makes_way_for_a_message(client: Node) -> None:
    source = ScriptedSource([Interrupt("i1", {"ask": "?"})])
    async with serve(_app(source)) as url:
        asked = await client.ask(
            agent="give up", url=f"{url}/agent/ag-ui", threadId="t", runId="r1", ask="go", askId="u"
        )
        cancelled = [{"interruptId": "i1", "status": "cancelled"}]
        await client.ask(
            agent="give up", url=f"{url}/agent/ag-ui", threadId="t", resume=cancelled, ask="other", askId="v"
        )
        answered = await client.ask(
            agent="give up", url=f"{url}/agent/ag-ui", threadId="t", resume=cancelled, runId="r3"
        )
    assert asked["pending"][0]["metadata"] == {"value": {"ask": "?"}}
    second, third = source.calls[1:]
    assert (second.resumes, second.replaces, [m["content"] for m in second.input["messages"]]) == (
        None,
        "r1",
        ["go", "other"],
    )
    assert (third.resumes, third.answer) == (second.run_id, {"i1": None})
    assert answered.get("error") is None


@pytest.mark.parametrize("how", ["error", "cancel", "timeout"])
async def test_whatever_is_open_is_closed_however_a_run_ends(client: Node, how: str) -> None:
    items: list[Any] = [StepStart("s", "work"), MessageStart("m"), Token("m", "par"), ToolStart("c", "f", "m")]
    fail = {4: [SourceError("The model said no.", code="rate_limit")]} if how == "error" else None
    source = ScriptedSource([*items, "x"], fail=fail, stall_at=None if how == "error" else 4)
    app = _app(source, **({"idle_timeout": 0.2} if how == "timeout" else {}))
    found: dict[str, Any] = {}
    async with serve(app) as url, anyio.create_task_group() as tasks, httpx.AsyncClient() as http:

        async def run() -> None:
            found.update(await client.ask(agent=how, url=f"{url}/agent/ag-ui", threadId="t", runId="r", ask="go"))

        tasks.start_soon(run)
        if how == "cancel":
            with anyio.fail_after(10):
                await source.reached.wait()
            await http.post(f"{url}/agent/runs/r/cancel")
    assert found["messages"][-1]["content"] == "par"
    assert [event["type"] for event in found["events"]][-4:-1] == [
        "TOOL_CALL_END",
        "TEXT_MESSAGE_END",
        "STEP_FINISHED",
    ]
    ends = {"error": "rate_limit", "timeout": "timeout"}
    if how == "cancel":
        assert found["events"][-1]["outcome"] == {"type": "cancelled"}
    else:
        assert found["runError"]["code"] == ends[how]


class Raw(ScriptedSource):
    """Yields its items as they are."""

    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Yield them."""
        self.calls.append(call)
        for item in self._items:
            yield item  # type: ignore[misc]  # a test gives items


class SlowOnce(ScriptedSource):
    """Its first call says nothing, until it is cancelled."""

    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Wait, or answer."""
        self.calls.append(call)
        if len(self.calls) == 1:
            self.reached.set()
            await anyio.sleep_forever()
        yield Token("m", "b")


async def test_what_a_retry_voids_is_taken_back(client: Node) -> None:
    items: list[Any] = [
        State(snapshot={"n": 1}),
        MessageStart("m1"),
        Token("m1", "kept, "),
        Token("m1", "and void"),
        State(patch=[{"op": "replace", "path": "/n", "value": 2}]),
        ToolCall("c1", "f", {}),
        ToolEnd("c1", result="x"),
        Rewind(3, "rate_limit"),
        Token("m1", "and new"),
        MessageEnd("m1"),
    ]
    async with serve(_app(Raw(items))) as url:
        told = await client.ask(agent="retry", url=f"{url}/agent/ag-ui", threadId="t", runId="r", ask="go", askId="u")
    assert (told.get("error"), told["warnings"], told["state"]) == (None, [], {"n": 1})
    assert told["messages"] == [
        {"id": "u", "role": "user", "content": "go"},
        {"id": "r", "role": "assistant", "content": "kept, and new"},
    ]


async def test_a_client_that_lost_its_connection_asks_again_and_gets_the_same_run(client: Node) -> None:
    source = ScriptedSource(["a", "b", "c"], stall_at=2)
    async with serve(_app(source)) as url:
        where = {"agent": "cut", "url": f"{url}/agent/ag-ui", "threadId": "t", "runId": "r"}
        cut = await client.ask(**where, ask="go", askId="u", abortAfter="TEXT_MESSAGE_CONTENT")
        source.release()
        told = await client.ask(**where)
        other = await client.ask(**where, messages=[{"id": "u", "role": "user", "content": "something else"}])
    assert [message["role"] for message in cut["messages"]] == ["user", "assistant"]
    assert (told.get("error"), [message["content"] for message in told["messages"]]) == (None, ["go", "abc"])
    assert len(source.calls) == 1
    assert "already used" in other["error"]


async def test_a_run_that_the_client_dropped_is_stopped_before_another_takes_its_place(client: Node) -> None:
    source = SlowOnce([])
    async with serve(_app(source)) as url, httpx.AsyncClient() as http:
        where = {"agent": "dropped", "url": f"{url}/agent/ag-ui", "threadId": "t"}
        await client.ask(**where, ask="go", askId="u", runId="r1", abortAfter="RUN_STARTED")
        with anyio.fail_after(10):
            await source.reached.wait()
        told = await client.ask(**where, ask="again", runId="r2")
        first = (await http.get(f"{url}/agent/runs/r1")).json()
    assert told.get("error") is None
    assert (first["status"], first["replaced"]) == ("cancelled", True)


async def test_a_run_that_asks_twice_without_a_word_is_answered_twice(client: Node) -> None:
    source = ScriptedSource([Interrupt("i1", "?")])
    async with serve(_app(source)) as url:
        where = {"agent": "twice", "url": f"{url}/agent/ag-ui", "threadId": "t"}
        await client.ask(**where, ask="go")
        for payload in (1, 2):
            told = await client.ask(**where, resume=[{"interruptId": "i1", "status": "resolved", "payload": payload}])
            assert told.get("error") is None
    assert [call.answer for call in source.calls] == [None, {"i1": 1}, {"i1": 2}]
    assert [call.resumes for call in source.calls[1:]] == [call.run_id for call in source.calls[:2]]


class AsksOnce(ScriptedSource):
    """Asks in its first run, and has nothing to say to the answer."""

    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Ask, or do nothing."""
        self.calls.append(call)
        if call.resumes is None:
            yield Token(f"{call.run_id}-m", "May I?")
        if len(self.calls) == 1:
            yield Interrupt("i1", "?")


async def test_an_answer_that_left_nothing_to_show_is_not_taken_for_dropped(client: Node) -> None:
    source = AsksOnce([])
    async with serve(_app(source)) as url:
        where = {"agent": "silent", "url": f"{url}/agent/ag-ui", "threadId": "t"}
        await client.ask(**where, ask="go")
        await client.ask(**where, resume=[{"interruptId": "i1", "status": "resolved", "payload": True}])
        told = await client.ask(**where, ask="and now?")
    assert told.get("error") is None
    assert [(call.input, call.replaces) for call in source.calls] == [("go", None), (None, None), ("and now?", None)]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "x"},
        {"id": "u", "role": "robot", "content": "x"},
        {"id": "u", "role": "assistant", "toolCalls": [{"id": "c"}]},
        {"id": "u", "role": "user", "content": 3},
    ],
)
def test_messages_that_are_not_ag_uis_are_refused_before_anything_starts(message: dict[str, Any]) -> None:
    source = ScriptedSource(["a"])
    with TestClient(_app(source)) as http:
        answer = http.post("/agent/ag-ui", json={"threadId": "t", "runId": "r", "messages": [message]})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation")
    assert source.calls == []


def test_ids_that_cannot_be_ours_are_refused() -> None:
    with TestClient(_app(ScriptedSource(["a"]))) as http:
        for ids in ({"threadId": "a/b", "runId": "r"}, {"threadId": "t", "runId": "r:1"}):
            answer = http.post("/agent/ag-ui", json={**ids, "messages": [{"id": "u", "role": "user", "content": "x"}]})
            assert (answer.status_code, answer.json()["code"]) == (422, "validation")


async def test_nobody_answers_or_follows_the_run_of_another() -> None:
    source = ScriptedSource([Interrupt("i1", 1)])
    app = FastAPI()

    async def who(request: Any) -> Principal:
        return Principal(id=request.headers["x-user"])

    Unspool(authenticate=who, grace=0.2).add_routes(app, source, path="/agent", playground=False)
    body = {"threadId": "t", "runId": "r1", "messages": [{"id": "u", "role": "user", "content": "x"}]}
    resume = {**body, "runId": "r2", "resume": [{"interruptId": "i1", "status": "resolved"}]}
    async with serve(app) as url, httpx.AsyncClient() as http:
        mine = await http.post(f"{url}/agent/ag-ui", json=body, headers={"x-user": "a"})
        theirs = await http.post(f"{url}/agent/ag-ui", json=body, headers={"x-user": "b"})
        answer = await http.post(f"{url}/agent/ag-ui", json=resume, headers={"x-user": "b"})
        own = await http.post(f"{url}/agent/ag-ui", json=resume, headers={"x-user": "a"})
    assert (mine.status_code, theirs.status_code, answer.status_code, own.status_code) == (200, 409, 409, 200)


async def test_in_a_long_thread_the_first_run_that_is_gone_is_found() -> None:
    source = ScriptedSource(["a"])
    async with serve(_app(source)) as url, httpx.AsyncClient() as http:
        for number in range(52):
            await http.post(f"{url}/agent/invoke", json={"input": "x", "thread_id": "t", "run_id": f"r{number}"})
        asked = {"id": "u", "role": "user", "content": "y"}
        shown = {"id": "r0", "role": "assistant", "content": "a"}
        await http.post(f"{url}/agent/ag-ui", json={"threadId": "t", "runId": "n1", "messages": [shown, asked]})
        await http.post(f"{url}/agent/ag-ui", json={"threadId": "t", "runId": "n2", "messages": [asked]})
    assert [(call.run_id, call.input, call.replaces) for call in source.calls[-2:]] == [
        ("n1", "y", "r1"),
        ("n2", "y", "r0"),
    ]
