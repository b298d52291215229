"""Two people at the routes of the other protocols: whatever ids they share, each has only what is theirs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import httpx
import pytest

from tests.http.test_refusals import _by_header
from tests.support.asking import WAYS, Asking, Served, ag_ui, ai_sdk, serving, ui
from unspool import Call
from unspool.events import Interrupt, Token
from unspool.sources import Item
from unspool.testing import ScriptedSource

ANN, BOB = {"X-User": "ann"}, {"X-User": "bob"}
SECRET = "the vault opens at nine"


class Vault(ScriptedSource):
    """Tells Ann a secret and asks her something, or stays with her; tells others what it remembers of the thread."""

    def __init__(self, *, stays: bool = False) -> None:
        super().__init__([])
        self.stays = stays

    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Answer."""
        self.calls.append(call)
        past = [message.text for run in await call.history() for message in run.messages]
        if call.owner != "ann":
            yield Token(f"{call.run_id}-m", f"I remember {past}.")
            return
        yield Token(f"{call.run_id}-m", SECRET)
        self.reached.set()
        if self.stays:
            await self._released.wait()
        else:
            yield Interrupt("i1", SECRET)


class Bob:
    """Sends what he likes; nothing that he gets may hold the secret."""

    def __init__(self, served: Served) -> None:
        self._served = served

    async def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {**BOB, **request.pop("headers", {})}
        response = await self._served.http.request(method, self._served.url + path, headers=headers, **request)
        assert SECRET not in response.text
        return response

    async def ask(self, asking: Asking, **headers: str) -> httpx.Response:
        return await self("POST", asking.path, json=asking.body, headers=headers)


async def _attack(served: Served, run: str, key: str) -> None:
    """Everything that Bob may try with the ids of Ann's run in the thread ``t``."""
    bob = Bob(served)
    message = {"id": run, "role": "assistant", "content": "x"}
    more = {"id": "u2", "role": "user", "content": "go on"}
    resume = [{"interruptId": "i1", "status": "resolved", "payload": 1}]
    for path in (f"/ai-sdk/t/stream?run_id={run}", f"/ai-sdk/t/stream?run_id={run}&replay=1", f"/runs/{run}"):
        missing = await bob("GET", path.replace(run, "no-such-run"))
        found = await bob("GET", path)
        assert (found.status_code, found.text.replace(run, "no-such-run")) == (404, missing.text)
    for shape in ("token", "delta", "text", "typed", "named"):
        assert (await bob("GET", f"/runs/{run}/stream?shape={shape}&after=1")).status_code == 404
        last = {"Last-Event-ID": f"{run}:1"}
        assert (await bob("GET", f"/stream?shape={shape}&input=x", headers=last)).status_code == 404
    assert (await bob("POST", f"/ai-sdk/t/stop?run_id={run}")).status_code == 404
    assert (await bob("GET", "/ai-sdk/t/stream")).status_code == 204
    assert (await bob("POST", "/ai-sdk/t/stop")).status_code == 204
    assert (await bob("GET", "/threads/t")).status_code == 404
    assert (await bob.ask(ag_ui(run=run))).status_code == 409
    assert (await bob.ask(Asking(WAYS["shape"].path, {"input": "hi", "run_id": run}))).status_code == 409
    replacing = {"input": "hi", "thread_id": "t", "replaces": run}
    assert (await bob.ask(Asking(WAYS["shape"].path, replacing))).status_code == 404
    assert (await bob.ask(ag_ui(message, thread="t", run="b1", resume=resume))).status_code == 409
    part = {"type": "dynamic-tool", "state": "approval-responded", "approval": {"id": "i1", "approved": True}}
    for answer in ({"answer": 1}, {"answers": {"i1": 1}}, {}):
        assert (await bob.ask(ai_sdk(ui("user", "hi"), ui("assistant", part, id=run), **answer))).status_code == 422
    assert await served.runs(**BOB) == []
    told = [
        await bob.ask(ag_ui(message, more, run="b2")),
        await bob.ask(ai_sdk(ui("user", "hi"), ui("assistant", "x", id=run), ui("user", "go on"))),
        *[await bob.ask(way, **{"Idempotency-Key": key}) for name, way in WAYS.items() if name != "ag-ui"],
        await bob.ask(ag_ui(run="b3"), **{"Idempotency-Key": f"{key}-ag-ui"}),
    ]
    assert [response.status_code for response in told] == [200, 200, 200, 422, 422, 422, 200]
    assert {f["id"] for f in await served.runs(**BOB)} == {r.headers["unspool-run-id"] for r in told if r.is_success}
    assert "I remember []" in told[0].text


@pytest.mark.parametrize("name", ["ag-ui", "chat", "shape"])
@pytest.mark.parametrize("stays", [True, False], ids=["while it goes on", "while it waits for an answer"])
async def test_no_id_that_two_people_share_lets_one_touch_the_run_of_the_other(
    name: str, stays: bool, caplog: pytest.LogCaptureFixture
) -> None:
    source = Vault(stays=stays)
    async with serving(source, caplog, authenticate=_by_header) as served:
        ann = served.http.stream(
            "POST", served.url + WAYS[name].path, json=WAYS[name].body, headers={**ANN, "Idempotency-Key": "k"}
        )
        async with ann as response:
            with anyio.fail_after(10):
                await source.reached.wait()
            if not stays:
                await response.aread()
            run = response.headers["unspool-run-id"]
            await _attack(served, run, "k")
            view = (await served.http.get(f"{served.url}/runs/{run}", headers=ANN)).json()
            assert view["status"] == ("running" if stays else "interrupted")
            assert not view.get("replaced")
            assert not view.get("cancel_requested")
            source.release()
            await response.aread()
        assert SECRET in response.text
        assert [found["id"] for found in await served.runs(**ANN)] == [run]
    assert [call.run_id for call in source.calls if call.owner == "ann"] == [run]
    assert {call.replaces for call in source.calls} | {call.resumes for call in source.calls} <= {
        None,
        *_of_bob(source),
    }


def _of_bob(source: Vault) -> list[str]:
    return [call.run_id for call in source.calls if call.owner == "bob"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_without_a_login_nothing_is_started_and_the_refusal_is_a_problem(
    way: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource(["a"])
    async with serving(source, caplog, authenticate=_by_header) as served:
        refused = [
            await served.ask(way),
            await served.http.post(served.url + way.path, content=b"{"),
            await served.http.get(f"{served.url}/ai-sdk/t/stream"),
            await served.http.post(f"{served.url}/ai-sdk/t/stop"),
        ]
        assert {(r.status_code, r.json()["code"]) for r in refused} == {(401, "auth")}
    assert source.calls == []
