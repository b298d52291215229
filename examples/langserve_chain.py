"""A chain for the clients that LangServe has, with streams that they can come back to.

Run it with `python -m examples.langserve_chain`, and then, where `RemoteRunnable` would do the same:

    curl -N localhost:8000/chain/stream -H 'Unspool-Resume: 1' -d '{"input": {"topic": "bees"}}'

Break it off with Ctrl-C, and take it up behind the last id that you saw; the run's id is in the first event:

    curl -N localhost:8000/chain/runs/RUN_ID/stream -H 'Last-Event-ID: 7'

All real. Without the header it is LangServe's stream, which ends with its connection.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable

from examples.guided_chat import chat_model
from examples.models import Model, open_model
from unspool import Unspool
from unspool.langserve import add_routes


def build(model: Model) -> Runnable[dict[str, str], str]:
    """A prompt, a model, and its text."""
    prompt: Runnable[dict[str, str], Any] = ChatPromptTemplate.from_template("Tell me something about {topic}.")
    return prompt | chat_model(model, max_tokens=120) | StrOutputParser()


def make_app(model: AbstractAsyncContextManager[Model]) -> FastAPI:
    """An app with the chain at ``/chain``, and its playground below; the model lives as long as it does."""
    unspool = Unspool()  # with `log=SQLiteLog("runs.sqlite")` the streams outlive the server, too

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with model as ready, unspool:
            add_routes(app, build(ready), path="/chain", unspool=unspool)
            yield

    return FastAPI(title="A chain", lifespan=lifespan)


def main() -> None:
    """The command line of the example."""
    parser = argparse.ArgumentParser(description="A chain for LangServe's clients")
    parser.add_argument("--model", help="a model of an OpenAI-compatible provider; default: the embedded one")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    print(f"A chain: http://127.0.0.1:{options.port}/chain/playground/  (Ctrl-C stops it)", flush=True)
    uvicorn.run(
        make_app(open_model(options.model)), port=options.port, log_level="warning", timeout_graceful_shutdown=3
    )


if __name__ == "__main__":
    main()
