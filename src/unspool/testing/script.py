"""What a model of :mod:`unspool.testing.model_server` answers: a list of pieces, in order.

One script serves every wire format. A piece that a format has no form for makes the server answer 500 with the
reason: chat completions have no :class:`Search` and no :class:`Picture`, Anthropic's messages have no :class:`Picture`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


class Piece:
    """Base of all pieces."""


@dataclass(frozen=True, init=False)
class Say(Piece):
    """Text, one delta for each argument."""

    texts: tuple[str, ...]

    def __init__(self, *texts: str) -> None:
        object.__setattr__(self, "texts", texts)


@dataclass(frozen=True, init=False)
class Think(Piece):
    """Thinking, one delta for each argument. ``raw``: the model's own, where a summary is the rule (Responses)."""

    texts: tuple[str, ...]
    raw: bool

    def __init__(self, *texts: str, raw: bool = False) -> None:
        object.__setattr__(self, "texts", texts)
        object.__setattr__(self, "raw", raw)


@dataclass(frozen=True, init=False)
class Refuse(Piece):
    """A refusal, one delta for each argument."""

    texts: tuple[str, ...]

    def __init__(self, *texts: str) -> None:
        object.__setattr__(self, "texts", texts)


@dataclass(frozen=True, init=False)
class CallTool(Piece):
    """A call of a tool of the client; one delta for each fragment of the JSON arguments.

    Without a ``call_id`` it gets one that no other call of the server has.
    """

    name: str
    fragments: tuple[str, ...]
    call_id: str | None

    def __init__(self, name: str, *fragments: str, call_id: str | None = None) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "fragments", fragments)
        object.__setattr__(self, "call_id", call_id)


@dataclass(frozen=True)
class Cite(Piece):
    """Where the text before it comes from. ``start`` and ``end`` count characters of the message's text."""

    url: str
    title: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, init=False)
class Search(Piece):
    """A web search that the provider runs itself."""

    query: str
    urls: tuple[str, ...]

    def __init__(self, query: str, *urls: str) -> None:
        object.__setattr__(self, "query", query)
        object.__setattr__(self, "urls", urls)


@dataclass(frozen=True)
class Picture(Piece):
    """A PNG that the provider makes itself, as base64."""

    base64: str


@dataclass(frozen=True, init=False)
class Raw(Piece):
    """Events of the wire as they are: objects; ``sequence_number`` is put in where the format has one."""

    events: tuple[Mapping[str, Any], ...]

    def __init__(self, *events: Mapping[str, Any]) -> None:
        object.__setattr__(self, "events", events)


@dataclass(frozen=True)
class Fail(Piece):
    """The model fails in the middle; nothing follows.

    ``how`` matters for Responses: an ``error`` event, a ``response.failed`` event, or an ``error`` object without a
    type. The other formats have one way each.
    """

    code: str
    message: str = "boom"
    how: Literal["event", "failed", "body"] = "event"


@dataclass(frozen=True)
class Incomplete(Piece):
    """The answer is cut short: ``max_output_tokens`` or ``content_filter``."""

    reason: str = "max_output_tokens"


@dataclass(frozen=True)
class Stall(Piece):
    """Hold the answer until :meth:`~unspool.testing.model_server.ModelServer.release`, or until the client leaves."""


@dataclass(frozen=True)
class Drop(Piece):
    """Cut the connection in the middle of the answer."""


@dataclass(frozen=True)
class Status(Piece):
    """An HTTP error instead of an answer. ``retry_after`` is in seconds."""

    status: int
    code: str | None = None
    message: str = "boom"
    retry_after: float | None = None


@dataclass(frozen=True)
class Tokens(Piece):
    """What the call is said to have taken. ``reasoning`` is part of ``output``, and ``cached`` of ``input``."""

    input: int = 10
    output: int = 5
    reasoning: int = 0
    cached: int = 0


Turn = Sequence[Piece]
Gate = Stall | Drop
Frame = bytes | Gate
"""What a wire format makes of a script: bytes to send, and where to wait or to cut."""


def tokens_of(pieces: Turn) -> Tokens:
    """What the script says that the call took."""
    return next((piece for piece in pieces if isinstance(piece, Tokens)), Tokens())
