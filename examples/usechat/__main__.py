"""Serves the page of this folder, and the agent of ``examples/approval.py`` that it talks to.

Build the page, and run it:

    npm install && npm run build -w usechat
    python -m examples.usechat                        # the embedded model: nothing to set up
    python -m examples.usechat --model gpt-4.1-mini   # with OPENAI_API_KEY; OPENAI_BASE_URL for other providers
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from examples.approval import build
from examples.models import Build, Model, open_model
from unspool import Unspool

PAGE = Path(__file__).parent / "dist"


def make_app(build: Build, model: AbstractAsyncContextManager[Model], page: Path) -> FastAPI:
    """An app with the agent at ``/agent`` and the built page at ``/``; the model lives as long as it does."""
    unspool = Unspool()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with model as ready:
            unspool.add_routes(app, build(ready), path="/agent")  # for useChat: /agent/ai-sdk
            app.mount("/", StaticFiles(directory=page, html=True))
            async with unspool:
                yield

    return FastAPI(title="useChat with a Python agent", lifespan=lifespan)


def main() -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.WARNING)  # before a library sets it to INFO
    parser = argparse.ArgumentParser(prog="python -m examples.usechat", description="useChat with a Python agent")
    parser.add_argument("--model", help="a model of an OpenAI-compatible provider; default: the embedded one")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--page", type=Path, default=PAGE, help="the built page; default: %(default)s")
    options = parser.parse_args()
    if not (options.page / "index.html").is_file():
        parser.error(f"there is no page in {options.page}: `npm run build -w usechat` builds it")
    print(f"useChat with a Python agent: http://127.0.0.1:{options.port}/  (Ctrl-C stops it)", flush=True)
    app = make_app(build, open_model(options.model), options.page)
    uvicorn.run(app, port=options.port, log_level="warning", timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
