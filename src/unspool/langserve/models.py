"""The models of requests and answers, for the OpenAPI description."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, Field, create_model

from unspool.langserve.schema import BatchResponseMetadata, InvokeResponseMetadata

_CONFIG = "A part of LangChain's RunnableConfig."
_KWARGS = "Not used."
_FILTERS = {
    f"{verb}_{what}": (list[str] | None, Field(default=None, description=f"{said} runs with these {what}."))
    for verb, said in (("include", "Only"), ("exclude", "No"))
    for what in ("names", "types", "tags")
}


class Models:
    """Made when they are asked for.

    Args:
        path: Where the runnable is; its letters and digits begin the names.
        input: Its input.
        output: Its output.
        config: Its config.
        with_callbacks: Whether answers hold callback events.
    """

    def __init__(
        self,
        path: str,
        *,
        input: type[BaseModel],  # noqa: A002
        output: type[BaseModel],
        config: type[BaseModel],
        with_callbacks: bool,
    ) -> None:
        self._prefix = re.sub(r"[^0-9A-Za-z]", "_", path.strip("/"))
        self._input: Any = input
        self._output: Any = output
        self._config: Any = config
        self._with_callbacks = with_callbacks

    def request(self, name: str, *, filters: bool = False) -> type[BaseModel]:
        """The body of ``/invoke`` and of streams."""
        fields: dict[str, Any] = {
            "input": (self._input, Field(description="What the runnable is called with.")),
            "config": (self._config, Field(default_factory=dict, description=_CONFIG)),
            **(_FILTERS if filters else {}),
            "kwargs": (dict[str, Any], Field(default_factory=dict, description=_KWARGS)),
        }
        return create_model(self._prefix + name, **fields)

    def batch_request(self) -> type[BaseModel]:
        """The body of ``/batch``."""
        fields: dict[str, Any] = {
            "inputs": (_list_of(self._input), Field(description="What the runnable is called with.")),
            "config": (self._config | _list_of(self._config), Field(default_factory=dict, description=_CONFIG)),
            "kwargs": (dict[str, Any], Field(default_factory=dict, description=_KWARGS)),
        }
        return create_model(self._prefix + "BatchRequest", **fields)

    def invoke_response(self) -> type[BaseModel]:
        """The answer of ``/invoke``."""
        fields: dict[str, Any] = {"output": (self._output, ...), "metadata": (InvokeResponseMetadata, ...)}
        if self._with_callbacks:
            fields["callback_events"] = (list[dict[str, Any]], ...)
        return create_model(self._prefix + "InvokeResponse", **fields)

    def batch_response(self) -> type[BaseModel]:
        """The answer of ``/batch``."""
        fields: dict[str, Any] = {"output": (_list_of(self._output), ...), "metadata": (BatchResponseMetadata, ...)}
        if self._with_callbacks:
            fields["callback_events"] = (list[list[dict[str, Any]]], ...)
        return create_model(self._prefix + "BatchResponse", **fields)


def _list_of(item: Any) -> Any:
    return list[item]
