"""What people think of runs, and what an agent says of itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.http.test_refusals import _app, _by_header
from tests.support.native import stream
from tests.support.server import serve
from unspool import Feedback, Principal, SQLiteLog, Unspool
from unspool.eventlog import Run
from unspool.testing import ScriptedSource


@pytest.mark.parametrize("log", ["memory", "sqlite"])
async def test_feedback_is_stored_replaced_and_shown(log: str, tmp_path: Path) -> None:
    """spec: HTTP-18"""
    source = ScriptedSource(["a", "b"], stall_at=1)
    app = FastAPI()
    options = {"log": SQLiteLog(tmp_path / "log")} if log == "sqlite" else {}
    Unspool(grace=0.2, **options).add_routes(app, source, path="/agent")  # type: ignore[arg-type]
    async with serve(app) as url, httpx.AsyncClient() as client:
        run = (await client.post(f"{url}/agent/runs", json={"input": 1})).json()
        await source.reached.wait()

        async def say(**body: Any) -> dict[str, Any]:
            response = await client.post(f"{url}/agent/feedback", json={"run_id": run["id"], **body})
            assert response.status_code == 200, response.text
            stored: dict[str, Any] = response.json()
            assert stored.pop("run_id") == run["id"]
            assert stored["at"] >= run["created_at"]
            return stored

        async def shown() -> Any:
            return (await client.get(f"{url}/agent/runs/{run['id']}")).json().get("feedback")

        assert await shown() is None
        thumb = await say(score=True)
        assert (thumb["key"], thumb["score"]) == ("score", True)
        assert await shown() == [thumb]
        source.release()
        await client.get(f"{url}/agent/runs/{run['id']}/stream")
        value = await say(key="correction", value={"text": ["no"]}, comment="x" * 4000)
        thumb = await say(key="score", score=-1.5)
        assert await shown() == [value, thumb]
        taken_back = await say(key="score", score=None)
        assert "score" not in taken_back
        assert await shown() == [value, taken_back]


async def test_feedback_that_cannot_be_stored_is_refused() -> None:
    """spec: HTTP-18, SEC-1"""
    ann, bob = {"X-User": "ann"}, {"X-User": "bob"}
    async with serve(_app(authenticate=_by_header)) as url, httpx.AsyncClient() as client:
        run_id = (await stream(f"{url}/agent", {"input": 1}, **ann)).headers["unspool-run-id"]
        for body, headers, mount, status in (
            ({"run_id": "no-such-run"}, ann, "agent", 404),
            ({"run_id": run_id}, bob, "agent", 404),
            ({"run_id": run_id}, ann, "other", 404),
            ({"run_id": run_id}, {}, "agent", 401),
            ({}, ann, "agent", 422),
            ({"run_id": run_id, "key": "a b"}, ann, "agent", 422),
            ({"run_id": run_id, "score": "good"}, ann, "agent", 422),
            ({"run_id": run_id, "comment": "x" * 4001}, ann, "agent", 422),
            ({"run_id": run_id, "scroe": 1}, ann, "agent", 422),
        ):
            refused = await client.post(f"{url}/{mount}/feedback", json=body, headers=headers)
            assert refused.status_code == status, (body, refused.text)
        for number in range(100):
            body = {"run_id": run_id, "key": f"k{number}"}
            assert (await client.post(f"{url}/agent/feedback", json=body, headers=ann)).status_code == 200
        assert (await client.post(f"{url}/agent/feedback", json={"run_id": run_id}, headers=ann)).status_code == 422
        again = await client.post(f"{url}/agent/feedback", json={"run_id": run_id, "key": "k7"}, headers=ann)
        assert again.status_code == 200


async def test_feedback_is_passed_on_and_a_failure_to_do_so_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    passed: list[tuple[Feedback, Run, Principal]] = []

    async def forward(feedback: Feedback, run: Run, principal: Principal) -> None:
        passed.append((feedback, run, principal))
        if feedback.score == 0:
            raise RuntimeError("the other side is down")

    async with serve(_app(on_feedback=forward)) as url, httpx.AsyncClient() as client:
        run_id = (await stream(f"{url}/agent", {"input": 1})).headers["unspool-run-id"]
        for score in (1, 0):
            response = await client.post(f"{url}/agent/feedback", json={"run_id": run_id, "score": score})
            assert (response.status_code, response.json()["score"]) == (200, score)
    assert [(f.score, run.id, who.id) for f, run, who in passed] == [(1, run_id, "anonymous"), (0, run_id, "anonymous")]
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [run_id in record.getMessage() for record in failures] == [True]


async def test_an_agent_says_what_it_takes() -> None:
    """spec: HTTP-17"""

    async def agent(question: str) -> str:
        return question

    app, unspool = FastAPI(), Unspool(max_body_bytes=5000)
    unspool.add_routes(app, agent, path="/agent")
    unspool.add_routes(
        app, agent, path="/eyes", name="sees", description="Looks at things.", accepts=["image/*", "application/pdf"]
    )
    async with serve(app) as url, httpx.AsyncClient() as client:
        plain = (await client.get(f"{url}/agent/schemas")).json()
        eyes = (await client.get(f"{url}/eyes/schemas")).json()
    about = {"input": {"type": "string"}, "output": {}, "config": {}, "max_body_bytes": 5000}
    assert plain == {"name": "agent", "accepts": [], **about}
    assert eyes == {
        "name": "sees",
        "description": "Looks at things.",
        "accepts": ["image/*", "application/pdf"],
        **about,
    }


@pytest.mark.parametrize("accepts", [["image"], ["image/*, text/plain"], "image/*", ["*/*\n"]])
def test_what_is_no_media_type_is_refused(accepts: Any) -> None:
    app, unspool = FastAPI(), Unspool()
    with pytest.raises(ValueError, match="media types"):
        unspool.add_routes(app, ScriptedSource([]), path="/agent", accepts=accepts)
    unspool.add_routes(app, ScriptedSource([]), path="/agent", accepts=[])  # the name is not taken
