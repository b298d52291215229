"""The example for those who move from LangServe, with the embedded model."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
from examples.langserve_chain import make_app
from examples.models import Model
from openai import AsyncOpenAI

from langserve import RemoteRunnable
from tests.support.server import serve
from unspool.local import LocalModel


async def test_a_stream_that_was_broken_off_is_taken_up_where_it_was(real_model: LocalModel) -> None:
    @asynccontextmanager
    async def model() -> AsyncIterator[Model]:
        async with AsyncOpenAI(base_url=real_model.base_url, api_key="none", max_retries=0) as client:
            yield Model(name=real_model.name, client=client, embedded=True)

    body, headers = {"input": {"topic": "bees"}}, {"Unspool-Resume": "1"}
    with anyio.fail_after(100):
        async with serve(make_app(model())) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            seen = ""
            async with client.stream("POST", "/chain/stream", json=body, headers=headers) as response:
                async for piece in response.aiter_text():
                    seen += piece
                    if seen.count("event: data") >= 3:
                        break
            run_id = re.findall(r'"run_id": "(.+?)"', seen)[0]
            rest = await client.get(
                f"/chain/runs/{run_id}/stream", headers={"Last-Event-ID": re.findall(r"id: (\d+)", seen)[-1]}
            )
            whole = await client.get(f"/chain/runs/{run_id}/stream")
            heard = [text.replace(": ping\r\n\r\n", "") for text in (seen + rest.text, whole.text)]
            assert heard[0] == heard[1]
            assert whole.text.endswith("event: end\r\n\r\n")
            remote: RemoteRunnable[dict[str, str], str] = RemoteRunnable(f"{url}/chain", timeout=60)
            try:
                assert len([chunk async for chunk in remote.astream({"topic": "bees"}) if chunk]) > 3
            finally:
                remote.sync_client.close()
                await remote.async_client.aclose()
