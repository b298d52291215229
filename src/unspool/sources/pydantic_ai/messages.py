"""What a Pydantic AI run is told: the thread so far, what is asked, and the answers to what it waited for."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from unspool.errors import InvalidInput
from unspool.events import MAX_EVENT_BYTES, FilePart, Message, TextPart, ToolPart
from unspool.sources.approvals import REJECTED, Action, Decided, answer_to, decisions
from unspool.sources.base import Call, Keep, Past
from unspool.sources.conversation import arguments_text, asked, result_text, said

if TYPE_CHECKING:
    from pydantic_ai import DeferredToolResults, ToolApproved, ToolDenied
    from pydantic_ai.messages import ModelMessage, ModelRequestPart, ModelResponsePart, UserContent

KEPT = "pydantic_ai"

logger = logging.getLogger("unspool")


def kept(messages: Sequence[ModelMessage], pending: Mapping[str, Mapping[str, str]]) -> Keep | None:
    """The new messages of a run, to be given back to the next one, and what it waits for by interrupt id.

    None: they are larger than what may be kept. What the run said and was asked is known without them.
    """
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    found = msgspec.Raw(ModelMessagesTypeAdapter.dump_json(list(messages)))
    value = msgspec.json.encode({KEPT: {"messages": found, "pending": pending}})
    if len(value) > MAX_EVENT_BYTES and not pending:
        logger.warning("the messages of a Pydantic AI run are %d bytes, too many to be kept as they are", len(value))
        return None
    return Keep(msgspec.json.decode(value))


def history_of(pasts: Sequence[Past]) -> list[ModelMessage]:
    """The messages of earlier runs: as they were kept, or made anew of what was said."""
    found: list[ModelMessage] = []
    for past in pasts:
        messages = _kept_messages(past)
        found.extend(_from_neutral(said([past]), found) if messages is None else messages)
    return found


def asked_of(call: Call) -> list[ModelMessage]:
    """The messages of the input. The last one is a request: there is something to answer.

    Raises:
        InvalidInput: It is not a chat, or it ends with what the model said.
    """
    found = _from_neutral(asked(call), ())
    if not found or found[-1].kind != "request":
        raise InvalidInput("the last message of the input must be the user's")
    return found


def prompt_of(message: ModelMessage) -> str | Sequence[UserContent] | None:
    """What the user says in the last message. None: it is what a tool returned."""
    part = message.parts[-1]
    return part.content if part.part_kind == "user-prompt" else None


def answers_of(past: Past, call: Call) -> DeferredToolResults:
    """What a person decided, or what an external tool returned, by the tool call that waits for it.

    Raises:
        InvalidInput: The run does not wait for this, or for more than this.
    """
    from pydantic_ai import DeferredToolResults

    pending: Mapping[str, Mapping[str, str]] = _state(past).get("pending", {})
    results = DeferredToolResults()
    for interrupt_id, given in answer_to(call, list(pending)).items():
        waiting = pending[interrupt_id]
        if waiting["kind"] == "approval":
            (decided,) = decisions(given, [Action(waiting["tool_name"], None)])
            results.approvals[waiting["tool_call_id"]] = _approval(decided)
        else:
            results.calls[waiting["tool_call_id"]] = given
    return results


def _approval(decided: Decided) -> ToolApproved | ToolDenied:
    from pydantic_ai import ToolApproved, ToolDenied

    if decided.type == "reject":
        return ToolDenied(decided.message or REJECTED)
    return ToolApproved(override_args=decided.args)


def _state(past: Past) -> Mapping[str, Any]:
    value: object = cast("Mapping[str, Any]", past.kept).get(KEPT) if isinstance(past.kept, Mapping) else None
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _kept_messages(past: Past) -> list[ModelMessage] | None:
    from pydantic import ValidationError
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    messages: object = _state(past).get("messages")
    if messages is None:
        return None
    try:
        return ModelMessagesTypeAdapter.validate_json(msgspec.json.encode(messages))
    except ValidationError:
        logger.warning("this version of Pydantic AI does not read the messages that run %s kept", past.run_id)
        return None


def _from_neutral(messages: Sequence[Message], before: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Messages in our form, all calls answered, as Pydantic AI's. Calls that ``before`` made are not made again."""
    from pydantic_ai.messages import ModelRequest, ModelResponse, ToolCallPart, UserPromptPart

    made = {part.tool_call_id for message in before for part in message.parts if isinstance(part, ToolCallPart)}
    found: list[ModelMessage] = []
    for message in messages:
        if message.role == "user":
            found.append(ModelRequest(parts=[UserPromptPart(_user_content(message))]))
        elif message.role == "assistant":
            parts, returns = _response(message, made)
            if parts:
                found.append(ModelResponse(parts=parts))
            if returns:
                found.append(ModelRequest(parts=returns))
    return found


def _response(message: Message, made: set[str]) -> tuple[list[ModelResponsePart], list[ModelRequestPart]]:
    from pydantic_ai import messages as sdk

    parts: list[ModelResponsePart] = []
    returns: list[ModelRequestPart] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            parts.append(sdk.TextPart(part.text))
        elif isinstance(part, FilePart) and part.data is not None:
            parts.append(sdk.FilePart(sdk.BinaryContent(_bytes(part.data), media_type=part.media_type)))
        elif isinstance(part, ToolPart):
            if part.call_id not in made:
                parts.append(sdk.ToolCallPart(part.name, arguments_text(part), part.call_id))
            outcome = cast("Any", "success" if part.error is None else "failed")
            returns.append(sdk.ToolReturnPart(part.name, result_text(part), part.call_id, outcome=outcome))
    return parts, returns


def _user_content(message: Message) -> str | list[UserContent]:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    content: list[UserContent] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            content.append(part.text)
        elif isinstance(part, FilePart):
            content.append(_user_file(part))
    return content


def _user_file(part: FilePart) -> UserContent:
    from pydantic_ai.messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, VideoUrl

    if part.data is not None:
        return BinaryContent(_bytes(part.data), media_type=part.media_type)
    url = part.url or ""
    if url.startswith("data:"):
        header, _, data = url[len("data:") :].partition(",")
        if not header.endswith(";base64"):
            raise InvalidInput("a data URL of the input must be base64")
        return BinaryContent(_bytes(data), media_type=header.partition(";")[0] or part.media_type)
    if not url.startswith(("https://", "http://")):
        raise InvalidInput("a file of the input needs base64 data, or an http, https or data URL")
    kinds: Mapping[str, Callable[..., UserContent]] = {"image": ImageUrl, "audio": AudioUrl, "video": VideoUrl}
    media_type = None if part.media_type.endswith(("/*", "/octet-stream")) else part.media_type
    return kinds.get(part.media_type.partition("/")[0], DocumentUrl)(url, media_type=media_type)


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as exc:
        raise InvalidInput("a file of the input is not base64") from exc
