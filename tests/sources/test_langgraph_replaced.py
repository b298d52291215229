"""Graphs forget the runs whose place others took: with a real graph, a real checkpointer and a scripted model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from tests.http.test_refusals import _by_header
from tests.sources.test_langgraph import ProcessDied
from tests.support.native import events_of, stream
from tests.support.server import serve
from tests.support.sources import collect
from unspool import Call, Unspool
from unspool.closing import opened
from unspool.events import Record, encode
from unspool.sources import adapt
from unspool.testing.langchain import ScriptedChatModel, done, text


def _chat(model: BaseChatModel, checkpointer: Any) -> Any:
    async def answer(state: MessagesState) -> dict[str, Any]:
        if state["messages"][-1].content == "may you?":
            interrupt("may I?")
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer")
    return builder.compile(checkpointer=checkpointer)


class Conversation:
    """A thread on a real server. ``shown`` is what the model was shown at each call."""

    def __init__(self, url: str, model: ScriptedChatModel) -> None:
        self._url = url
        self._model = model

    @property
    def shown(self) -> list[str]:
        return [" ".join(str(message.content) for message in call) for call in self._model.calls]

    async def ask(self, question: Any, replaces: str | None = None, **more: Any) -> str:
        body = {"input": question, "thread_id": "t", **more}
        if replaces is not None:
            body["replaces"] = replaces
        response = await stream(self._url, body)
        assert response.status_code == 200, response.text
        self.status = events_of(response.content)[-1]["status"]
        return response.headers["unspool-run-id"]

    async def messages(self) -> list[str]:
        async with httpx.AsyncClient() as client:
            thread = (await client.get(f"{self._url}/threads/t")).json()
        return [message["parts"][0]["text"] for message in thread["messages"]]


@asynccontextmanager
async def _conversation(directory: Path) -> AsyncGenerator[Conversation, None]:
    model = ScriptedChatModel.of(*([*text(f"a{number}"), *done()] for number in range(1, 10)))
    async with AsyncSqliteSaver.from_conn_string(str(directory / "memory.sqlite")) as saver:
        app = FastAPI()
        Unspool(grace=0.2).add_routes(app, _chat(model, saver), path="/agent")
        async with serve(app) as url:
            yield Conversation(f"{url}/agent", model)


async def test_what_was_replaced_is_not_in_the_graphs_memory(tmp_path: Path) -> None:
    """spec: THR-4"""
    async with _conversation(tmp_path) as chat:
        one = await chat.ask("q1")
        two = await chat.ask("q2")
        three = await chat.ask("q3")
        again = await chat.ask("q3", three)
        await chat.ask("Q2", two)
        await chat.ask("q4")
        assert chat.shown == [
            "q1",
            "q1 a1 q2",
            "q1 a1 q2 a2 q3",
            "q1 a1 q2 a2 q3",
            "q1 a1 Q2",
            "q1 a1 Q2 a5 q4",
        ]
        assert await chat.messages() == ["q1", "a1", "Q2", "a5", "q4", "a6"]
        await chat.ask("Q1", one)
        await chat.ask("q5")
        assert chat.shown[6:] == ["Q1", "Q1 a7 q5"]
        assert await chat.messages() == ["Q1", "a7", "q5", "a8"]
        assert again != three


async def test_a_run_that_waits_for_an_answer_can_be_replaced(tmp_path: Path) -> None:
    async with _conversation(tmp_path) as chat:
        await chat.ask("q1")
        waiting = await chat.ask("may you?")
        assert chat.status == "interrupted"
        await chat.ask("q2", waiting)
        await chat.ask("q3")
        assert chat.shown == ["q1", "q1 a1 q2", "q1 a1 q2 a2 q3"]


async def test_a_run_that_failed_before_its_first_checkpoint_has_taken_its_place_all_the_same(tmp_path: Path) -> None:
    async with _conversation(tmp_path) as chat:
        await chat.ask("q1")
        two = await chat.ask("q2")
        failed = await chat.ask("Q2", two, config={"no": "such"})
        assert chat.status == "failed"
        await chat.ask("q3")
        assert chat.shown[-1] == "q1 a1 q3"
        await chat.ask("Q3", failed)
        assert chat.shown[-1] == "q1 a1 Q3"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("lost", range(5))
async def test_a_run_that_died_after_it_took_a_place_still_begins_there(lost: int, first: bool) -> None:
    """Whatever of its last events did not reach the log; also where nothing is left before it."""
    saver = InMemorySaver()
    before = [] if first else ["q1"]
    for number, question in enumerate([*before, "q2", "q3"]):
        model = ScriptedChatModel.of([*text("a"), *done()])
        await collect(adapt(_chat(model, saver)), question, thread_id="t", run_id=f"{question}-{number}")
    replaced = ("q2-0", "q3-1") if first else ("q2-1", "q3-2")
    call = Call(run_id="heir", input="Q2", thread_id="t", replaces=replaced[0], replaced=replaced)
    events: list[Any] = []
    with pytest.raises(ProcessDied):
        dying = ScriptedChatModel.of([*text("half"), ProcessDied()])
        async with opened(adapt(_chat(dying, saver)).stream(call)) as streamed:
            async for event in streamed:
                events.append(event)
    kept = events[: max(0, len(events) - lost)]
    records = [Record(1, 0.0, b'{"type":"start","run_id":"heir","source":"s","created_at":0}')]
    records += [Record(seq, 0.0, encode(event)) for seq, event in enumerate(kept, 2)]

    model = ScriptedChatModel.of([*text("whole"), *done()], [*text("next"), *done()])
    source = adapt(_chat(model, saver))
    point = await source.resume_point(call, records)
    assert point is not None
    again = msgspec.structs.replace(call, attempt=2, position=point.position)
    async with opened(source.stream(again)) as streamed:
        async for _ in streamed:
            pass
    await collect(source, "q4", thread_id="t", run_id="next", replaced=replaced)
    begin = "" if first else "q1 a "
    shown = [" ".join(str(message.content) for message in asked) for asked in model.calls]
    assert shown == [f"{begin}Q2", f"{begin}Q2 whole q4"]


async def test_two_people_who_choose_the_same_thread_share_no_memory() -> None:
    model = ScriptedChatModel.of([*text("fine"), *done()])
    app = FastAPI()
    unspool = Unspool(authenticate=_by_header)
    unspool.add_routes(app, _chat(model, InMemorySaver()), path="/agent")
    async with serve(app) as url:
        for user, question in (("ann", "my secret"), ("bob", "what did I say?"), ("ann", "and I?")):
            body = {"input": question, "thread_id": "t"}
            assert (await stream(f"{url}/agent", body, **{"X-User": user})).status_code == 200
    shown = [[message.content for message in call] for call in model.calls]
    assert shown == [["my secret"], ["what did I say?"], ["my secret", "fine", "and I?"]]
