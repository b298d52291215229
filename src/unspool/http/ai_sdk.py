"""The routes of the AI SDK's clients: ``useChat``, ``useCompletion`` and ``useObject``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from unspool.access import Principal
from unspool.errors import InvalidInput, RunConflict
from unspool.eventlog import Run
from unspool.http.ai_sdk_chats import Chat
from unspool.http.ai_sdk_history import ChatView, history
from unspool.http.ai_sdk_messages import ChatBody, CompletionBody
from unspool.http.bodies import valid_id, whole_number
from unspool.http.endpoints import Handler
from unspool.http.operations import IDEMPOTENCY_KEY, Answer, Operation, Parameter, ProtocolRoute
from unspool.http.problems import json_response, problem_of
from unspool.http.serving import Serving
from unspool.runs import RunRequest
from unspool.wire import Codec
from unspool.wire.ai_sdk import HEADERS, AiSdkSse
from unspool.wire.plain_text import PlainText

NOTHING = {"Cache-Control": "no-store"}


class AiSdkRoutes:
    """The handlers of one mount."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def chat(self, request: Request, principal: Principal) -> Response:
        """POST /ai-sdk: answer what is new in a chat."""
        body = await self._serving.body(request, ChatBody)
        thread_id = _thread(body.id)
        version = _version(request)
        key = request.headers.get("idempotency-key")
        wanted = await (await Chat.load(self._serving, principal, thread_id, key=key)).request(body)
        run = await self._serving.start(request, principal, wanted)
        if wanted.resumes is None:
            return self._serving.follow(run, AiSdkSse(run.id, version=version), headers=HEADERS)
        chat = await Chat.load(self._serving, principal, thread_id)
        return await self._followed(chat, run, version, replay=False)

    async def messages(self, request: Request, principal: Principal) -> Response:
        """GET /ai-sdk/{chat_id}/messages: what was said. A chat that is not there is one in which nothing was."""
        version = _version(request)
        chat = await self._chat(request, principal)
        return json_response(await history(self._serving.log, chat, version=version), headers=NOTHING)

    async def reconnect(self, request: Request, principal: Principal) -> Response:
        """GET /ai-sdk/{chat_id}/stream: the message that is being written, from its beginning; 204 if none is.

        ``?run_id=``: that run, ended or not, exactly as the request that started it was answered; with ``&replay=1``,
        as without the parameters.
        """
        version = _version(request)
        chat = await self._chat(request, principal)
        run_id = valid_id(request.query_params.get("run_id"), "run_id")
        if run_id is not None:
            replay = request.query_params.get("replay") == "1"
            return await self._followed(chat, await chat.run(run_id), version, replay=replay)
        run = chat.newest
        if run is None or run.ended:
            return Response(status_code=204, headers=NOTHING)
        return await self._followed(chat, run, version, replay=True)

    async def stop(self, request: Request, principal: Principal) -> Response:
        """POST /ai-sdk/{chat_id}/stop: stop the newest run, or that of ``?run_id=``; 204 if it has ended."""
        chat = await self._chat(request, principal)
        run_id = valid_id(request.query_params.get("run_id"), "run_id")
        run = chat.newest if run_id is None else await chat.run(run_id)
        if run is None or run.ended:
            return Response(status_code=204, headers=NOTHING)
        try:
            await self._serving.runner.cancel(run.id)
        except RunConflict:  # it ended meanwhile
            return Response(status_code=204, headers=NOTHING)
        return Response(status_code=202, headers=NOTHING)

    async def completion(self, request: Request, principal: Principal) -> Response:
        """POST /ai-sdk/completion: for ``useCompletion``. ``?protocol=text`` where its ``streamProtocol`` is that."""
        body = await self._serving.body(request, CompletionBody)
        protocol = request.query_params.get("protocol", "data")
        if protocol not in {"data", "text"}:
            raise InvalidInput("`protocol` can be `data` or `text`")
        version = _version(request)
        run = await self._serving.start(request, principal, RunRequest(input=body.prompt, config=body.config))
        if protocol == "text":
            return self._serving.follow(run, PlainText())
        return self._serving.follow(run, AiSdkSse(run.id, version=version), headers=HEADERS)

    async def object(self, request: Request, principal: Principal) -> Response:
        """POST /ai-sdk/object: for ``useObject``. The body is the source's input; what it says is JSON that grows."""
        body: object = await self._serving.body(request, object)
        run = await self._serving.start(request, principal, RunRequest(input=body))
        return self._serving.follow(run, PlainText())

    async def _chat(self, request: Request, principal: Principal) -> Chat:
        return await Chat.load(self._serving, principal, _thread(request.path_params["chat_id"]))

    async def _followed(self, chat: Chat, run: Run, version: int, *, replay: bool) -> Response:
        await self._serving.log.read(run.id, after=0, limit=1)  # refuses what is gone before the first byte
        message_id, earlier = await chat.earlier(run)
        codec: Codec = AiSdkSse(run.id, version=version, message_id=message_id, earlier=earlier, replay=replay)
        return self._serving.follow(run, codec, headers=HEADERS)


def routes(serving: Serving) -> Sequence[ProtocolRoute]:
    """The routes below one mount."""
    ai_sdk = AiSdkRoutes(serving)
    return [
        ProtocolRoute("POST", "/ai-sdk", _in_plain_text(ai_sdk.chat), _CHAT),
        ProtocolRoute("POST", "/ai-sdk/completion", _in_plain_text(ai_sdk.completion), _COMPLETION),
        ProtocolRoute("POST", "/ai-sdk/object", _in_plain_text(ai_sdk.object), _OBJECT),
        ProtocolRoute("GET", "/ai-sdk/{chat_id}/messages", _in_plain_text(ai_sdk.messages), _MESSAGES),
        ProtocolRoute("GET", "/ai-sdk/{chat_id}/stream", _in_plain_text(ai_sdk.reconnect), _RECONNECT),
        ProtocolRoute("POST", "/ai-sdk/{chat_id}/stop", _in_plain_text(ai_sdk.stop), _STOP),
    ]


def _in_plain_text(handler: Handler) -> Handler:
    """The clients show the text of a refusal to the user, whatever it is."""

    @wraps(handler)
    async def answered(request: Request, principal: Principal) -> Response:
        try:
            return await handler(request, principal)
        except Exception as exc:  # noqa: BLE001 - logged under an error id, and answered
            problem = problem_of(exc)
            wait: Mapping[str, str] = {}
            if problem.retry_after is not None:
                wait = {"Retry-After": str(math.ceil(problem.retry_after))}
            return Response(
                problem.detail, status_code=problem.status, headers={**NOTHING, **wait}, media_type="text/plain"
            )

    return answered


def _thread(chat_id: str) -> str:
    valid_id(chat_id, "the chat's id")
    return chat_id


def _version(request: Request) -> int:
    return whole_number(request.query_params.get("v"), "v", default=6, low=6, high=7)


_VERSION = Parameter("v", "The version of the AI SDK. 6 is the default.", ["6", "7"])

_CHAT_ID = {"chat_id": "The `id` of the chat."}

_CHUNKS = (
    "A UI message stream: one chunk in the `data` of each frame, and `[DONE]` in the last. A response that closes "
    "without that was cut."
)

_MARKED = {name: f"`{value}`, on a UI message stream." for name, value in HEADERS.items()}

_STREAM = Answer(_CHUNKS, ["text/event-stream"], _MARKED)

_CHAT = Operation(
    summary="Answer what is new in a chat, for useChat",
    body=ChatBody,
    parameters=[_VERSION, IDEMPOTENCY_KEY],
    answers={200: _STREAM},
    refusals="text/plain",
)

_COMPLETION = Operation(
    summary="Complete a prompt, for useCompletion",
    body=CompletionBody,
    parameters=[
        Parameter("protocol", "What its `streamProtocol` is. `data` is the default.", ["data", "text"]),
        _VERSION,
        IDEMPOTENCY_KEY,
    ],
    answers={
        200: Answer(f"{_CHUNKS} With `protocol=text`, the text alone.", ["text/event-stream", "text/plain"], _MARKED)
    },
    refusals="text/plain",
)

_OBJECT = Operation(
    summary="Make an object, for useObject",
    body=Any,
    parameters=[IDEMPOTENCY_KEY],
    answers={200: Answer("What the source says: JSON that grows.", ["text/plain"])},
    refusals="text/plain",
)

_MESSAGES = Operation(
    summary="Get what was said in a chat, for a page that opens it",
    path=_CHAT_ID,
    parameters=[_VERSION],
    answers={200: Answer("Its messages. A chat that is not there has none.", body=ChatView)},
    refusals="text/plain",
)

_RECONNECT = Operation(
    summary="Follow the message that a chat is writing, from its beginning",
    path=_CHAT_ID,
    parameters=[
        Parameter("run_id", "That run, ended or not, as the request that started it was answered."),
        Parameter("replay", "`1`, with `run_id`: the whole message, with what earlier runs said of it.", ["1"]),
        _VERSION,
    ],
    answers={200: _STREAM, 204: Answer("No message is being written.")},
    refusals="text/plain",
)

_STOP = Operation(
    summary="Stop the newest run of a chat",
    path=_CHAT_ID,
    parameters=[Parameter("run_id", "That run.")],
    answers={202: Answer("It will stop."), 204: Answer("It has ended.")},
    refusals="text/plain",
)
