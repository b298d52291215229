"""The agents of ``tests.support.browser_app``: each says what its docstring tells, so that tests know every answer.

The same agents, by the same names, are offered by the Express server in ``packages/express/tests``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

import anyio
import anyio.lowlevel
from typing_extensions import override

from unspool import Call, Output, Source, SourceError
from unspool.events import AnyEvent, MessageEnd, MessageStart, Record, Retry, Token
from unspool.sources import Item, ResumePoint, Schemas
from unspool.sources.functions import Function, FunctionSource

LONG_CHARACTERS = 20_000
SLOW_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SKY = (
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAgCAIAAADbtmxLAAAAo0lEQVR42s3CAQYCAQBE0TlYRERERERERERERESUJaVSllUSiUQi"
    "kUgkEol0kH+JrjHPU6yHVcUDrCrRx6qSA6wqNcKq0hOsKjPDqrIhVpWLsKr8HKsqLLGq4gqrKq2xqvIGq6pssarqDquq7bGq+gGr"
    "ahyxquYJq2qdsar2BavqXLGq7g2rCu5YVf+BVQ2fWNX4hVVN31hV+MGqoi9Wtfhh9Q9GU/SmXu48DAAAAABJRU5ErkJggg=="
)
"""A PNG of 48 by 32 pixels: a clear sky."""

Yielded = str | dict[str, Any] | AnyEvent | Output
Answers = AsyncGenerator[Yielded, None]


class Gates:
    """Where runs wait for a test: by name, each with the number of passes that are left."""

    def __init__(self) -> None:
        self._passes: defaultdict[str, float] = defaultdict(float)
        self._changed = anyio.Event()

    def release(self, name: str, passes: float = 1) -> None:
        """Let so many waits at this gate go on, now or later. ``math.inf``: all."""
        self._passes[name] += passes
        self._changed.set()
        self._changed = anyio.Event()

    async def wait(self, name: str) -> None:
        """Take one pass."""
        while self._passes[name] < 1:
            await self._changed.wait()
        self._passes[name] -= 1


class Described(FunctionSource):
    """A function with a config schema."""

    def __init__(self, function: Function, *, config: dict[str, Any]) -> None:
        super().__init__(function)
        self._config = config

    @override
    def schemas(self) -> Schemas:
        return Schemas(input=super().schemas().input, config=self._config)


def question_of(asked: object) -> str:
    """The text that was asked last: of a text input, or of a chat's messages."""
    if isinstance(asked, str):
        return asked
    messages = cast("Mapping[str, Any]", asked).get("messages", []) if isinstance(asked, Mapping) else []
    content = messages[-1].get("content", "") if messages else ""
    if isinstance(content, str):
        return content
    return " ".join(block["text"] for block in content if block.get("type") == "text")


def _files_of(asked: object) -> int:
    messages = cast("Mapping[str, Any]", asked).get("messages", []) if isinstance(asked, Mapping) else []
    content = messages[-1].get("content", "") if messages else ""
    return 0 if isinstance(content, str) else sum(block.get("type") != "text" for block in content)


async def echo(call: Call) -> Answers:
    """``You said: …``, word by word; then how many files came with it, if any. ``config.shout``: in capitals."""
    text = f"You said: {question_of(call.input)}"
    if files := _files_of(call.input):
        text += f" (with {files} file{'s' if files > 1 else ''})"
    if call.config.get("shout"):
        text = text.upper()
    for index, word in enumerate(text.split(" ")):
        yield word if index == 0 else f" {word}"
        await anyio.lowlevel.checkpoint()


ECHO_CONFIG = {
    "type": "object",
    "properties": {"shout": {"type": "boolean", "title": "Shout", "description": "Answer in capitals"}},
}


class Slow(Source):
    """``zero one two … ten``: ``zero`` at once, and before each other word it waits at a gate.

    The gate is ``config.gate``, else the last word of the question. A run whose process dies is taken up where it was.
    """

    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    @property
    @override
    def name(self) -> str:
        return "slow"

    @override
    async def stream(self, call: Call) -> AsyncGenerator[AnyEvent | Output, None]:
        words = question_of(call.input).split() or ["slow"]
        gate = str(call.config.get("gate", words[-1]))
        message = f"{call.run_id[-12:]}-1"
        said = int(call.position or 0)
        if said == 0:
            yield MessageStart(message)
        for index, word in enumerate(SLOW_WORDS[said:], start=said):
            if index > 0:
                await self._gates.wait(gate)
            yield Token(message, word if index == 0 else f" {word}")
        yield MessageEnd(message, "stop")

    @override
    def schemas(self) -> Schemas:
        gate = {"type": "string", "title": "Gate", "description": "Where it waits before each word"}
        return Schemas(input={"type": "string"}, config={"type": "object", "properties": {"gate": gate}})

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        said: list[int] = []
        for record in records:
            if record.type == "token":
                said.append(record.seq)
            elif isinstance(record.event, Retry):
                said = [seq for seq in said if seq <= record.event.keep_seq]
        return ResumePoint(keep_seq=said[-1], position=len(said)) if said else None


async def _tools(call: Call, gates: Gates) -> Answers:
    """Reasoning, two steps, two tools (one fails), a citation, a file, data, state and usage; then a text.

    ``config.gate``: it waits there before each of its five parts.
    """

    async def part() -> None:
        if "gate" in call.config:
            await gates.wait(str(call.config["gate"]))
        await anyio.lowlevel.checkpoint()

    message = f"{call.run_id[-12:]}-1"
    await part()
    yield {"type": "step_start", "step_id": "plan", "name": "plan"}
    yield {"type": "message_start", "message_id": message, "name": "planner"}
    for text in ("They ask about the weather. ", "I will look it up."):
        yield {"type": "reasoning", "message_id": message, "text": text}
    yield {"type": "step_end", "step_id": "plan", "name": "plan"}

    await part()
    yield {"type": "step_start", "step_id": "act", "name": "act"}
    yield {"type": "tool_start", "call_id": "t1", "name": "weather", "message_id": message}
    for text in ('{"city"', ': "Utrecht"', "}"):
        yield {"type": "tool_args", "call_id": "t1", "text": text}

    await part()
    yield {"type": "tool_call", "call_id": "t1", "name": "weather", "args": {"city": "Utrecht"}}
    yield {"type": "data", "name": "progress", "id": "p", "value": {"done": 1, "of": 2}}
    yield {"type": "tool_end", "call_id": "t1", "result": {"celsius": 18, "sky": "clear"}}
    yield {"type": "tool_start", "call_id": "t2", "name": "forecast", "message_id": message}
    yield {"type": "tool_call", "call_id": "t2", "name": "forecast", "args": {"days": 400}}
    yield {"type": "tool_end", "call_id": "t2", "error": "A forecast has at most 14 days."}
    yield {"type": "data", "name": "progress", "id": "p", "value": {"done": 2, "of": 2}}

    await part()
    for text in ("It is 18 °C ", "in Utrecht, ", "and the sky is clear."):
        yield {"type": "token", "message_id": message, "text": text}
    source = {"url": "https://example.org/weather", "title": "Weather service", "start": 0, "end": 24}
    yield {"type": "citation", "message_id": message, **source}
    yield {"type": "file", "media_type": "image/png", "message_id": message, "data": SKY, "name": "sky.png"}

    await part()
    usage = {"input_tokens": 120, "output_tokens": 40, "total_tokens": 160, "reasoning_tokens": 12}
    yield {"type": "usage", "model": "scripted", **usage}
    yield {"type": "state", "snapshot": {"city": "Utrecht", "celsius": 18}}
    yield {"type": "step_end", "step_id": "act", "name": "act"}
    yield {"type": "message_end", "message_id": message, "finish_reason": "stop"}
    yield Output("It is 18 °C in Utrecht, and the sky is clear.")


async def ask(call: Call) -> Answers:
    """Asks before it acts: ``May I …?`` with an interrupt. A question with ``two`` in it brings two interrupts.

    The answer gives ``Answered: `` and the answers as ``id=value``, sorted by id.
    """
    if call.resumes is None:
        question = question_of(call.input)
        yield f"May I {question}?"
        yield {
            "type": "interrupt",
            "interrupt_id": "approve",
            "value": {"question": f"May I {question}?", "options": ["yes", "no"]},
        }
        if "two" in question.split():
            yield {"type": "interrupt", "interrupt_id": "reason", "value": "Why?"}
        return
    answers = ", ".join(f"{key}={value}" for key, value in sorted((call.answer or {}).items()))
    yield "Answered: "
    yield answers


async def _fail(call: Call, failed: set[str | None]) -> Answers:
    """Fails. By a word in the question:

    ``internal``: an exception whose text must not be seen. ``late``: after ``Half an answer``. ``busy``: a rate limit
    that says 1 second. ``once``: the first time in each thread, then it answers ``This time it worked.``.
    Otherwise: a provider error that may be retried.
    """
    words = question_of(call.input).split()
    if "internal" in words:
        raise RuntimeError("secret: the password is swordfish")
    if "busy" in words:
        raise SourceError("Too many requests.", code="rate_limit", retryable=True, retry_after=1.0)
    if "once" in words and call.thread_id in failed:
        yield "This time it worked."
        return
    failed.add(call.thread_id)
    if "late" in words:
        yield "Half an answer"
    raise SourceError("The model is resting.", code="provider", retryable=True)


def long_text(characters: int = LONG_CHARACTERS) -> str:
    """Markdown of exactly so many characters: headings, lists, tables, code, and paragraphs."""
    chapters: list[str] = []
    size = 0
    number = 0
    while size < characters:
        number += 1
        chapter = _CHAPTER.format(number=number)
        chapters.append(chapter)
        size += len(chapter)
    return "".join(chapters)[:characters]


_CHAPTER = """## Chapter {number}

The keeper of lighthouse **{number}** wrote *every evening* what the sea had done: the height of the waves, the colour
of the sky, and the ships that passed. Nothing of it was ever lost.

- waves of {number} metres
- wind from the `north-west`
- [a ship](https://example.org/ships/{number}) with three masts

| hour | light | ships |
| --- | --- | --- |
| 20:00 | on | {number} |
| 23:00 | on | 2 |

```python
def light(hour: int) -> bool:
    return hour >= {number} or hour < 6
```

> The light is for those who do not know that they need it.

"""


async def long(call: Call) -> Answers:
    """:func:`long_text`, four characters at a time. ``config.characters``: how many; ``config.rate``: tokens/s."""
    text = long_text(int(call.config.get("characters", LONG_CHARACTERS)))
    rate = float(call.config.get("rate", 0))
    began = anyio.current_time()
    for count, at in enumerate(range(0, len(text), 4)):
        yield text[at : at + 4]
        late = began + count / rate - anyio.current_time() if rate else 0.0
        await anyio.sleep(max(0.0, late))


class Trip(TypedDict):
    """What the form asks for."""

    city: str
    nights: int
    breakfast: bool
    room: Literal["single", "double", "suite"]


FORM_INPUT: dict[str, Any] = {
    "type": "object",
    "title": "Trip",
    "description": "A hotel, for some nights.",
    "required": ["city", "nights"],
    "properties": {
        "city": {"type": "string", "title": "City", "minLength": 1},
        "nights": {"type": "integer", "title": "Nights", "minimum": 1, "maximum": 30, "default": 2},
        "breakfast": {"type": "boolean", "title": "Breakfast", "default": False},
        "room": {"type": "string", "title": "Room", "enum": ["single", "double", "suite"], "default": "single"},
    },
}
FORM_OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "price": {"type": "number"}, "currency": {"type": "string"}},
}
_PRICES = {"single": 80, "double": 120, "suite": 300}


class Form(FunctionSource):
    """Not a chat: an object in, ``{"city", "price", "currency"}`` out, and no message."""

    def __init__(self) -> None:
        super().__init__(_offer, name="form")

    @override
    def schemas(self) -> Schemas:
        return Schemas(input=FORM_INPUT, output=FORM_OUTPUT)


async def _offer(trip: Trip) -> AsyncGenerator[Yielded, None]:
    yield {"type": "step_start", "step_id": "price", "name": "price"}
    nightly = _PRICES[trip.get("room", "single")] + (15 if trip.get("breakfast") else 0)
    yield {"type": "step_end", "step_id": "price", "name": "price"}
    yield Output({"city": trip["city"], "price": nightly * trip["nights"], "currency": "EUR"})


class All(Source):
    """All of them but the form in one chat: ``/tools …`` is for ``tools``. Without such a word, ``echo`` answers."""

    def __init__(self, agents: Mapping[str, Source]) -> None:
        self._agents = agents

    @property
    @override
    def name(self) -> str:
        return "agent"

    def _agent_of(self, call: Call) -> Source:
        if call.resumes is not None:
            return self._agents["ask"]
        first = (question_of(call.input).split() or [""])[0]
        return self._agents.get(first.removeprefix("/"), self._agents["echo"])

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        async for event in self._agent_of(call).stream(call):
            yield event

    @override
    def schemas(self) -> Schemas:
        return Schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return await self._agent_of(call).resume_point(call, records)


def make_agents(gates: Gates) -> dict[str, Source]:
    """All agents, by the path that they are served at."""
    failed: set[str | None] = set()

    async def tools(call: Call) -> Answers:
        async for item in _tools(call, gates):
            yield item

    async def fail(call: Call) -> Answers:
        async for item in _fail(call, failed):
            yield item

    agents: dict[str, Source] = {
        "echo": Described(echo, config=ECHO_CONFIG),
        "slow": Slow(gates),
        "tools": FunctionSource(tools),
        "ask": FunctionSource(ask),
        "fail": FunctionSource(fail),
        "long": FunctionSource(long),
    }
    return {**agents, "form": Form(), "agent": All(agents)}


ALL_PASSES = math.inf
"""For :meth:`Gates.release`: the gate stays open."""
