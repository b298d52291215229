"""The commands and their options."""

from __future__ import annotations

from typing import Annotated, Optional

import anyio
import typer

app = typer.Typer(
    name="unspool",
    help="Stream any Python LLM agent to any front end, so that nothing is lost on the way.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
runs = typer.Typer(help="Look into the runs of an SQLite log.", no_args_is_help=True)
app.add_typer(runs, name="runs")

Host = Annotated[str, typer.Option(help="Address to listen on. 127.0.0.1 is this machine alone.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)]
LogFile = Annotated[str, typer.Option("--log", help="The SQLite file of the event log.")]
Run = Annotated[str, typer.Argument(help="The run's id.")]


@app.command()
def serve(
    target: Annotated[str, typer.Argument(help="`module:attr` or `file.py:attr`: any source.")],
    host: Host = "127.0.0.1",
    port: Port = 8000,
    log: Annotated[str, typer.Option(help="An SQLite file, or `memory`.")] = "unspool.sqlite",
    path: Annotated[str, typer.Option(help="Where the agent is mounted.")] = "/agent",
    workers: Annotated[int, typer.Option(help="Processes that share the log.", min=1)] = 1,
    reload: Annotated[bool, typer.Option("--reload", help="Restart when a file changes.")] = False,
    grace: Annotated[float, typer.Option(help="Seconds that runs have to end when the server stops.")] = 10.0,
) -> None:
    """Serve an agent: the native protocol at PATH, the playground at `/`, API docs at `/docs`.

    Example: `unspool serve my_agents.py:agent --workers 4`
    """
    from secrets import token_urlsafe

    from unspool.cli.serving import ServeSettings, serve_target

    serve_target(
        ServeSettings(target=target, log=log, path=path, grace=grace, ticket_secret=token_urlsafe(32)),
        host=host,
        port=port,
        workers=workers,
        reload=reload,
    )


@app.command()
def demo(
    base_url: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option(envvar=["UNSPOOL_BASE_URL", "OPENAI_BASE_URL"], help="An OpenAI-compatible endpoint."),
    ] = None,
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(envvar=["UNSPOOL_MODEL", "OPENAI_MODEL"], help="The model's name there."),
    ] = None,
    api_key: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(envvar="OPENAI_API_KEY", help="The key for it.", show_envvar=True, show_default=False),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data: Annotated[str, typer.Option(help="Directory for the log and the agent's memory.")] = ".unspool-demo",
) -> None:
    """Talk to a real model in the browser: the embedded one, or any OpenAI-compatible one.

    The embedded model (SmolLM2, 135 million parameters) runs on this machine. It is fluent and often wrong.

    Examples: `unspool demo` · `unspool demo --base-url http://localhost:11434/v1 --model qwen3:0.6b`
    """
    from unspool.cli.demo import run_demo

    run_demo(base_url=base_url, model=model, api_key=api_key, host=host, port=port, data=data)


@app.command()
def chat(
    url: Annotated[str, typer.Argument(help="Where an agent is mounted: http://127.0.0.1:8000/agent")],
    thread: Annotated[Optional[str], typer.Option(help="Go on with this conversation.")] = None,  # noqa: UP045
) -> None:
    """Talk to a mounted agent in the terminal. Ctrl-C stops the answer; at the prompt, it leaves.

    Example: `unspool chat http://127.0.0.1:8000/agent`
    """
    from unspool.cli.chat import run_chat

    anyio.run(run_chat, url, thread)


@runs.command("list")
def runs_list(
    log: LogFile = "unspool.sqlite",
    owner: Annotated[str, typer.Option(help="The principal they belong to.")] = "anonymous",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 30,
) -> None:
    """List runs, newest first."""
    from unspool.cli.inspect import list_runs

    anyio.run(list_runs, log, owner, limit)


@runs.command("show")
def runs_show(run_id: Run, log: LogFile = "unspool.sqlite") -> None:
    """Show a run as a timeline: when its messages, tools and steps began and ended."""
    from unspool.cli.inspect import show_run

    anyio.run(show_run, log, run_id)


@runs.command("follow")
def runs_follow(run_id: Run, log: LogFile = "unspool.sqlite") -> None:
    """Print a run's events as they come, one JSON object per line, until it ends."""
    from unspool.cli.inspect import follow_run

    anyio.run(follow_run, log, run_id)


@app.command()
def replay(
    run_id: Run,
    log: LogFile = "unspool.sqlite",
    speed: Annotated[float, typer.Option(help="1 is the original pace; 0 is as fast as it goes.", min=0)] = 1.0,
    host: Host = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Serve a stored run again, to whoever starts one: work on a front end without a model.

    Example: `unspool replay 01a1fca4-… --speed 2`
    """
    from unspool.cli.replay import serve_replay

    serve_replay(log, run_id, speed=speed, host=host, port=port)


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing, and how to get it."""
    from unspool.cli.doctor import diagnose

    diagnose()
