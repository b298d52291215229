"""``unspool demo``: a real model in the browser, with nothing to set up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import typer
from fastapi import FastAPI

from unspool.cli.serving import checked_port, serve_app, shutdown_at_signal
from unspool.errors import UnspoolError
from unspool.eventlog import SQLiteLog
from unspool.http import Unspool
from unspool.local import LocalModel
from unspool.runs import RunOptions

GRACE = 3.0
LEASE = 3.0
"""Short, so that a demo that was killed and started again takes up its runs soon."""

EMBEDDED_NOTE = (
    "A 135M-parameter demo model that runs on this machine: fluent, and often wrong. It stops at its length limit. "
    "Ask it to explain something, or for a story; or ask “what is 12 * 34?” to see a tool call."
)


def run_demo(*, base_url: str | None, model: str | None, api_key: str | None, host: str, port: int, data: str) -> None:
    """Serve the demo until the process is told to stop."""
    base_url, api_key = base_url or None, api_key or None
    embedded = base_url is None and api_key is None
    if not embedded and model is None:
        raise typer.BadParameter("an endpoint of your own needs --model, too")
    port = checked_port(host, port)
    try:
        local = LocalModel() if embedded else None
    except UnspoolError as exc:
        raise typer.BadParameter(f"{exc.message}. Or use another model: --base-url and --model") from exc
    name = local.name if local is not None else model or ""
    directory = Path(data)
    directory.mkdir(parents=True, exist_ok=True)
    app = _make_app(directory, local, base_url=base_url, model=name, api_key=api_key or "none")
    where = "on this machine, embedded: fluent and often wrong" if embedded else base_url or "OpenAI"

    typer.echo(f"Model  {name} ({where})\nPage   http://{host}:{port}/\nLog    {directory / 'runs.sqlite'}")
    typer.echo("Starting. Ctrl-C stops it; started again, it goes on where it was.")
    serve_app(app, host=host, port=port, grace=GRACE)


def _make_app(directory: Path, local: LocalModel | None, *, base_url: str | None, model: str, api_key: str) -> FastAPI:
    app = FastAPI(title="Unspool demo")
    unspool = Unspool(log=SQLiteLog(directory / "runs.sqlite"), lease=LEASE, grace=GRACE)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any], None]:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        from unspool.cli.demo_agent import build_agent

        async with AsyncExitStack() as stack:
            if local is not None:
                await stack.enter_async_context(local)
            memory = await stack.enter_async_context(
                AsyncSqliteSaver.from_conn_string(str(directory / "memory.sqlite"))
            )
            agent = build_agent(
                base_url=local.base_url if local is not None else base_url,
                model=model,
                api_key=api_key,
                checkpointer=memory,
            )
            unspool.add_routes(app, agent, path="/agent", options=RunOptions(first_token_timeout=60.0))
            await stack.enter_async_context(unspool)
            await stack.enter_async_context(shutdown_at_signal(unspool))
            typer.echo("Ready.")
            yield {"unspool": unspool}

    app.router.lifespan_context = lifespan
    unspool.add_playground(
        app,
        title="Unspool demo",
        model=model if local is None else f"{model} (embedded)",
        note=EMBEDDED_NOTE if local is not None else "",
    )
    return app
