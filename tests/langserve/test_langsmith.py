"""Feedback, feedback tokens and trace links: LangSmith is asked for the same, and clients are told the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.langserve.compare import ORIGINAL, OURS, Answered, Asked, ask, new_client, serving, without_ids
from tests.langserve.langsmith_double import LangSmith, langsmith

RUN = "00000000-0000-4000-8000-000000000001"
TOKEN = "00000000-0000-4000-8000-000000000002"
FEEDBACK = {"run_id": RUN, "key": "liked", "score": 1, "comment": "good", "value": {"a": 1}}
REQUESTS = [
    Asked("feedback", "/add/feedback", FEEDBACK),
    Asked("feedback, little of it", "/add/feedback", {"run_id": RUN, "key": "liked"}),
    Asked("feedback, bad run id", "/add/feedback", {"run_id": "x", "key": "liked"}),
    Asked("feedback, HEAD", "/add/feedback", method="HEAD"),
    Asked("token feedback", "/add/token_feedback", {"token_or_url": TOKEN, "score": 1, "metadata": {"a": 1}}),
    Asked("trace link", "/add/public_trace_link", {"run_id": RUN}, "PUT"),
    Asked("trace link, HEAD", "/add/public_trace_link", method="HEAD"),
    Asked("invoke", "/add/invoke", {"input": 1}),
    Asked("batch", "/add/batch", {"inputs": [1, 2]}),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, LangSmith]]]:
    """LangServe and the drop-in, each with a LangSmith of its own."""
    with ExitStack() as stack:
        found = []
        for module in (ORIGINAL, OURS):
            smith = stack.enter_context(langsmith())
            env = {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "key", "LANGSMITH_ENDPOINT": smith.url}
            found.append((stack.enter_context(serving(module, tmp_path_factory.mktemp("smith"), env)), smith))
        yield found


async def _asked(asked: Asked, url: str, smith: LangSmith) -> tuple[Answered, list[Any]]:
    smith.asked.clear()
    async with new_client() as client:
        answer = await ask(client, url, asked)
    answer.text = answer.text.replace(smith.url, "SMITH")
    wanted: list[Any] = json.loads(without_ids(json.dumps(sorted(smith.asked, key=str))))
    return answer, wanted


@pytest.mark.parametrize("asked", REQUESTS, ids=lambda asked: asked.name)
async def test_langsmith_has_the_same_part_in_the_answer(asked: Asked, both: list[tuple[str, LangSmith]]) -> None:
    theirs, our = [await _asked(asked, *one) for one in both]
    assert our[0].lines() == theirs[0].lines()
    assert our[1] == theirs[1]


@pytest.mark.parametrize("route", ["stream", "stream_log", "stream_events"])
async def test_no_chunk_is_lost_while_langsmith_makes_a_token(route: str, both: list[tuple[str, LangSmith]]) -> None:
    """LangServe drops those that come before the token."""
    answer, wanted = await _asked(Asked(route, f"/words/{route}", {"input": 2}), *both[1])
    made = '"feedback_tokens": [{"key": "liked", "token_url": "SMITH/feedback/tokens/0'
    events = answer.text.split("\r\n\r\n")
    assert events[0].startswith("event: metadata\r\ndata: {")
    assert made in events[0]
    assert answer.text.count("event: metadata") == 1
    assert [piece in answer.text for piece in ("w0 ", "w1 ")] == [True, True]
    assert events[-2] == "event: end"
    assert [(method, path) for method, path, _ in wanted] == [("POST", "/feedback/tokens")]
