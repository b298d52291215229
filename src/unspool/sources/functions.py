"""Plain functions as sources: generators and callables, async and sync."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from typing import Any, cast, get_type_hints

from typing_extensions import override

from unspool.closing import opened
from unspool.events import AnyEvent, Data, Record, Token, plain
from unspool.sources.base import Call, Item, Output, ResumePoint, Schemas, Source
from unspool.sources.items import Items
from unspool.sources.sdk_streams import Returned, ThreadStream, stream_of
from unspool.sources.threads import iterate_in_thread

Function = Callable[..., Any]


class FunctionSource(Source):
    """A function that answers: an async or sync generator, a coroutine function, or a plain callable.

    It may take no parameter, the input, or the input and the :class:`Call` (recognised by its annotation, or by
    the name ``call``). A sync one runs in a worker thread, with the caller's context variables.

    What it yields is described in :class:`~unspool.sources.items.Items`. What it returns, if it is not a
    generator: the stream or the stream manager of an SDK is opened, read and closed; text is one message, an event or
    a dict that is one is that event, other JSON is the output.
    """

    def __init__(self, function: Function, *, name: str | None = None) -> None:
        self._function = function
        self._name = name or getattr(function, "__name__", None) or type(function).__name__
        self._takes = _parameters(function)

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        items = Items(call.run_id)
        async with opened(self._items(call)) as source:
            async for item in source:
                # The path of every token of a plain generator: no iterator is made for it.
                if type(item) is str and items.current is not None:
                    if item:
                        yield Token(items.current, item)
                    continue
                for event in items.events(item):
                    yield event
        for event in items.close():
            yield event

    def _items(self, call: Call) -> AsyncIterable[object]:
        arguments = self._arguments(call)
        function = _underlying(self._function)
        if inspect.isasyncgenfunction(function):
            return cast("AsyncIterable[object]", self._function(*arguments))
        if inspect.isgeneratorfunction(function):
            return iterate_in_thread(lambda: cast("Iterable[object]", self._function(*arguments)))
        if inspect.iscoroutinefunction(function):
            return _awaited(cast("Awaitable[object]", self._function(*arguments)), call)
        # In the thread that also reads what it returns: a blocking stream is then closed whatever happens.
        return _in_thread(lambda: self._function(*arguments), call)

    def _arguments(self, call: Call) -> Sequence[object]:
        return [call if wanted == "call" else call.input for wanted in self._takes]

    @override
    def schemas(self) -> Schemas:
        hints = _hints(self._function)
        wanted = [
            name
            for name, takes in zip(inspect.signature(self._function).parameters, self._takes, strict=False)
            if takes == "input"
        ]
        return Schemas(input=schema_of(hints.get(wanted[0])) if wanted else {})

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


async def _awaited(result: Awaitable[object], call: Call) -> AsyncGenerator[object, None]:
    async with opened(_given(await result, call)) as items:
        async for item in items:
            yield item


async def _in_thread(function: Callable[[], object], call: Call) -> AsyncGenerator[object, None]:
    stream = ThreadStream(function)
    async with opened(iterate_in_thread(stream.items, interrupt=stream.interrupt)) as items:
        async for item in items:
            if type(item) is not Returned:
                yield item
                continue
            value: Any = item.value
            async with opened(_awaited(value, call) if inspect.isawaitable(value) else _given(value, call)) as given:
                async for later in given:
                    yield later


async def _given(result: object, call: Call) -> AsyncGenerator[object, None]:
    """The items of what a function returned, on the event loop."""
    stream = stream_of(result, call)
    if stream is None and (inspect.isgenerator(result) or hasattr(result, "__enter__")):
        stream = _in_thread(lambda: result, call)
    if stream is not None:
        async with opened(stream) as items:
            async for item in items:
                yield item
    elif result is not None:
        for item in _as_items(result):
            yield item


def _as_items(result: object) -> Iterable[object]:
    """A returned value: JSON that is neither text nor an event is the run's output."""
    if isinstance(result, str | Output | AnyEvent):
        return [result]
    if isinstance(result, dict) and not _is_data(cast("dict[str, Any]", result)):
        return [cast("dict[str, Any]", result)]
    return [Output(plain(result))]


def _is_data(result: dict[str, Any]) -> bool:
    return all(isinstance(event, Data) for event in Items("").events(result))


def _underlying(function: Function) -> Function:
    """What says whether calling it makes a generator: the function, or the ``__call__`` of an object."""
    while hasattr(function, "func"):  # functools.partial
        function = cast("Any", function).func
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return cast("Function", type(function).__call__)


def _parameters(function: Function) -> Sequence[str]:
    """Say for each positional parameter whether it is the input or the call.

    Raises:
        TypeError: The function cannot be called with at most those two.
    """
    hints = _hints(function)
    takes: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            is_call = hints.get(name) is Call or name == "call"
            if parameter.default is not parameter.empty and not is_call and "input" in takes:
                continue
            takes.append("call" if is_call else "input")
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise TypeError(
                f"{function!r} has a required keyword parameter {name!r}; a source is called with (input, call)"
            )
    if takes.count("input") > 1 or takes.count("call") > 1:
        raise TypeError(
            f"{function!r} takes more than an input and a Call; wrap it in a function that takes (input, call)"
        )
    return takes


def _hints(function: Function) -> dict[str, Any]:
    try:
        return get_type_hints(_underlying(function))
    except (NameError, TypeError, AttributeError):  # a forward reference that cannot be looked up from here
        return {}


def schema_of(annotation: object) -> dict[str, Any]:
    """The JSON Schema of a type; ``{}`` where it has none."""
    if annotation is None or annotation is Any:
        return {}
    from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter

    try:
        return TypeAdapter(cast("Any", annotation)).json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError):
        return {}
