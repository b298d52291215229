"""The chunks of Chat Completions as events. Shared by the OpenAI source and the any-llm source.

Checked with openai 3.52 and any-llm 1.40. Nothing of them is imported: chunks are known by what they hold, and servers
hold more, and less, than the SDKs' types say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from unspool.errors import SourceError, provider_error
from unspool.events import Citation, File, MessageEnd, MessageStart, Reasoning, Token, ToolEnd, Usage
from unspool.sources.base import NOT_RUN, Item
from unspool.sources.ids import Ids
from unspool.sources.openai.chat_calls import CallsOfMessage, members


def closed_early() -> SourceError:
    """What to raise where a stream ended before the model was done."""
    return SourceError("The model provider closed the stream before its end.", retryable=True)


class ChatTranslation:
    """The chunks of Chat Completions as events: of ``create(stream=True)``, and those inside ``.stream()``'s events.

    Each completion is one message. It is over with its ``finish_reason``, or with a last chunk of usage alone from
    servers that give no reason; what says more after that begins the next. Ids do not tell completions apart: some
    servers give each chunk a new one. The first choice counts; a server that sends several is read as if it sent one.

    Tool calls stay open until the end, so that whoever runs them may close them.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._completion: _Completion | None = None
        self._calls: list[CallsOfMessage] = []

    def feed(self, item: Any) -> Iterator[Item]:
        """The events of a chunk. What is not one means nothing here.

        Raises:
            SourceError: The chunk says that the model failed.
        """
        held = members(item)
        if "choices" not in held:
            held = members(held.get("chunk"))  # `.stream()`: its other events repeat what this one holds
            if "choices" not in held:
                return
        choice = _first(held["choices"])
        if self._completion is None or (self._completion.finished and _says_more(choice)):
            yield from self._close()
            self._completion = _Completion(self._ids)
            self._calls.append(self._completion.calls)
        yield from self._completion.feed(held, choice)

    def end(self) -> Iterator[Item]:
        """The events that close what is open.

        Raises:
            SourceError: The stream ended before the model was done.
        """
        if self._completion is not None and not self._completion.finished:
            raise closed_early()
        yield from self._close()
        for calls in self._calls:
            for call_id in calls.ids:
                yield ToolEnd(call_id, error=NOT_RUN)

    def _close(self) -> Iterator[Item]:
        if self._completion is not None:
            yield from self._completion.close()


class _Completion:
    """One answer of the model: its chunks in, the events of one message out."""

    def __init__(self, ids: Ids) -> None:
        self.finished = False
        self._closed = False
        self.message_id = ids.message()
        self.calls = CallsOfMessage(ids, self.message_id)
        self._started = False
        self._refused = False
        self._reason: str | None = None
        self._cited: set[object] = set()
        self._id: object = None
        self._usage: Mapping[str, Any] = {}
        self._model: str | None = None

    def feed(self, chunk: Mapping[str, Any], choice: Mapping[str, Any] | None) -> Iterator[Item]:
        """The events of a chunk, whose first choice is ``choice``. Without one, it is the last, or means nothing."""
        if self._closed:
            return
        counted = self._note_usage(chunk, choice)
        if choice is not None:
            yield from self._delta(members(choice.get("delta") or choice.get("message")))
            reason = choice.get("finish_reason") or None  # some servers send an empty text until the end
            if reason == "error":  # OpenRouter's, where the model failed in the middle
                raise provider_error("server_error")
            if reason is not None and not self.finished:
                yield from self._finish(reason)
        elif counted and self._started:
            if not self.finished:
                yield from self._finish(None)
            yield from self.close()

    def _note_usage(self, chunk: Mapping[str, Any], choice: Mapping[str, Any] | None) -> bool:
        usage = members(chunk.get("usage"))
        # A server that sends usage with every chunk does so with the first of the next completion, too.
        counts = any(usage.values()) and not (self.finished and choice is not None and chunk.get("id") != self._id)
        if counts:
            self._usage, self._model = usage, chunk.get("model")
        self._id = chunk.get("id")
        return counts

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Item]:
        thought = _thought(delta)
        if thought:
            yield from self._said(Reasoning(self.message_id, thought))
        content = delta.get("content")
        if type(content) is str:
            if content:
                yield from self._said(Token(self.message_id, content))
        elif content:
            for block in content:
                yield from self._block(members(block))
        refusal = delta.get("refusal")
        if refusal:
            self._refused = True
            yield from self._said(Token(self.message_id, refusal))
        if delta.get("tool_calls") or delta.get("function_call"):
            yield from self._start()
            yield from self.calls.feed(delta)
        for note in delta.get("annotations") or ():
            yield from self._annotation(members(note))
        for image in delta.get("images") or ():
            yield from self._image(members(members(image).get("image_url")).get("url"))

    def _start(self) -> Iterator[Item]:
        if not self._started:
            self._started = True
            yield MessageStart(self.message_id)

    def _said(self, event: Token | Reasoning | Citation | File) -> Iterator[Item]:
        if not self._started:
            yield from self._start()
        yield event

    def _block(self, block: Mapping[str, Any]) -> Iterator[Item]:
        """A block of content: what Mistral's reasoning models send where others send text."""
        if block.get("type") == "text" and block.get("text"):
            yield from self._said(Token(self.message_id, block["text"]))
        elif block.get("type") == "thinking":
            for thought in block.get("thinking") or ():
                text = members(thought).get("text")
                if text:
                    yield from self._said(Reasoning(self.message_id, text))

    def _annotation(self, note: Mapping[str, Any]) -> Iterator[Item]:
        cited = members(note.get("url_citation"))
        url, start, end = cited.get("url"), cited.get("start_index"), cited.get("end_index")
        if url and (url, start, end) not in self._cited:  # some servers send those so far with each new one
            self._cited.add((url, start, end))
            yield from self._said(
                Citation(self.message_id, url, cited.get("title"), cited.get("content"), start=start, end=end)
            )

    def _image(self, url: object) -> Iterator[Item]:
        """What models that draw answer with, at OpenRouter and others."""
        if isinstance(url, str):
            kind, comma, data = url.removeprefix("data:").partition(";base64,")
            if comma and url.startswith("data:"):
                yield from self._said(File(kind, self.message_id, data=data))
            else:
                yield from self._said(File("image/*", self.message_id, url=url))

    def _finish(self, reason: str | None) -> Iterator[Item]:
        self.finished = True
        self._reason = "refusal" if self._refused else reason
        yield from self._start()
        yield from self.calls.end()

    def close(self) -> Iterator[Item]:
        """The last events of the message."""
        if self._closed:
            return
        self._closed = True
        if self._usage:
            yield _usage(self._usage, self._model)
        yield MessageEnd(self.message_id, self._reason)


def _first(choices: Sequence[Any] | None) -> Mapping[str, Any] | None:
    """The first choice; an empty one in a chunk of another choice, and None where there is none at all."""
    for choice in choices or ():
        held = members(choice)
        if not held.get("index"):
            return held
    return {} if choices else None


def _says_more(choice: Mapping[str, Any] | None) -> bool:
    delta = {} if choice is None else members(choice.get("delta") or choice.get("message"))
    return bool(_thought(delta) or any(delta.get(kind) for kind in _SAYINGS))


_SAYINGS = ("content", "refusal", "tool_calls", "function_call")


def _thought(delta: Mapping[str, Any]) -> str | None:
    """The reasoning in a delta, once: some servers send it under both names, and any-llm adds a form of its own."""
    for name in ("reasoning_content", "reasoning"):
        value: object = delta.get(name)
        if value:
            return value if isinstance(value, str) else cast("str | None", members(value).get("content"))
    return None


def _usage(usage: Mapping[str, Any], model: str | None) -> Usage:
    asked, answered = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    return Usage(
        input_tokens=asked,
        output_tokens=answered,
        total_tokens=usage.get("total_tokens") or asked + answered,
        reasoning_tokens=members(usage.get("completion_tokens_details")).get("reasoning_tokens") or 0,
        cached_tokens=members(usage.get("prompt_tokens_details")).get("cached_tokens") or 0,
        model=model,
    )
