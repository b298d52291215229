"""Running a server and a reader, and what they cost."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """One app in a process of its own: uvicorn, uvloop, httptools, one worker; or Node."""

    def __init__(self, app: str, port: int, process: subprocess.Popen[bytes]) -> None:
        self.app = app
        self.port = port
        self._process = process

    def cpu_seconds(self) -> float:
        """CPU time so far, user and system, of all its threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self) -> int:
        """Memory that it holds."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def get(self, path: str, *, body: Any = None) -> bytes:
        """One request, answered in full."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
            answer: bytes = response.read()
        return answer


def _command(app: str, port: int) -> list[str]:
    if app == "ai_sdk_node":
        return ["node", "benchmarks/ai_sdk_server.mjs", str(port)]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.servers:make_app", "--factory", "--port", str(port)]
    how = ["--loop", "uvloop", "--http", "httptools", "--log-level", "error", "--timeout-graceful-shutdown", "1"]
    return [*command, *how]


@contextmanager
def serving(app: str) -> Generator[Server, None, None]:
    """Run one of the apps of :mod:`benchmarks.servers`, or ``ai_sdk_node``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        command = _command(app, port)
        env = {**os.environ, "BENCH_APP": app, "BENCH_LOG": f"{directory}/log.sqlite"}
        process = subprocess.Popen(command, env=env)
        server = Server(app, port, process)
        try:
            _wait_for(server)
            yield server
        finally:
            process.kill()
            process.wait()


def _wait_for(server: Server) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.get("/no-such-path?n=0")
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def http(method: str, path: str, body: Any = None, *, header: str = "") -> str:
    """A request, as bytes on the wire. ``header``: one more line in its head."""
    content = "" if body is None else json.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    if header:
        head += f"{header}\r\n"
    return f"{head}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n{content}"


def run_load(server: Server, request: str, *, connections: int = 1, marker: str = '"token') -> dict[str, float]:
    """Read ``connections`` answers to the end. Adds the server's CPU time."""
    job = {"kind": "read", "port": server.port, "request": request, "connections": connections, "marker": marker}
    before = server.cpu_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", json.dumps(job)], check=True, capture_output=True, timeout=300
    )
    result: dict[str, float] = json.loads(done.stdout)
    result["cpu_us_per_token"] = (server.cpu_seconds() - before) / max(result["tokens"], 1) * 1e6
    return result


def idle_bytes(server: Server, request: str, connections: int) -> float:
    """Memory that each of ``connections`` idle followers takes."""
    first = _hold(server, request, 50)  # what the first ones bring in is not theirs
    first[1].communicate(b"\n", timeout=60)
    before = server.resident_bytes()
    after, process = _hold(server, request, connections)
    process.communicate(b"\n", timeout=60)
    return (after - before) / connections


def _hold(server: Server, request: str, connections: int) -> tuple[int, subprocess.Popen[bytes]]:
    job = {"kind": "hold", "port": server.port, "request": request, "connections": connections}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load", json.dumps(job)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return server.resident_bytes(), process


def median(values: list[float]) -> float:
    """The one in the middle: a shared machine has outliers."""
    return statistics.median(values)
