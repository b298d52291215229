"""What the AI SDK's clients send: their messages as the input of a source, and answers to what it asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from unspool.errors import InvalidInput
from unspool.events import Interrupt
from unspool.http.bodies import ResumeBody
from unspool.wire.ai_sdk_tools import actions_of, approval_id


class UiMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a chat, of which an assistant's has the id of the run that said it."""

    role: Literal["system", "user", "assistant"]
    id: str = ""
    parts: list[dict[str, Any]] = []


class ChatBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a chat transport posts. Members that are not here are the app's own, and not for the source.

    Attributes:
        id: The chat, which is the thread.
        messages: All that the client has.
        message: Only the newest, in place of ``messages``: nothing was dropped.
        trigger: Both mean the same here: the messages say what there is to answer.
        config: For the source.
        answer: To the one interrupt that the last message waits for.
        answers: To its interrupts, by id.
    """

    id: str
    messages: list[UiMessage] = []
    message: UiMessage | None = None
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    config: dict[str, Any] = {}
    answer: Any = msgspec.UNSET
    answers: dict[str, Any] | None = None

    @property
    def last(self) -> UiMessage:
        """The newest message. Raises InvalidInput."""
        if self.message is None and not self.messages:
            raise InvalidInput("there must be `messages`, or a `message`")
        return self.message or self.messages[-1]


class CompletionBody(msgspec.Struct, frozen=True, kw_only=True):
    """What ``useCompletion`` posts."""

    prompt: str
    config: dict[str, Any] = {}


def input_of(messages: Sequence[UiMessage]) -> Any:
    """The input that messages are: a single text is just that.

    Raises:
        InvalidInput: There is nothing that the user asks.
    """
    found = [{"role": message.role, "content": content} for message in messages if (content := _content(message.parts))]
    if not found or found[-1]["role"] != "user":
        raise InvalidInput("the last message must be the user's, with text or files; or it must answer what was asked")
    only = found[0]["content"]
    return only if len(found) == 1 and isinstance(only, str) else {"messages": found}


def _content(parts: Sequence[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """Text where there is nothing else, else content blocks."""
    blocks = [block for part in parts if (block := _block(part)) is not None]
    if all(block["type"] == "text" for block in blocks):
        return "".join(block["text"] for block in blocks)
    return blocks


def _block(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """A part as a content block. None: it says nothing to a source."""
    if part.get("type") == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    url, media_type = part.get("url"), part.get("mediaType")
    if part.get("type") != "file" or not isinstance(url, str) or not isinstance(media_type, str):
        return None
    kind = media_type.partition("/")[0]
    block = {"type": kind if kind in {"image", "audio", "video"} else "file", "mime_type": media_type}
    inline = re.match(r"data:[^,]*;base64,", url)
    block |= {"base64": url[inline.end() :]} if inline else {"url": url}
    name = part.get("filename")
    return block | ({"extras": {"name": name}} if isinstance(name, str) else {})


def answers_in(body: ChatBody, asked: Sequence[Interrupt]) -> ResumeBody:
    """What the client answers to what an interrupted run asked.

    Raises:
        InvalidInput: There is no answer, or only some of the tool calls were decided on.
    """
    if body.answer is not msgspec.UNSET or body.answers is not None:
        return ResumeBody(answer=body.answer, answers=body.answers, config=body.config)
    given = _responses(body.last.parts)
    answers: dict[str, Any] = {}
    for interrupt in asked:
        ids = [approval_id(interrupt.interrupt_id, action) for action in range(len(actions_of(interrupt.value)))]
        missing = [one for one in ids if one not in given]
        if missing and len(missing) < len(ids):
            raise InvalidInput(f"these approvals have no answer yet: {', '.join(missing)}")
        if ids and not missing:
            answers[interrupt.interrupt_id] = {"decisions": [given[one] for one in ids]}
    if not answers:
        raise InvalidInput("the last message is not the user's, and it answers nothing that was asked")
    return ResumeBody(answers=answers, config=body.config)


def _responses(parts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The decisions that tool parts hold, by the id of the approval."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        approval = part.get("approval")
        if part.get("state") != "approval-responded" or not isinstance(approval, Mapping):
            continue
        fields = cast("Mapping[str, Any]", approval)
        reason = fields.get("reason")
        because = {"message": reason} if isinstance(reason, str) and reason else {}
        decision = {"type": "approve"} if fields.get("approved") is True else {"type": "reject", **because}
        found[str(fields.get("id"))] = decision
    return found
