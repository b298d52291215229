"""Request bodies, and what the runnable is called with."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from langchain_core.load import Serializable
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import BaseModel, Field, RootModel, ValidationError
from pydantic.errors import PydanticUserError
from starlette.requests import Request

from unspool.langserve.schema import CustomUserType

logger = logging.getLogger("unspool")


class InvokeBody(BaseModel):
    """Of ``/invoke`` and ``/stream``."""

    input: Any
    config: dict[str, Any] | None = None


class BatchBody(BaseModel):
    """Of ``/batch``."""

    inputs: list[Any]
    config: dict[str, Any] | list[dict[str, Any]] | None = Field(default_factory=dict)


class FilteredBody(InvokeBody):
    """Of ``/stream_log`` and ``/stream_events``."""

    include_names: Sequence[str] | None = None
    include_types: Sequence[str] | None = None
    include_tags: Sequence[str] | None = None
    exclude_names: Sequence[str] | None = None
    exclude_types: Sequence[str] | None = None
    exclude_tags: Sequence[str] | None = None

    def filters(self) -> dict[str, Any]:
        """The filters alone, as LangChain takes them."""
        return self.model_dump(exclude={"input", "config"})


Body = TypeVar("Body", bound=BaseModel)


async def read_body(request: Request, kind: type[Body]) -> Body:
    """Return the body of ``request``, which may be read again. Raises RequestValidationError."""
    try:
        body = await request.json()
        if b"\\ud" in (await request.body()).lower():  # half a character, which no answer could hold
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise RequestValidationError(["Invalid JSON body"]) from exc
    try:
        return kind.model_validate(body)
    except ValidationError as exc:
        raise RequestValidationError(list(exc.errors()), body=body) from exc


def configs_of(body: BatchBody) -> list[dict[str, Any]]:
    """The configs of a batch: one for each input, or a single one for all. Raises HTTPException: 422."""
    if body.config is None:
        raise HTTPException(422, "Value for 'config' key must be a dict or list if provided")
    if isinstance(body.config, dict):
        return [body.config]
    if len(body.config) != len(body.inputs):
        raise HTTPException(
            422, f"Number of configs ({len(body.config)}) must match number of inputs ({len(body.inputs)})"
        )
    return body.config


class Inputs:
    """Checks inputs.

    Args:
        runnable: Its input schema counts where no type is given.
        input_type: A type that counts instead, or ``auto``.
    """

    def __init__(self, runnable: Runnable[Any, Any], input_type: Any) -> None:
        self._runnable = runnable if input_type == "auto" else runnable.with_types(input_type=input_type)
        self._default = self.model(None)

    def model(self, config: RunnableConfig | None) -> type[BaseModel]:
        """The pydantic model of an input; it may depend on what is ``configurable``."""
        try:
            return cast("type[BaseModel]", self._runnable.get_input_schema(config))
        except PydanticUserError:
            logger.warning("%s: its input has no schema; it is not checked", self._runnable.get_name(), exc_info=True)
            return RootModel[Any]

    def read(self, value: Any, config: RunnableConfig, *, at: tuple[str | int, ...] = ()) -> Any:
        """Return what the runnable is called with.

        Args:
            value: What the client sent.
            config: What it is called with beside that.
            at: Where in the body the value is, for the error.

        Raises:
            RequestValidationError: It is not what the runnable takes.
        """
        model = self.model(config) if config.get("configurable") else self._default
        try:
            return unpacked(model.model_validate(value))
        except ValidationError as exc:
            errors = [{**error, "loc": (*at, *error["loc"])} for error in exc.errors()]
            raise RequestValidationError(errors, body=value) from exc


def unpacked(value: Any) -> Any:
    """Return models as dicts, but for a ``CustomUserType`` and what LangChain made."""
    if isinstance(value, RootModel):
        return unpacked(cast("Any", value).root)
    if isinstance(value, BaseModel) and not isinstance(value, CustomUserType | Serializable):
        return {name: unpacked(getattr(value, name)) for name in type(value).model_fields}
    return value
