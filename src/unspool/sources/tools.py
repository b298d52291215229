"""Python functions as tools of a model: described, checked and run."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NotRequired, cast, get_type_hints

import anyio
import msgspec
from typing_extensions import TypedDict

from unspool.events import plain
from unspool.sources.base import TOOL_FAILED, Call
from unspool.sources.threads import iterate_in_thread

logger = logging.getLogger("unspool")

TOOK_TOO_LONG = "The tool took too long."

NOT_VALID = "The arguments of the call are not valid."
"""What a client is told; a model is told what is wrong with them."""

MAX_PROBLEMS = 10
"""Mistakes in its arguments that a model is told of at once."""


class Outcome(msgspec.Struct, frozen=True):
    """How a tool call went. ``error`` is for the client; ``told`` is the text that the model gets."""

    result: Any = None
    error: str | None = None
    told: str = ""


class Tool:
    """A function that a model may call: async, or sync, which then runs in a thread of its own.

    A parameter annotated as :class:`unspool.Call` is given the call, and is not shown to the model. All others must
    be such that they can be given by name; what they may be is what pydantic makes of their annotations.

    Args:
        function: What to run. Its docstring is what the model reads.
        name: What the model calls it, if not by the function's name: 1 to 64 of ``a-z A-Z 0-9 _ -``.
        description: What the model reads instead of the docstring.
        strict: Make the provider hold the model to the schema. It refuses schemas with optional members then.

    Raises:
        TypeError: The function cannot be a tool.
        ValueError: The name cannot be one of a tool.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool = False,
    ) -> None:
        from pydantic import PydanticUserError, TypeAdapter

        self._function = function
        self.name = name or getattr(function, "__name__", "") or type(function).__name__
        if re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", self.name) is None:
            raise ValueError(f"{self.name!r} is no name for a tool: 1 to 64 of a-z A-Z 0-9 _ - are; give `name`")
        self.description = description if description is not None else inspect.getdoc(function) or ""
        self.strict = strict
        arguments, self._call = _parameters(function)
        try:
            self._adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(arguments)
            self.parameters = _schema(self._adapter)
            """JSON Schema of the arguments."""
        except PydanticUserError as exc:
            raise TypeError(f"the parameters of {function!r} have no JSON Schema: {exc.message}") from exc

    async def run(self, arguments: str, call: Call, *, timeout: float | None) -> Outcome:
        """Run it with the arguments that a model wrote. Raises nothing but its cancellation.

        Args:
            arguments: JSON.
            call: The run that it belongs to.
            timeout: Seconds it may take; None for no limit. A sync function that takes longer is left behind.
        """
        from pydantic import ValidationError

        try:
            given = self._adapter.validate_json(arguments or "{}")
        except ValidationError as exc:
            problems = exc.errors(include_url=False, include_context=False, include_input=False)
            return Outcome(error=NOT_VALID, told=f"{NOT_VALID} {_told(problems)}")
        except Exception:  # noqa: BLE001 - a validator of the user's may raise anything
            return self._failed(call)
        if self._call is not None:
            given[self._call] = call
        try:
            with anyio.move_on_after(timeout):
                result = plain(await self._called(given))
                return Outcome(result, told=result if isinstance(result, str) else msgspec.json.encode(result).decode())
        except Exception:  # noqa: BLE001 - and so may the function
            return self._failed(call)
        logger.warning("run %s: the tool %s took longer than %s s", call.run_id, self.name, timeout)
        return Outcome(error=TOOK_TOO_LONG, told=TOOK_TOO_LONG)

    def _failed(self, call: Call) -> Outcome:
        logger.exception("run %s: the tool %s failed", call.run_id, self.name)
        return Outcome(error=TOOL_FAILED, told=TOOL_FAILED)

    async def _called(self, given: dict[str, Any]) -> object:
        function = self._function
        if inspect.iscoroutinefunction(_underlying(function)):
            return await cast("Awaitable[object]", function(**given))
        # The shared worker threads are few, and a tool may hang.
        [result] = [made async for made in iterate_in_thread(lambda: (function(**given) for _ in range(1)))]
        return await cast("Awaitable[object]", result) if inspect.isawaitable(result) else result


def _underlying(function: Any) -> Any:
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _parameters(function: Callable[..., Any]) -> tuple[Any, str | None]:
    """The arguments as a ``TypedDict``, and the name of the parameter that takes the :class:`Call`.

    Not a model: its fields may not be named as the methods of one are, and parameters are named ``copy`` or ``json``.
    """
    inner = _underlying(function)
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise TypeError(f"{function!r} is a generator; a tool returns its result")
    try:
        hints = get_type_hints(inner, include_extras=True)
    except NameError as exc:
        raise TypeError(f"an annotation of {function!r} cannot be looked up: {exc}") from exc
    members: dict[str, Any] = {}
    call: str | None = None
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise TypeError(f"the parameter {parameter} of {function!r} cannot be given by name, as a tool's must be")
        annotation: Any = hints.get(name, Any)
        if annotation is Call:
            call = name
        else:
            members[name] = annotation if parameter.default is parameter.empty else NotRequired[annotation]
    make: Any = TypedDict  # type checkers know only its literal form
    arguments = make("Arguments", members)
    arguments.__pydantic_config__ = {"extra": "forbid"}
    return arguments, call


def _schema(adapter: Any) -> dict[str, Any]:
    schema: dict[str, Any] = adapter.json_schema()
    return {"properties": {}, **{name: value for name, value in schema.items() if name != "title"}}


def _told(problems: list[Any]) -> str:
    return "; ".join(
        f"{'.'.join(str(step) for step in problem['loc']) or 'all of it'}: {problem['msg']}"
        for problem in cast("list[Mapping[str, Any]]", problems)[:MAX_PROBLEMS]
    )
