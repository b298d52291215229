"""The routes of the AI SDK's clients: ``useChat``, ``useCompletion`` and ``useObject``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from unspool.access import Principal
from unspool.errors import InvalidInput, RunConflict
from unspool.eventlog import Run
from unspool.http.ai_sdk_chats import Chat
from unspool.http.ai_sdk_messages import ChatBody, CompletionBody
from unspool.http.bodies import valid_id, whole_number
from unspool.http.endpoints import Handler, RouteTable
from unspool.http.problems import problem_of
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
        wanted = await (await Chat.load(self._serving, principal, thread_id)).request(body)
        run = await self._serving.start(request, principal, wanted)
        if wanted.resumes is None:
            return self._serving.follow(run, AiSdkSse(run.id, version=version), headers=HEADERS)
        chat = await Chat.load(self._serving, principal, thread_id)
        return await self._followed(chat, run, version, replay=False)

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


def routes(serving: Serving) -> RouteTable:
    """The routes below one mount."""
    ai_sdk = AiSdkRoutes(serving)
    return [
        ("POST", "/ai-sdk", _in_plain_text(ai_sdk.chat)),
        ("POST", "/ai-sdk/completion", _in_plain_text(ai_sdk.completion)),
        ("POST", "/ai-sdk/object", _in_plain_text(ai_sdk.object)),
        ("GET", "/ai-sdk/{chat_id}/stream", _in_plain_text(ai_sdk.reconnect)),
        ("POST", "/ai-sdk/{chat_id}/stop", _in_plain_text(ai_sdk.stop)),
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
