"""Clients of the other protocols that come twice, at the same moment, or leave when it is least convenient."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest

from tests.support.asking import WAYS, Asking, Served, ag_ui, ai_sdk, serving, ui
from unspool import Call, MemoryLog, RunOptions, adapt
from unspool.eventlog import Created, NewRun, Run
from unspool.events import Interrupt, Token
from unspool.sources import Item
from unspool.testing import ScriptedSource


class GatedLog(MemoryLog):
    """Lets runs be created only once so many are asked for: each has looked before any of them is there."""

    def __init__(self) -> None:
        super().__init__()
        self.together = 0
        self.waiting = 0
        self.all_here = anyio.Event()

    def gate(self, together: int) -> None:
        """From here on ``together`` have to come."""
        self.together, self.waiting, self.all_here = together, 0, anyio.Event()

    async def create(self, new: NewRun) -> Created:
        """Wait for the others."""
        self.waiting += 1
        if self.waiting >= self.together:
            self.all_here.set()
        await self.all_here.wait()
        return await super().create(new)


class EndsFirst(MemoryLog):
    """Lets a run end before it hears that it is to be cancelled."""

    def __init__(self, source: ScriptedSource) -> None:
        super().__init__()
        self._source = source

    async def request_cancel(self, run_id: str) -> Run:
        """Cancel what has ended."""
        self._source.release()
        while not (await self.get(run_id)).ended:
            await self.wait(run_id, after=(await self.get(run_id)).last_seq, timeout=5)
        return await super().request_cancel(run_id)


async def _at_once(*asked: Callable[[], Awaitable[httpx.Response]]) -> list[httpx.Response]:
    found: dict[int, httpx.Response] = {}

    async def one(number: int) -> None:
        found[number] = await asked[number]()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(len(asked)):
                tasks.start_soon(one, number)
    return [found[number] for number in range(len(asked))]


def _run_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return response.headers["unspool-run-id"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_request_that_comes_twice_with_one_key_is_one_run(
    way: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    log, source = GatedLog(), ScriptedSource(["a"])
    async with serving(source, caplog, log=log) as served:
        log.gate(2)
        twice = await _at_once(*[lambda: served.ask(way, **{"Idempotency-Key": "k"})] * 2)
        later = await served.ask(way, **{"Idempotency-Key": "k"})
        assert len({_run_of(response) for response in [*twice, later]}) == 1
        assert len({response.text for response in [*twice, later]}) == 1
        assert len(await served.runs()) == 1
    assert len(source.calls) == 1


async def test_a_chat_request_that_comes_again_leaves_alone_what_came_of_it(caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource(["a", "b"])
    key = {"Idempotency-Key": "k"}
    async with serving(source, caplog) as served:
        first = _run_of(await served.ask(ai_sdk()))
        second = _run_of(await served.ask(ai_sdk(ui("user", "hi"), ui("assistant", "ab", id=first), ui("user", "two"))))
        edited = ai_sdk(ui("user", "hi"), ui("assistant", "ab", id=first), ui("user", "zwei"))
        third = _run_of(await served.ask(edited, **key))
        assert _run_of(await served.ask(edited, **key)) == third
        last = _run_of(await served.ask(ai_sdk(ui("user", "all anew"))))
        assert _run_of(await served.ask(edited, **key)) == third
        other = await served.ask(ai_sdk(ui("user", "something else")), **key)
        assert (other.status_code, "already used" in other.text) == (422, True)
        assert [(run["id"], run.get("replaces"), run["status"]) for run in await served.runs()] == [
            (first, None, "completed"),
            (second, None, "completed"),
            (third, second, "completed"),
            (last, first, "completed"),
        ]


async def test_a_retry_with_its_key_follows_the_run_that_goes_on_and_does_not_stop_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    async with serving(source, caplog) as served:

        async def again() -> httpx.Response:
            with anyio.fail_after(10):
                await source.reached.wait()
            request = served.http.stream(
                "POST", f"{served.url}/ai-sdk", json=ai_sdk().body, headers={"Idempotency-Key": "k"}
            )
            async with request as response:
                source.release()
                await response.aread()
                return response

        both = await _at_once(lambda: served.ask(ai_sdk(), **{"Idempotency-Key": "k"}), again)
        assert len({_run_of(response) for response in both}) == 1
        assert [run["status"] for run in await served.runs()] == ["completed"]
    assert len(source.calls) == 1


@pytest.mark.parametrize("way", ["ag-ui", "chat"])
async def test_two_messages_at_the_same_moment_are_both_in_the_thread(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    log, source = GatedLog(), ScriptedSource(["a"])
    asked = [ag_ui(run="r1"), ag_ui(run="r2")] if way == "ag-ui" else [ai_sdk(), ai_sdk(ui("user", "other"))]
    async with serving(source, caplog, log=log) as served:
        log.gate(2)
        both = await _at_once(*[lambda one=one: served.ask(one) for one in asked])
        assert {run["id"] for run in await served.runs()} == {_run_of(response) for response in both}
        thread = (await served.http.get(f"{served.url}/threads/t")).json()
        assert [message["role"] for message in thread["messages"]] == ["user", "assistant"] * 2
        third = await served.ask(ag_ui(run="r3") if way == "ag-ui" else ai_sdk())
        _run_of(third)
        assert sum(not run.get("replaced") for run in await served.runs()) == 1


class AsksOnce(ScriptedSource):
    """Asks, and says what it was answered; stays at the answers that are in ``stays``."""

    def __init__(self, *stays: Any, fails: bool = False) -> None:
        super().__init__([])
        self.stays = stays
        self.fails = fails

    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Ask, or answer."""
        self.calls.append(call)
        message = f"{call.run_id}-m"
        if call.answer is None:
            yield Token(message, "?")
            yield Interrupt("i1", "?")
            return
        yield Token(message, f"got {call.answer['i1']}")
        self.reached.set()
        if call.answer["i1"] in self.stays:
            await self._released.wait()
        if self.fails:
            self.fails = False
            raise RuntimeError("a tool broke")


def _answers(way: str, run: str, answer: Any, number: int) -> Asking:
    """One answer of many, each as another click would send it."""
    if way == "ag-ui":
        said = [{"id": "u", "role": "user", "content": "hi"}, {"id": run, "role": "assistant", "content": "?"}]
        resume = [{"interruptId": "i1", "status": "resolved", "payload": answer}]
        return ag_ui(*said, run=f"answer-{number}", resume=resume)
    if way == "chat":
        return ai_sdk(ui("user", "hi"), ui("assistant", "?", id=run), answer=answer)
    return Asking(f"/runs/{run}/resume?shape=token", {"answer": answer})


@pytest.mark.parametrize("way", ["ag-ui", "chat", "shape"])
async def test_an_interrupt_that_is_answered_twice_is_acted_upon_once(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """spec: HTTP-23"""
    log, source = GatedLog(), AsksOnce()
    async with serving(source, caplog, log=log) as served:
        run = _run_of(await served.ask(WAYS[way]))
        log.gate(3)
        clicks = [(1, 7), (2, 7), (3, 8)]
        first, second, other = await _at_once(
            *[lambda n=n, a=a: served.ask(_answers(way, run, a, n)) for n, a in clicks]
        )
        assert _run_of(first) == _run_of(second)
        assert (other.status_code, "answered already" in other.text) == (409, True)
        log.gate(1)
        assert _run_of(await served.ask(_answers(way, run, 7, 4))) == _run_of(first)
        assert (await served.ask(_answers(way, run, 8, 5))).status_code == 409
        assert len(await served.runs()) == 2
    assert [call.answer for call in source.calls] == [None, {"i1": 7}]


@pytest.mark.parametrize("way", ["ag-ui", "shape"])
@pytest.mark.parametrize("void", ["failed", "cancelled"])
async def test_an_answer_that_came_to_nothing_can_be_given_again(
    way: str, void: str, caplog: pytest.LogCaptureFixture
) -> None:
    """spec: HTTP-23"""
    source = AsksOnce(*([7] if void == "cancelled" else []), fails=void == "failed")
    async with serving(source, caplog) as served:
        run = _run_of(await served.ask(WAYS[way]))

        async def cancel() -> httpx.Response:
            await source.reached.wait()
            newest = (await served.runs())[-1]["id"]
            return await served.http.post(f"{served.url}/runs/{newest}/cancel")

        asked = [lambda: served.ask(_answers(way, run, 7, 1)), *([cancel] if void == "cancelled" else [])]
        answer = _run_of((await _at_once(*asked))[0])
        assert [found["status"] for found in await served.runs()] == ["interrupted", void]
        if void == "failed":
            caplog.clear()
        again = _run_of(await served.ask(_answers(way, run, 8, 2)))
        assert again != answer
        assert _run_of(await served.ask(_answers(way, run, 8, 3))) == again
        assert (await served.ask(_answers(way, run, 9, 4))).status_code == 409
    assert [call.answer for call in source.calls] == [None, {"i1": 7}, {"i1": 8}]


async def test_an_answer_that_was_replaced_can_be_given_again(caplog: pytest.LogCaptureFixture) -> None:
    """spec: HTTP-23"""
    source = AsksOnce()
    async with serving(source, caplog) as served:
        run = _run_of(await served.ask(WAYS["shape"]))
        answer = _run_of(await served.ask(_answers("shape", run, 7, 1)))
        instead = {"input": "instead", "thread_id": "t", "replaces": answer}
        _run_of(await served.ask(Asking("/stream?shape=token", instead)))
        assert _run_of(await served.ask(_answers("shape", run, 8, 2))) != answer
    assert [call.answer for call in source.calls] == [None, {"i1": 7}, None, {"i1": 8}]


async def test_runs_that_answer_nothing_do_not_make_an_answer_void(caplog: pytest.LogCaptureFixture) -> None:
    """spec: HTTP-23"""
    source = AsksOnce()
    async with serving(source, caplog) as served:
        run = _run_of(await served.ask(WAYS["shape"]))
        _run_of(await served.ask(_answers("shape", run, 7, 1)))
        other = _run_of(await served.ask(WAYS["shape"]))
        instead = {"input": "instead", "thread_id": "t", "replaces": other}
        _run_of(await served.ask(Asking("/stream?shape=token", instead)))
        assert (await served.ask(_answers("shape", run, 8, 2))).status_code == 409
    assert [call.answer for call in source.calls] == [None, {"i1": 7}, None, None]


async def test_an_answer_to_another_run_of_the_thread_is_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """spec: HTTP-23"""
    source = AsksOnce()
    async with serving(source, caplog) as served:
        run, other = [_run_of(await served.ask(WAYS["shape"])) for _ in range(2)]
        _run_of(await served.ask(_answers("shape", other, 7, 1)))
        answer = _run_of(await served.ask(_answers("shape", run, 8, 2)))
        assert _run_of(await served.ask(_answers("shape", run, 8, 3))) == answer
    assert [call.answer for call in source.calls] == [None, None, {"i1": 7}, {"i1": 8}]


async def test_a_chat_whose_answer_failed_is_asked_anew_and_not_answered_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = AsksOnce(fails=True)
    async with serving(source, caplog) as served:
        run = _run_of(await served.ask(ai_sdk()))
        _run_of(await served.ask(_answers("chat", run, 7, 1)))
        caplog.clear()
        again = await served.ask(_answers("chat", run, 7, 2))
        assert (again.status_code, again.text) == (409, "the run does not wait for an answer: it is failed")
        _run_of(await served.ask(ai_sdk(trigger="regenerate-message")))
        assert [found.get("replaced", False) for found in await served.runs()] == [True, True, False]


async def test_an_answer_with_a_key_of_its_own_is_found_by_that_key(caplog: pytest.LogCaptureFixture) -> None:
    """spec: HTTP-23, HTTP-5"""
    source = AsksOnce()
    async with serving(source, caplog) as served:
        run = _run_of(await served.ask(ai_sdk()))
        key = {"Idempotency-Key": "k"}
        answer = _run_of(await served.ask(_answers("chat", run, 7, 1), **key))
        assert _run_of(await served.ask(_answers("chat", run, 7, 1), **key)) == answer
        refused = await served.ask(_answers("chat", run, 8, 1), **key)
        assert (refused.status_code, "already used" in refused.text) == (422, True)
        assert _run_of(await served.ask(_answers("chat", run, 7, 1))) == answer
        assert (await served.ask(_answers("chat", run, 8, 1))).status_code == 409
        second = _run_of(await served.ask(_answers("shape", run, 9, 1), **{"Idempotency-Key": "other"}))
        assert _run_of(await served.ask(_answers("shape", run, 9, 1))) == second
        asked = _run_of(await served.ask(WAYS["shape"], **{"Idempotency-Key": "of the question"}))
        refused = await served.ask(_answers("shape", asked, 7, 1), **{"Idempotency-Key": "of the question"})
        assert (refused.status_code, "already used" in refused.text) == (422, True)
    assert len(source.calls) == 4


@pytest.mark.parametrize("way", ["ag-ui", "chat"])
async def test_what_ends_while_it_is_to_be_stopped_for_the_next_is_replaced(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    async with serving(source, caplog, log=EndsFirst(source)) as served:

        async def instead() -> httpx.Response:
            await source.reached.wait()
            return await served.ask(ag_ui(run="r2") if way == "ag-ui" else ai_sdk(ui("user", "instead")))

        first, second = await _at_once(lambda: served.ask(WAYS[way]), instead)
        runs = {run["id"]: (run["status"], run.get("replaces")) for run in await served.runs()}
        assert runs == {_run_of(first): ("completed", None), _run_of(second): ("completed", _run_of(first))}


async def test_a_stop_that_comes_before_its_run_is_told_that_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    log, source = GatedLog(), ScriptedSource(["a", "b"], stall_at=1)
    async with serving(source, caplog, log=log) as served:
        log.gate(2)

        async def stop() -> httpx.Response:
            while not log.waiting:
                await anyio.lowlevel.checkpoint()
            early = await served.http.post(f"{served.url}/ai-sdk/t/stop")
            log.all_here.set()
            await source.reached.wait()
            assert early.status_code == 204
            return await served.http.post(f"{served.url}/ai-sdk/t/stop")

        asked, stopped = await _at_once(lambda: served.ask(ai_sdk()), stop)
        assert stopped.status_code == 202
        assert [(run["id"], run["status"]) for run in await served.runs()] == [(_run_of(asked), "cancelled")]


@pytest.mark.parametrize(
    "refused",
    [ag_ui(run="r2", messages=[]), ag_ui({"id": "u", "role": "user", "content": [{}]}, run="r2"), ai_sdk(ui("user"))],
    ids=["ag-ui without messages", "ag-ui with an odd part", "chat without text"],
)
async def test_what_is_refused_does_not_stop_the_run_that_it_would_have_replaced(
    refused: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    async with serving(source, caplog) as served:

        async def instead() -> httpx.Response:
            await source.reached.wait()
            response = await served.ask(refused)
            source.release()
            return response

        asked, other = await _at_once(lambda: served.ask(WAYS["chat"]), instead)
        assert other.status_code == 422
        assert [(run["id"], run["status"]) for run in await served.runs()] == [(_run_of(asked), "completed")]


async def test_stopping_and_reconnecting_while_a_run_ends_are_answered(caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    async with serving(source, caplog, log=EndsFirst(source)) as served:

        async def when_it_runs(method: str, path: str) -> httpx.Response:
            await source.reached.wait()
            return await served.http.request(method, f"{served.url}/ai-sdk/t/{path}")

        asked, stopped, followed, both = await _at_once(
            lambda: served.ask(ai_sdk()),
            lambda: when_it_runs("POST", "stop"),
            lambda: when_it_runs("GET", "stream"),
            lambda: when_it_runs("POST", "stop"),
        )
        assert {stopped.status_code, both.status_code} == {204}
        assert followed.status_code in {200, 204}
        if followed.status_code == 200:
            assert followed.text.endswith("data: [DONE]\n\n")
        assert "b" in asked.text


async def _raw(served: Served, asking: Asking, *, content: bytes | None = None) -> asyncio.StreamWriter:
    """Send a request on a connection that can be dropped, and return that."""
    body = json.dumps(asking.body).encode()
    head = f"POST /agent{asking.path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n\r\n"
    _, writer = await asyncio.open_connection(*served.host)
    writer.write(head.encode() + (body if content is None else content))
    await writer.drain()
    return writer


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("policy", ["continue", "cancel"])
async def test_a_client_that_leaves_before_the_first_byte_leaves_a_run_that_ends_and_can_be_seen(
    way: Asking, policy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log, source = GatedLog(), ScriptedSource(["a", "b"], stall_at=1)
    async with serving(source, caplog, log=log, options=RunOptions(on_disconnect=policy)) as served:
        log.gate(2)
        writer = await _raw(served, way)
        with anyio.fail_after(10):
            while log.waiting < 1:
                await anyio.lowlevel.checkpoint()
        writer.close()
        await writer.wait_closed()
        log.all_here.set()
        if policy == "continue":
            with anyio.fail_after(10):
                await source.reached.wait()
            source.release()
        with anyio.fail_after(10):
            while not [run for run in await served.runs() if run["status"] in {"completed", "cancelled"}]:
                await anyio.lowlevel.checkpoint()
        assert len(await served.runs()) == 1
        assert (await served.runs())[0]["status"] == ("completed" if policy == "continue" else "cancelled")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_client_that_leaves_in_the_middle_of_its_request_starts_nothing(
    way: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource(["a"])
    async with serving(source, caplog) as served:
        writer = await _raw(served, way, content=json.dumps(way.body).encode()[:-2])
        writer.close()
        await writer.wait_closed()
        assert (await served.ask(way)).status_code == 200
        assert len(await served.runs()) == 1
    assert len(source.calls) == 1


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_client_that_leaves_in_the_middle_of_an_answer_is_let_go(
    way: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    async with serving(source, caplog) as served:
        async with served.http.stream("POST", served.url + way.path, json=way.body) as response:
            run = response.headers["unspool-run-id"]
            with anyio.fail_after(10):
                await source.reached.wait()
            assert served.unspool.runner.followers.count(run) == 1
        with anyio.fail_after(10):
            while served.unspool.runner.followers.count(run):
                await anyio.lowlevel.checkpoint()
        source.release()
        whole = await served.http.get(f"{served.url}/runs/{run}/stream?shape=token")
        assert '{"token":"b"}' in whole.text
    assert source.closed == 1


@pytest.mark.parametrize("way", ["ag-ui", "chat", "shape"])
async def test_an_answer_is_taken_though_its_client_leaves_while_it_is_sent(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    log, source = GatedLog(), AsksOnce()
    async with serving(source, caplog, log=log) as served:
        run = _run_of(await served.ask(WAYS[way]))
        log.gate(2)
        writer = await _raw(served, _answers(way, run, 7, 1))
        with anyio.fail_after(10):
            while log.waiting < 1:
                await anyio.lowlevel.checkpoint()
        writer.close()
        await writer.wait_closed()
        answered = await served.ask(_answers(way, run, 7, 1))
        assert "got 7" in answered.text
        assert [found["status"] for found in await served.runs()] == ["interrupted", "completed"]
    assert len(source.calls) == 2


@pytest.mark.parametrize("way", [ag_ui(run="run-2"), ai_sdk()], ids=["ag-ui", "chat"])
async def test_a_dropped_run_that_does_not_stop_in_time_is_not_replaced(
    way: Asking, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unspool.http.serving.STOP_SECONDS", 0.05)
    begun, may_end = anyio.Event(), anyio.Event()

    async def stubborn(_: Call) -> AsyncGenerator[str, None]:
        try:
            yield "a"
            begun.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await may_end.wait()

    with anyio.fail_after(20):
        async with serving(adapt(stubborn), caplog) as served:
            await served.http.post(f"{served.url}/runs", json={"input": "hi", "thread_id": "t"})
            await begun.wait()
            refused = await served.ask(way)
            may_end.set()
            assert refused.status_code == 409
            assert "did not stop in time" in refused.text
            assert len(await served.runs()) == 1
