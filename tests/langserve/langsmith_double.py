"""As much of LangSmith as feedback and trace links need. It remembers what it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class LangSmith(ThreadingHTTPServer):
    """Listens on a port that the kernel picks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, Any]] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    @property
    def _smith(self) -> LangSmith:
        assert isinstance(self.server, LangSmith)
        return self.server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        found = json.dumps(self._found(body)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - as http.server calls them

    def _found(self, body: bytes) -> Any:
        about = self.path.strip("/").split("/")
        if about[0] == "feedback" or about[-1] == "share":
            if self.command != "GET":
                self._smith.asked.append((self.command, self.path, json.loads(body)))
            if about == ["feedback", "tokens"]:
                url = f"{self._smith.url}/feedback/tokens/00000000-0000-4000-8000-000000000002"
                return {"id": json.loads(body)["id"], "url": url, "expires_at": "2030-01-01T00:00:00"}
            if about[-1] == "share":
                return {"share_token": "shared"} if self.command == "PUT" else None
        return {}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as http.server calls it
        """Say nothing."""


@contextmanager
def langsmith() -> Iterator[LangSmith]:
    """Run one."""
    with LangSmith() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
