"""The loop of model calls and tool calls, with the real SDK over real HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import openai
import pytest
from fastapi import FastAPI

from tests.sources.conftest import Connect
from tests.support.native import events_of, stream, text_of
from tests.support.server import serve
from tests.support.sources import collect
from unspool import Unspool
from unspool.closing import opened
from unspool.errors import InvalidInput, SourceError
from unspool.events import (
    Interrupt,
    MessageEnd,
    MessageStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.sources import Call, Keep, Source
from unspool.sources.approvals import REJECTED
from unspool.sources.base import NOT_RUN, TOOL_FAILED, Past
from unspool.sources.openai.responses_agent import responses_agent
from unspool.sources.openai.responses_turns import UNKNOWN_TOOL
from unspool.sources.tools import NOT_VALID, TOOK_TOO_LONG, Tool
from unspool.testing import FakeOpenAI, check_source
from unspool.testing.script import CallTool, Incomplete, Raw, Say, Stall, Think


async def weather(city: str) -> str:
    """Say what the weather is."""
    return f"sunny in {city}"


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


ASKS = [CallTool("weather", '{"city":', '"Paris"}', call_id="c1"), CallTool("add", '{"a":1,"b":2}', call_id="c2")]
TOLD = [
    {"type": "function_call_output", "call_id": "c1", "output": "sunny in Paris"},
    {"type": "function_call_output", "call_id": "c2", "output": "3"},
]


def _items(server: FakeOpenAI, index: int = -1) -> list[Any]:
    """The input of a request, without ids and statuses."""
    left_out = {"id", "status"}
    return [{k: v for k, v in item.items() if k not in left_out} for item in server.requests[index].body["input"]]


def _ends(events: Sequence[Any]) -> dict[str, ToolEnd]:
    return {event.call_id: event for event in events if isinstance(event, ToolEnd)}


async def test_the_model_is_told_what_its_tools_said(connect_both: Connect) -> None:
    with FakeOpenAI([Think("hm"), Say("Let me see."), *ASKS], [Say("Done.")]) as server:
        source = responses_agent(
            connect_both(server), "m", tools=[weather, Tool(add), {"type": "web_search"}], instructions="Be brief."
        )
        events = await collect(source)
    ends = [event for event in events if isinstance(event, ToolEnd)]
    assert sorted(ends, key=lambda end: end.call_id) == [ToolEnd("c1", "sunny in Paris"), ToolEnd("c2", 3)]
    assert [event for event in events if not isinstance(event, ToolEnd)][2:] == [
        Token("run-1-1", "Let me see."),
        ToolStart("c1", "weather", "run-1-1"),
        ToolArgs("c1", '{"city":'),
        ToolArgs("c1", '"Paris"}'),
        ToolCall("c1", "weather", {"city": "Paris"}),
        ToolStart("c2", "add", "run-1-1"),
        ToolArgs("c2", '{"a":1,"b":2}'),
        ToolCall("c2", "add", {"a": 1, "b": 2}),
        Usage(10, 5, 15, model="m"),
        MessageEnd("run-1-1", "tool_calls"),
        MessageStart("run-1-2"),
        Token("run-1-2", "Done."),
        Usage(10, 5, 15, model="m"),
        MessageEnd("run-1-2", "stop"),
    ]
    first, second = (request.body for request in server.requests)
    assert [(tool.get("name"), tool["type"]) for tool in first["tools"]] == [
        ("weather", "function"),
        ("add", "function"),
        (None, "web_search"),
    ]
    assert {key: first[key] for key in ("store", "include", "instructions")} == {
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "instructions": "Be brief.",
    }
    question, thought, said, *rest = _items(server)
    assert (question, thought["type"], said["type"]) == ({"role": "user", "content": "hi"}, "reasoning", "message")
    assert thought["encrypted_content"]
    assert rest == [
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Paris"}'},
        {"type": "function_call", "call_id": "c2", "name": "add", "arguments": '{"a":1,"b":2}'},
        *TOLD,
    ]
    assert second["tools"] == first["tools"]


async def test_it_keeps_the_promises_of_a_source(connect_both: Connect) -> None:
    with FakeOpenAI([CallTool("weather", '{"city":"P"}')], [Say("a")]) as server:
        client = connect_both(server)
        await check_source(lambda: responses_agent(client, "m", tools=[weather]), Call(run_id="r", input="x"))


async def test_tools_of_one_turn_run_at_once_and_end_as_they_are_done(connect: Connect) -> None:
    """Each waits for the other to begin; the first one called ends last."""
    both, second_ended = anyio.Event(), anyio.Event()
    began: list[str] = []

    async def one() -> str:
        began.append("one")
        await both.wait()
        await second_ended.wait()
        return "1"

    async def two() -> str:
        began.append("two")
        both.set()
        return "2"

    with FakeOpenAI([CallTool("one", "{}", call_id="c1"), CallTool("two", "{}", call_id="c2")], [Say("a")]) as server:
        source = responses_agent(connect(server), "m", tools=[one, two])
        ends: list[str] = []
        with anyio.fail_after(10):
            async with opened(source.stream(Call(run_id="r", input="x"))) as events:
                async for event in events:
                    if isinstance(event, ToolEnd):
                        ends.append(event.call_id)
                        second_ended.set()
    assert (sorted(began), ends) == (["one", "two"], ["c2", "c1"])
    assert [item["output"] for item in _items(server)[-2:]] == ["1", "2"]


async def test_what_goes_wrong_with_a_tool_is_told_to_the_model(connect: Connect) -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    async def slow() -> None:
        await anyio.sleep_forever()

    calls = [
        CallTool("add", '{"a":1}', call_id="c1"),
        CallTool("nothing", "{}", call_id="c2"),
        CallTool("broken", "{}", call_id="c3"),
        CallTool("slow", "{}", call_id="c4"),
    ]
    with FakeOpenAI(calls, [Say("sorry")]) as server:
        tools: list[Any] = [add, broken, slow]
        events = await collect(responses_agent(connect(server), "m", tools=tools, tool_timeout=0.05))
    assert {call_id: end.error for call_id, end in _ends(events).items()} == {
        "c1": NOT_VALID,
        "c2": UNKNOWN_TOOL,
        "c3": TOOL_FAILED,
        "c4": TOOK_TOO_LONG,
    }
    assert [item["output"] for item in _items(server)[-4:]] == [
        f"{NOT_VALID} b: Field required",
        f"{UNKNOWN_TOOL} There are: add, broken, slow.",
        TOOL_FAILED,
        TOOK_TOO_LONG,
    ]


async def test_an_agent_that_goes_round_in_circles_is_stopped(connect: Connect) -> None:
    runs: list[str] = []

    def again() -> str:
        runs.append("again")
        return "again"

    with FakeOpenAI([CallTool("again", "{}")]) as server:
        with pytest.raises(SourceError, match="more turns than it is allowed") as caught:
            await collect(responses_agent(connect(server), "m", tools=[again], max_turns=3))
        assert (caught.value.code, len(server.requests), len(runs)) == ("internal", 3, 2)
        kinds = [item.get("type") for item in _items(server)]
        assert kinds == [None, *["function_call", "function_call_output"] * 2]


async def test_an_answer_that_was_cut_short_runs_no_tools(connect: Connect) -> None:
    with FakeOpenAI([CallTool("add", '{"a":1,"b":2}', call_id="c1"), Incomplete()]) as server:
        events = await collect(responses_agent(connect(server), "m", tools=[add]))
    assert events[-2:] == [MessageEnd("run-1-1", "length"), ToolEnd("c1", error=NOT_RUN)]


async def test_a_call_that_only_the_client_could_run_ends_the_run(connect: Connect) -> None:
    item = {"type": "local_shell_call", "id": "i1", "call_id": "c9", "action": {"type": "exec", "command": ["ls"]}}
    raw = Raw({"type": "response.output_item.done", "output_index": 1, "item": {**item, "status": "completed"}})
    with FakeOpenAI([CallTool("add", '{"a":1,"b":2}', call_id="c1"), raw]) as server:
        events = await collect(responses_agent(connect(server), "m", tools=[add]))
    assert events[-2:] == [ToolEnd("c1", error=NOT_RUN), ToolEnd("c9", error=NOT_RUN)]
    approval = {"type": "mcp_approval_request", "id": "mcpr_1", "name": "n", "arguments": "{}", "server_label": "s"}
    raw = Raw({"type": "response.output_item.done", "output_index": 0, "item": approval})
    with FakeOpenAI([raw]) as server, pytest.raises(SourceError, match="cannot pass on"):
        await collect(responses_agent(connect(server), "m", tools=[add]))


@pytest.mark.parametrize("where", ["model", "tool"])
async def test_cancelling_stops_what_is_under_way(connect_both: Connect, where: str) -> None:
    started, stopped = anyio.Event(), anyio.Event()

    async def slow() -> None:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    turns = [[CallTool("slow", "{}")]] if where == "tool" else [[Say("a"), Stall()]]
    with FakeOpenAI(*turns) as server:
        source = responses_agent(connect_both(server), "m", tools=[slow])
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(collect, source)
                await (started.wait() if where == "tool" else server.stalled())
                tasks.cancel_scope.cancel()
            if where == "tool":
                assert stopped.is_set()
            else:
                assert (await server.disconnected(timeout=3)).number == 0


class Asking:
    """An agent whose model asks for three tools, of which two wait for a person."""

    def __init__(self, client: Any, **options: Any) -> None:
        self.runs: list[str] = []
        self.pasts: list[Past] = []

        def read(name: str) -> str:
            self.runs.append(f"read {name}")
            return f"this is {name}"

        def send(to: str) -> str:
            self.runs.append(f"send {to}")
            return f"sent to {to}"

        def delete(name: str) -> str:
            self.runs.append(f"delete {name}")
            return "gone"

        self.source: Source = responses_agent(client, "m", tools=[read, send, delete], **options)

    async def ask(self, value: Any = None, **fields: Any) -> list[Any]:
        run_id = f"run-{len(self.pasts) + 1}"
        found: list[Any] = []

        async def history() -> Sequence[Past]:
            return self.pasts

        with anyio.fail_after(10):
            call = Call(run_id=run_id, input=value, load_history=history, **fields)
            async with opened(self.source.stream(call)) as events:
                async for event in events:
                    found.append(event)
        kept = [event.value for event in found if isinstance(event, Keep)]
        interrupts = [event for event in found if isinstance(event, Interrupt)]
        self.pasts.append(
            Past(
                run_id=run_id,
                status="interrupted" if interrupts else "completed",
                interrupts=interrupts,
                kept=kept[-1] if kept else None,
            )
        )
        return found


WAITS = [
    CallTool("read", '{"name":"a"}', call_id="c1"),
    CallTool("send", '{"to":"b"}', call_id="c2"),
    CallTool("delete", '{"name":"c"}', call_id="c3"),
]
ALLOWED = ["approve", "edit", "reject"]


async def test_tools_that_need_a_person_interrupt_the_run_once_the_others_are_done(connect: Connect) -> None:
    with FakeOpenAI([Think("hm"), *WAITS], [Say("done")]) as server:
        agent = Asking(connect(server), approve=["send", "delete"])
        events = await agent.ask("go")
    assert agent.runs == ["read a"]
    assert isinstance(events[-2], Keep)
    assert events[-1] == Interrupt(
        "approve-c2",
        {
            "action_requests": [{"name": "send", "args": {"to": "b"}}, {"name": "delete", "args": {"name": "c"}}],
            "review_configs": [
                {"action_name": "send", "allowed_decisions": ALLOWED},
                {"action_name": "delete", "allowed_decisions": ALLOWED},
            ],
        },
    )
    assert _ends(events) == {"c1": ToolEnd("c1", "this is a")}
    assert len(server.requests) == 1


async def test_a_resumed_run_does_what_was_decided_and_nothing_twice(connect: Connect) -> None:
    edit = {"type": "edit", "edited_action": {"name": "send", "args": {"to": "z"}}}
    reject = {"type": "reject", "message": "Keep it."}
    with FakeOpenAI([Think("hm"), *WAITS], [Say("done")]) as server:
        agent = Asking(connect(server), approve=lambda name, args: name != "read" and bool(args))
        await agent.ask("go")
        events = await agent.ask(resumes="run-1", answer={"approve-c2": {"decisions": [edit, reject]}})
    assert agent.runs == ["read a", "send z"]
    assert events[:5] == [
        ToolStart("c2", "send"),
        ToolCall("c2", "send", {"to": "z"}),
        ToolStart("c3", "delete"),
        ToolCall("c3", "delete", {"name": "c"}),
        ToolEnd("c3", error=f"{REJECTED} Keep it."),
    ]
    assert events[5:8] == [ToolEnd("c2", "sent to z"), MessageStart("run-2-1"), Token("run-2-1", "done")]
    assert _items(server)[2:] == [
        {"type": "function_call", "call_id": "c1", "name": "read", "arguments": '{"name":"a"}'},
        {"type": "function_call", "call_id": "c2", "name": "send", "arguments": '{"to":"z"}'},
        {"type": "function_call", "call_id": "c3", "name": "delete", "arguments": '{"name":"c"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "this is a"},
        {"type": "function_call_output", "call_id": "c2", "output": "sent to z"},
        {"type": "function_call_output", "call_id": "c3", "output": f"{REJECTED} Keep it."},
    ]


async def test_a_call_id_that_a_provider_uses_twice_is_ours_once(connect: Connect) -> None:
    """Also across the two halves of an interrupted run."""
    again = [CallTool("read", '{"name":"d"}', call_id="c2")]
    with FakeOpenAI(WAITS, again, [Say("done")]) as server:
        agent = Asking(connect(server), approve=["send", "delete"])
        await agent.ask("go")
        events = await agent.ask(resumes="run-1", answer={"approve-c2": True})
    starts = [event.call_id for event in events if isinstance(event, ToolStart)]
    assert starts[:2] == ["c2", "c3"]
    assert len(set(starts)) == 3
    assert agent.runs[-1] == "read d"


async def test_nobody_is_asked_about_a_tool_that_is_not_there(connect: Connect) -> None:
    with FakeOpenAI([CallTool("nothing", "{}", call_id="c1")], [Say("done")]) as server:
        events = await Asking(connect(server), approve=lambda *_: True).ask("go")
    assert _ends(events) == {"c1": ToolEnd("c1", error=UNKNOWN_TOOL)}
    assert isinstance(events[-1], MessageEnd)


@pytest.mark.parametrize(("answer", "runs"), [(True, ["read a", "send b", "delete c"]), ("reject", ["read a"])])
async def test_one_word_decides_about_all(connect: Connect, answer: Any, runs: list[str]) -> None:
    with FakeOpenAI(WAITS, [Say("done")]) as server:
        agent = Asking(connect(server), approve=["send", "delete"])
        await agent.ask("go")
        await agent.ask(resumes="run-1", answer={"approve-c2": answer})
    assert sorted(agent.runs) == sorted(runs)


ONE = {"type": "approve"}


@pytest.mark.parametrize(
    "answer",
    [
        {"other": True},
        {"approve-c2": True, "other": True},
        {},
        {"approve-c2": 5},
        {"approve-c2": "maybe"},
        {"approve-c2": {"decisions": [ONE]}},
        {"approve-c2": {"decisions": [ONE, {"type": "edit", "edited_action": {"name": "send", "args": {}}}]}},
        {"approve-c2": {"decisions": [ONE, {"type": "edit", "edited_action": {"name": "delete", "args": 5}}]}},
    ],
)
async def test_an_answer_that_is_none_is_refused(connect: Connect, answer: Any) -> None:
    with FakeOpenAI(WAITS, [Say("done")]) as server:
        agent = Asking(connect(server), approve=["send", "delete"])
        await agent.ask("go")
        with pytest.raises(InvalidInput):
            await agent.ask(resumes="run-1", answer=answer)
        with pytest.raises(InvalidInput, match="does not wait"):
            await agent.ask(resumes="run-0", answer={"approve-c2": True})
        assert (agent.runs, len(server.requests)) == (["read a"], 1)


async def test_a_thread_goes_on_behind_an_approval(connect: Connect) -> None:
    """Over HTTP, with a log: the call that waited is told to the model once."""

    def send(to: str) -> str:
        return f"sent to {to}"

    with FakeOpenAI([CallTool("send", '{"to":"b"}', call_id="c1")], [Say("done")]) as server:
        app, unspool = FastAPI(), Unspool(grace=0.2)
        unspool.add_routes(app, responses_agent(connect(server), "m", tools=[send], approve=["send"]), path="/agent")
        with anyio.fail_after(20):
            async with serve(app) as url:
                asked = events_of((await stream(f"{url}/agent", {"input": "one", "thread_id": "t"})).content)
                run_id = asked[0]["run_id"]
                assert asked[-1]["status"] == "interrupted"
                async with openai.DefaultAsyncHttpxClient(timeout=20) as http:
                    resumed = await http.post(f"{url}/agent/runs/{run_id}/resume", json={"answer": True})
                answer = events_of(resumed.content)
                await stream(f"{url}/agent", {"input": "two", "thread_id": "t"})
    assert (text_of(answer), answer[-1]["status"]) == ("done", "completed")
    assert _items(server) == [
        {"role": "user", "content": "one"},
        {"type": "function_call", "call_id": "c1", "name": "send", "arguments": '{"to":"b"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "sent to b"},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "two"},
    ]


async def test_wrong_options_are_refused_at_once(connect: Connect) -> None:
    with FakeOpenAI([Say("a")]) as server:
        client = connect(server)
        for wrong in ({"max_turns": 0}, {"tools": [add, add]}, {"approve": ["nothing"]}):
            with pytest.raises(ValueError, match=r"max_turns|two tools|not there"):
                responses_agent(client, "m", **{"tools": [add], **wrong})  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="input"):
            responses_agent(client, "m", tools=[], input="x")
        source = responses_agent(client, "m", tools=[], name="n")
        assert (source.name, source.schemas().config) == ("n", {"type": "object", "additionalProperties": False})
        with pytest.raises(InvalidInput, match="config"):
            await collect(source, config={"a": 1})


@pytest.mark.local_model
async def test_the_embedded_model_answers(real_model: Any) -> None:
    async with openai.AsyncOpenAI(base_url=real_model.base_url, api_key="none", max_retries=0) as client:
        source = responses_agent(client, real_model.name, tools=[], max_output_tokens=12)
        events = await collect(source, "Say hello.")
    assert len([event for event in events if isinstance(event, Token)]) > 2
    assert isinstance(events[-1], MessageEnd)
