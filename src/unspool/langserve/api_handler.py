"""The endpoints of one runnable, as methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Literal

from fastapi import HTTPException
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import merge_configs
from starlette.requests import Request
from starlette.responses import Response

from unspool.http.app import Unspool
from unspool.langserve.agent import ConfiguredSource
from unspool.langserve.callbacks import CallbackEvents
from unspool.langserve.config import PerRequestConfigModifier
from unspool.langserve.connected import while_connected
from unspool.langserve.described import Described
from unspool.langserve.feedback import LangSmithRoutes
from unspool.langserve.generators import for_event_loops
from unspool.langserve.inputs import BatchBody, FilteredBody, InvokeBody, configs_of, read_body
from unspool.langserve.kept import KeptStreams, Streaming, wants_to_keep
from unspool.langserve.outputs import Outputs, Streams, json_answer, metadata
from unspool.langserve.playground import Playground
from unspool.langserve.preparing import Preparing, run_id_of, without_run_id
from unspool.langserve.schema import (
    Feedback,
    FeedbackCreateRequest,
    FeedbackCreateRequestTokenBased,
    PublicTraceLink,
    PublicTraceLinkCreateRequest,
    TokenFeedbackConfig,
)
from unspool.langserve.serialization import Serializer, WellKnownLCSerializer
from unspool.langserve.streams import StreamResponse

__all__ = ["APIHandler", "PerRequestConfigModifier", "TokenFeedbackConfig"]


class APIHandler(Described):
    """Answers requests for one runnable, for apps that make their routes themselves.

    Each method takes the request, the config hash of its URL, and a config of the server's own, which counts more than
    the client's. The arguments are those of :func:`~unspool.langserve.add_routes`, but that ``unspool`` has to live as
    long as the app does, and that without one there is no playground, and no stream that a client can come back to.

    Raises:
        TypeError: ``runnable`` is not a runnable.
        ValueError: ``run_name`` is among the ``config_keys``, or there is a runnable at this path of ``unspool``.
    """

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        *,
        path: str,
        prefix: str = "",
        input_type: Any = "auto",
        output_type: Any = "auto",
        config_keys: Sequence[str] = ("configurable",),
        include_callback_events: bool = False,
        enable_feedback_endpoint: bool = False,
        token_feedback_config: TokenFeedbackConfig | None = None,
        enable_public_trace_link_endpoint: bool = False,
        per_req_config_modifier: PerRequestConfigModifier | None = None,
        stream_log_name_allow_list: Sequence[str] | None = None,
        playground_type: Literal["default", "chat"] = "default",  # noqa: ARG002 - one playground does for both
        astream_events_version: Literal["v1", "v2"] = "v2",
        serializer: Serializer | None = None,
        unspool: Unspool | None = None,
    ) -> None:
        if not isinstance(runnable, Runnable):
            raise TypeError(f"Expected a Runnable, got {type(runnable)}.")
        if path and not path.startswith("/"):
            raise ValueError(f"Got an invalid path: {path}. If specifying path please start it with a `/`")
        run_name = prefix + path.rstrip("/")
        self._runnable = for_event_loops(runnable)
        self._with_callbacks = include_callback_events
        self._serializer = serializer or WellKnownLCSerializer()
        super().__init__(
            Preparing(
                runnable,
                run_name=run_name,
                input_type=input_type,
                config_keys=config_keys,
                modifier=per_req_config_modifier,
            ),
            Outputs(runnable, output_type, self._serializer),
            path=path,
            with_callbacks=include_callback_events,
        )
        self._streams = Streams(self._runnable, events_version=astream_events_version, allow=stream_log_name_allow_list)
        self._langsmith = LangSmithRoutes(
            feedback=enable_feedback_endpoint,
            tokens=token_feedback_config,
            trace_links=enable_public_trace_link_endpoint,
        )
        self._kept: KeptStreams | None = None
        self._playground: Playground | None = None
        if unspool is not None:
            name = run_name.strip("/") or "agent"
            source = ConfiguredSource(self._runnable, self._preparing.inputs)
            self._playground = Playground(unspool, source, self._configure, name=name)
            self._kept = KeptStreams.of(unspool, name=f"{name}/streams")

    # -- answers ----------------------------------------------------------------------------------------

    async def invoke(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run it, and answer with its output."""
        body = await read_body(request, InvokeBody)
        config, value = await self._preparing.call(request, "invoke", body, config_hash, server_config)
        heard = CallbackEvents()
        output = await while_connected(request, partial(self._runnable.ainvoke, value, self._heard(config, heard)))
        run_id = run_id_of(config)
        answer: dict[str, Any] = {
            "output": self._outputs.dump(output, config),
            "metadata": metadata(run_id, await self._langsmith.tokens_for(run_id)),
        }
        if self._with_callbacks:
            answer["callback_events"] = self._serializer.dumpd(heard.events)
        return json_answer(answer)

    async def batch(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run several inputs, and answer with all outputs."""
        body = await read_body(request, BatchBody)
        preparing = self._preparing
        given = [await preparing.configured(request, c, config_hash, server_config) for c in configs_of(body)]
        count = len(body.inputs)
        # One config for all: a run id that it holds is the first one's.
        one_for_each = given if len(given) == count else [*given, *[without_run_id(*given)] * (count - 1)][:count]
        configs = [preparing.complete(request, "batch", config) for config in one_for_each]
        inputs = [
            preparing.inputs.read(value, config, at=("inputs", index))
            for index, (value, config) in enumerate(zip(body.inputs, configs, strict=True))
        ]
        heard = [CallbackEvents() for _ in inputs]
        listened = [self._heard(config, events) for config, events in zip(configs, heard, strict=True)]
        outputs = await while_connected(request, lambda: self._runnable.abatch(inputs, listened))
        run_ids = [str(run_id_of(config)) for config in configs]
        answer: dict[str, Any] = {
            "output": [self._outputs.dump(output, config) for output, config in zip(outputs, configs, strict=True)],
            "metadata": {
                "responses": [metadata(run_id, await self._langsmith.tokens_for(run_id)) for run_id in run_ids],
                "run_ids": run_ids,
            },
        }
        if self._with_callbacks:
            answer["callback_events"] = [self._serializer.dumpd(events.events) for events in heard]
        return json_answer(answer)

    def _heard(self, config: RunnableConfig, events: CallbackEvents) -> RunnableConfig:
        return merge_configs(config, {"callbacks": [events]}) if self._with_callbacks else config

    # -- streams ----------------------------------------------------------------------------------------

    async def stream(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run it, and send its chunks as they come."""
        body = await read_body(request, InvokeBody)
        config, value = await self._preparing.call(request, "stream", body, config_hash, server_config)
        chunks = self._streams.chunks(value, config)
        return await self._streamed(request, body, config, chunks, config_hash=config_hash, with_lead=True)

    async def stream_log(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run it, and send patches of its log."""
        body = await read_body(request, FilteredBody)
        config, value = await self._preparing.call(request, "stream_log", body, config_hash, server_config)
        patches = self._streams.log(value, config, body.filters())
        return await self._streamed(request, body, config, patches, config_hash=config_hash)

    async def astream_events(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run it, and send what happens in it."""
        body = await read_body(request, FilteredBody)
        config, value = await self._preparing.call(request, "stream_events", body, config_hash, server_config)
        events = self._streams.events(value, config, body.filters())
        return await self._streamed(request, body, config, events, config_hash=config_hash)

    async def _streamed(
        self,
        request: Request,
        body: InvokeBody,
        config: RunnableConfig,
        chunks: AsyncIterator[Any],
        *,
        config_hash: str,
        with_lead: bool = False,
    ) -> Response:
        lead = partial(self._told, config) if with_lead or self._langsmith.makes_tokens else None
        streaming = Streaming(chunks, self._serializer.dumps, lead)
        if not wants_to_keep(request):
            return StreamResponse(chunks, streaming.dumps, lead=streaming.lead_frame if lead else None)
        run_id = str(run_id_of(config))
        return await self._keeping().start(request, body, streaming, run_id=run_id, config_hash=config_hash)

    async def _told(self, config: RunnableConfig) -> dict[str, Any]:
        run_id = run_id_of(config)
        if self._langsmith.makes_tokens:
            return metadata(run_id, await self._langsmith.tokens_for(run_id))
        return {"run_id": str(run_id)}

    async def follow_run(self, request: Request, run_id: str) -> Response:
        """Follow a stream that was started with ``Unspool-Resume: 1``, from ``Last-Event-ID`` or ``?after=`` on."""
        return await self._keeping().follow(request, run_id)

    async def cancel_run(self, request: Request, run_id: str) -> Response:
        """Stop a stream that was started with ``Unspool-Resume: 1``."""
        return await self._keeping().cancel(request, run_id)

    def _keeping(self) -> KeptStreams:
        if self._kept is None:
            raise HTTPException(422, "This server keeps no runs. Whoever runs it gives `APIHandler` an `unspool`.")
        return self._kept

    # -- the playground ---------------------------------------------------------------------------------

    async def playground(
        self,
        file_path: str,
        request: Request,
        *,
        config_hash: str = "",
        server_config: RunnableConfig | None = None,
    ) -> Response:
        """Answer GET and POST requests for what is below the playground's address: the page, and its agent."""
        if self._playground is None:
            raise HTTPException(404, "There is no playground. Whoever runs the server gives `APIHandler` an `unspool`.")
        return await self._playground.answer(file_path, request, config_hash, server_config)

    async def _configure(
        self, request: Request, config: dict[str, Any], config_hash: str, server_config: RunnableConfig | None
    ) -> RunnableConfig:
        """The config of a run in the native protocol: what it would be here. Raises HTTPException."""
        configured = await self._preparing.configured(request, config, config_hash, server_config)
        return without_run_id(self._preparing.complete(request, "playground", configured))

    # -- LangSmith --------------------------------------------------------------------------------------

    async def create_feedback(self, feedback_create_req: FeedbackCreateRequest) -> Feedback:
        """Store feedback on a run."""
        return await self._langsmith.create(feedback_create_req)

    async def create_feedback_from_token(self, create_request: FeedbackCreateRequestTokenBased) -> None:
        """Store feedback that a token stands for."""
        await self._langsmith.create_from_token(create_request)

    async def create_public_trace_link(
        self, public_trace_link_create_req: PublicTraceLinkCreateRequest
    ) -> PublicTraceLink:
        """Make the trace of a run public."""
        return await self._langsmith.share(public_trace_link_create_req)

    async def check_feedback_enabled(self) -> bool:
        """Whether clients may give feedback. Raises HTTPException: they may not."""
        self._langsmith.check_feedback()
        return True

    async def check_public_trace_link_enabled(self) -> bool:
        """Whether clients may make traces public. Raises HTTPException: they may not."""
        self._langsmith.check_trace_links()
        return True
