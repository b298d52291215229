"""The fake providers: OpenAI with both of its APIs, and Anthropic."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from unspool.testing.fake_chat import ChatWire
from unspool.testing.fake_messages import MessagesWire
from unspool.testing.fake_responses import ResponsesWire
from unspool.testing.model_server import ModelServer, Wire
from unspool.testing.openai_rules import ModelsWire


class FakeOpenAI(ModelServer):
    """OpenAI: Responses, Chat Completions and the list of models. What the real API refuses, it refuses as that does.

    See :class:`~unspool.testing.model_server.ModelServer`.
    """

    prefix = "/v1"

    @override
    def _make_wires(self) -> Mapping[str, Wire]:
        return {
            "POST /responses": ResponsesWire(),
            "POST /chat/completions": ChatWire(),
            "GET /models": ModelsWire(),
        }


class FakeAnthropic(ModelServer):
    """Anthropic: Messages and the list of models. What the real API refuses, it refuses as that does.

    See :class:`~unspool.testing.model_server.ModelServer`.
    """

    @override
    def _make_wires(self) -> Mapping[str, Wire]:
        return {"POST /v1/messages": MessagesWire(), "GET /v1/models": ModelsWire()}

    @override
    def _authorized(self, headers: Mapping[str, str]) -> bool:
        return bool(headers.get("x-api-key")) or super()._authorized(headers)
