"""What a runnable gives: at once, or in pieces."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, cast

import orjson
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import BaseModel, RootModel
from pydantic.errors import PydanticUserError
from starlette.responses import Response

from unspool.closing import opened
from unspool.langserve.schema import FeedbackToken
from unspool.langserve.serialization import Serializer

logger = logging.getLogger("unspool")


class Outputs:
    """Checks outputs, and makes JSON of them.

    Args:
        runnable: Its output schema counts where no type is given.
        output_type: A type that counts instead, or ``auto``.
        serializer: Makes JSON.
    """

    def __init__(self, runnable: Runnable[Any, Any], output_type: Any, serializer: Serializer) -> None:
        self._runnable = runnable if output_type == "auto" else runnable.with_types(output_type=output_type)
        self._serializer = serializer
        self._default = self.model(None)

    def model(self, config: RunnableConfig | None) -> type[BaseModel]:
        """The pydantic model of an output; it may depend on what is ``configurable``."""
        try:
            return cast("type[BaseModel]", self._runnable.get_output_schema(config))
        except PydanticUserError:
            logger.warning("%s: its output has no schema; it is not checked", self._runnable.get_name(), exc_info=True)
            return RootModel[Any]

    def dump(self, output: Any, config: RunnableConfig) -> Any:
        """Return ``output`` as JSON data. Raises ValidationError: it is not what was declared."""
        model = self.model(config) if config.get("configurable") else self._default
        return model.model_validate(self._serializer.dumpd(output)).model_dump(mode="json")


def metadata(run_id: Any, tokens: Sequence[FeedbackToken]) -> dict[str, Any]:
    """What goes with one output."""
    return {"run_id": str(run_id), "feedback_tokens": [token.model_dump(mode="json") for token in tokens]}


def json_answer(body: dict[str, Any]) -> Response:
    """The answer of ``/invoke`` and ``/batch``."""
    return Response(orjson.dumps(body), media_type="application/json")


class Streams:
    """What a runnable streams.

    Args:
        runnable: What streams.
        events_version: Of LangChain's event stream.
        allow: Names of runs: ``/stream_log`` and ``/stream_events`` say nothing of a runnable whose name is not there.
    """

    def __init__(self, runnable: Runnable[Any, Any], *, events_version: Any, allow: Sequence[str] | None) -> None:
        self._runnable = runnable
        self._events_version = events_version
        name = (getattr(runnable, "config", None) or {}).get("run_name") or runnable.get_name()
        self._tells = allow is None or name in allow

    def chunks(self, value: Any, config: RunnableConfig) -> AsyncIterator[Any]:
        """The runnable's own chunks."""
        return self._runnable.astream(value, config)

    async def log(self, value: Any, config: RunnableConfig, filters: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Patches of the run's log."""
        async with opened(self._runnable.astream_log(value, config, diff=True, **filters)) as source:
            async for patch in source:
                if self._tells:
                    yield {"ops": patch.ops}

    async def events(self, value: Any, config: RunnableConfig, filters: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """LangChain's events, without what the server adds to their metadata."""
        stream = self._runnable.astream_events(value, config, version=self._events_version, **filters)
        async with opened(stream) as source:
            async for event in source:
                if self._tells:
                    known = {key: item for key, item in event["metadata"].items() if not key.startswith("__")}
                    yield {**event, "metadata": known}
