"""Real server processes, on a port that stays the same when they are killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import anyio
import httpx


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class ServerProcess:
    """A command that serves HTTP on a port of its own."""

    def __init__(self, command: list[str], *, port: int, ready: str, env: Mapping[str, str], log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, *command]
        self._ready = self.url + ready
        self._env = {**os.environ, **env}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env, start_new_session=True
            )
        with anyio.fail_after(90):
            async with httpx.AsyncClient() as client:
                while not await self._answers(client):
                    assert self._process.poll() is None, self._log.read_text()
                    await anyio.sleep(0.02)

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(self._ready, timeout=2.0)).is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    async def stop(self) -> int:
        """SIGTERM, and wait for the end. Returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await anyio.to_thread.run_sync(self._process.wait, 60)

    def end(self) -> None:
        """Make sure that it is gone, and what it started, too: uvicorn's workers outlive the process that made them."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
