"""A conversation as the messages of Chat Completions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from unspool.errors import InvalidInput
from unspool.events import FilePart, Message, TextPart, ToolPart
from unspool.sources.conversation import arguments_text, result_text


def chat_messages(said: Sequence[Message], instructions: str | None = None) -> list[dict[str, Any]]:
    """What to send as ``messages``.

    Files that the model made are left out: the API takes files from users alone.

    Raises:
        InvalidInput: A file of a user cannot be sent.
    """
    found: list[dict[str, Any]] = []
    if instructions is not None:
        found.append({"role": "system", "content": instructions})
    for message in said:
        if message.role == "assistant":
            found.extend(_assistant(message))
        elif message.role == "user":
            found.append({"role": "user", "content": _content(message)})
        else:
            found.append({"role": message.role, "content": message.text})
    return found


def _assistant(message: Message) -> Iterator[dict[str, Any]]:
    """A message of ours may go on after its tools have answered; there, that is the next message."""
    texts: list[str] = []
    calls: list[ToolPart] = []
    for part in message.parts:
        if isinstance(part, ToolPart):
            calls.append(part)
        elif isinstance(part, TextPart):
            if calls:
                yield from _turn(texts, calls)
                texts, calls = [], []
            texts.append(part.text)
    if texts or calls:
        yield from _turn(texts, calls)


def _turn(texts: Sequence[str], calls: Sequence[ToolPart]) -> Iterator[dict[str, Any]]:
    turn: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
    if calls:
        turn["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": arguments_text(call)},
            }
            for call in calls
        ]
    yield turn
    for call in calls:
        yield {"role": "tool", "tool_call_id": call.call_id, "content": result_text(call)}


def _content(message: Message) -> str | list[dict[str, Any]]:
    """Plain text where there is nothing else: not every server takes lists."""
    parts = [part for part in message.parts if isinstance(part, TextPart | FilePart)]
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return [{"type": "text", "text": part.text} if isinstance(part, TextPart) else _file(part) for part in parts]


def _file(part: FilePart) -> dict[str, Any]:
    if part.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": part.url or _data_url(part)}}
    if part.media_type in _SOUNDS and part.data is not None:
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": _SOUNDS[part.media_type]}}
    data = part.url if part.url is not None and part.url.startswith("data:") else _data_url(part)
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": data}}


def _data_url(part: FilePart) -> str:
    if part.data is None:
        raise InvalidInput("a file that is not an image cannot be given by its URL here; send its content as base64")
    if part.media_type.endswith("/*"):
        raise InvalidInput("a file that is sent as base64 needs its media type, as `mime_type`")
    return f"data:{part.media_type};base64,{part.data}"


_SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
