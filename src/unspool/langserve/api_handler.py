"""The endpoints of one runnable, as methods."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, cast

from fastapi.exceptions import RequestValidationError
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import merge_configs
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from unspool.langserve.agent import ConfiguredSource
from unspool.langserve.callbacks import CallbackEvents
from unspool.langserve.config import ConfigReader, PerRequestConfigModifier, config_of_hash
from unspool.langserve.connected import while_connected
from unspool.langserve.feedback import LangSmithRoutes
from unspool.langserve.generators import for_event_loops
from unspool.langserve.inputs import BatchBody, FilteredBody, Inputs, InvokeBody, configs_of, read_body
from unspool.langserve.models import Models
from unspool.langserve.outputs import Outputs, Streams, json_answer, metadata
from unspool.langserve.schema import (
    Feedback,
    FeedbackCreateRequest,
    FeedbackCreateRequestTokenBased,
    PublicTraceLink,
    PublicTraceLinkCreateRequest,
    TokenFeedbackConfig,
)
from unspool.langserve.serialization import Serializer, WellKnownLCSerializer
from unspool.langserve.streams import StreamResponse, event

__all__ = ["APIHandler", "PerRequestConfigModifier", "TokenFeedbackConfig"]

Lead = Callable[[], Awaitable[bytes]]

SPEAKS = "0.3.3"
"""The version of LangServe whose wire this is; runs carry it in their metadata, as they do there."""


class APIHandler:
    """Answers requests for one runnable, for apps that make their routes themselves.

    Each method takes the request, the config hash of its URL, and a config of the server's own, which counts more than
    the client's. The arguments are those of :func:`~unspool.langserve.add_routes`.

    Raises:
        TypeError: ``runnable`` is not a runnable.
        ValueError: ``run_name`` is among the ``config_keys``.
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
    ) -> None:
        if not isinstance(runnable, Runnable):
            raise TypeError(f"Expected a Runnable, got {type(runnable)}.")
        if path and not path.startswith("/"):
            raise ValueError(f"Got an invalid path: {path}. If specifying path please start it with a `/`")
        self._runnable = for_event_loops(runnable)
        self._run_name = prefix + path.rstrip("/")
        self._with_callbacks = include_callback_events
        self._serializer = serializer or WellKnownLCSerializer()
        self._config = ConfigReader(runnable, config_keys, per_req_config_modifier)
        self._inputs = Inputs(runnable, input_type)
        self._outputs = Outputs(runnable, output_type, self._serializer)
        self._streams = Streams(self._runnable, events_version=astream_events_version, allow=stream_log_name_allow_list)
        self._langsmith = LangSmithRoutes(
            feedback=enable_feedback_endpoint,
            tokens=token_feedback_config,
            trace_links=enable_public_trace_link_endpoint,
        )
        self._models = Models(
            path,
            input=self._inputs.model(None),
            output=self._outputs.model(None),
            config=self._config.model,
            with_callbacks=include_callback_events,
        )

    # -- runs -------------------------------------------------------------------------------------------

    async def invoke(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run it, and answer with its output."""
        body = await read_body(request, InvokeBody)
        config, value = await self._prepare(request, "invoke", body, config_hash, server_config)
        heard = CallbackEvents()
        output = await while_connected(request, partial(self._runnable.ainvoke, value, self._heard(config, heard)))
        run_id = _run_id(config)
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
        given = [await self._configured(request, c, config_hash, server_config) for c in configs_of(body)]
        count = len(body.inputs)
        # One config for all: a run id that it holds is the first one's.
        one_for_each = given if len(given) == count else [*given, *[_without_run_id(*given)] * (count - 1)][:count]
        configs = [self._complete(request, "batch", config) for config in one_for_each]
        inputs = [
            self._inputs.read(value, config, at=("inputs", index))
            for index, (value, config) in enumerate(zip(body.inputs, configs, strict=True))
        ]
        heard = [CallbackEvents() for _ in inputs]
        listened = [self._heard(config, events) for config, events in zip(configs, heard, strict=True)]
        outputs = await while_connected(request, lambda: self._runnable.abatch(inputs, listened))
        run_ids = [str(_run_id(config)) for config in configs]
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

    async def stream(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run it, and send its chunks as they come."""
        body = await read_body(request, InvokeBody)
        config, value = await self._prepare(request, "stream", body, config_hash, server_config)
        return self._streaming(self._streams.chunks(value, config), partial(self._lead, config))

    async def stream_log(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run it, and send patches of its log."""
        body = await read_body(request, FilteredBody)
        config, value = await self._prepare(request, "stream_log", body, config_hash, server_config)
        return self._streaming(self._streams.log(value, config, body.filters()), self._token_lead(config))

    async def astream_events(
        self, request: Request, *, config_hash: str = "", server_config: RunnableConfig | None = None
    ) -> Response:
        """Run it, and send what happens in it."""
        body = await read_body(request, FilteredBody)
        config, value = await self._prepare(request, "stream_events", body, config_hash, server_config)
        return self._streaming(self._streams.events(value, config, body.filters()), self._token_lead(config))

    async def _prepare(
        self,
        request: Request,
        endpoint: str,
        body: InvokeBody,
        config_hash: str,
        server_config: RunnableConfig | None,
    ) -> tuple[RunnableConfig, Any]:
        """What the runnable is called with. Raises HTTPException, RequestValidationError."""
        config = await self._configured(request, body.config, config_hash, server_config)
        return self._complete(request, endpoint, config), self._inputs.read(body.input, config)

    async def _configured(
        self,
        request: Request,
        config: dict[str, Any] | None,
        config_hash: str,
        server_config: RunnableConfig | None,
    ) -> RunnableConfig:
        return await self._config.modified(self._read_config(config_hash, config, server_config), request)

    def _complete(self, request: Request, endpoint: str, config: RunnableConfig) -> RunnableConfig:
        """Add what nobody overrides."""
        own: dict[str, Any] = {
            "metadata": {
                "__useragent": request.headers.get("user-agent", ""),
                "__langserve_version": SPEAKS,
                "__langserve_endpoint": endpoint,
            },
            "run_id": config.get("run_id") or uuid.uuid4(),
        }
        if self._run_name:
            own["run_name"] = self._run_name
        return merge_configs(config, cast("RunnableConfig", own))

    def _read_config(
        self, config_hash: str, config: dict[str, Any] | None, server_config: RunnableConfig | None
    ) -> RunnableConfig:
        try:
            read = self._config.read(config_of_hash(config_hash), config or {})
        except ValidationError as exc:
            raise RequestValidationError(list(exc.errors()), body=config) from exc
        return merge_configs(read, server_config)

    def _heard(self, config: RunnableConfig, events: CallbackEvents) -> RunnableConfig:
        return merge_configs(config, {"callbacks": [events]}) if self._with_callbacks else config

    def _streaming(self, chunks: AsyncIterator[Any], lead: Lead | None) -> Response:
        return StreamResponse(chunks, self._serializer.dumps, lead=lead)

    async def _lead(self, config: RunnableConfig) -> bytes:
        told: dict[str, Any] = {"run_id": str(_run_id(config))}
        if self._langsmith.makes_tokens:
            told = metadata(_run_id(config), await self._langsmith.tokens_for(_run_id(config)))
        return event("metadata", told)

    def _token_lead(self, config: RunnableConfig) -> Lead | None:
        return partial(self._lead, config) if self._langsmith.makes_tokens else None

    # -- the playground ---------------------------------------------------------------------------------

    def agent(self) -> ConfiguredSource:
        """The runnable, for the native protocol."""
        return ConfiguredSource(self._runnable, self._inputs)

    async def configure(self, request: Request, config: dict[str, Any], config_hash: str) -> RunnableConfig:
        """The config of a run in the native protocol: what it would be here. Raises HTTPException."""
        completed = self._complete(request, "playground", await self._configured(request, config, config_hash, None))
        return _without_run_id(completed)

    # -- schemas ----------------------------------------------------------------------------------------

    async def input_schema(
        self,
        request: Request,  # noqa: ARG002 - part of LangServe's signature
        *,
        config_hash: str = "",
        server_config: RunnableConfig | None = None,
    ) -> Any:
        """The JSON Schema of the input."""
        return self._inputs.model(self._read_config(config_hash, None, server_config)).model_json_schema()

    async def output_schema(
        self,
        request: Request,  # noqa: ARG002 - part of LangServe's signature
        *,
        config_hash: str = "",
        server_config: RunnableConfig | None = None,
    ) -> Any:
        """The JSON Schema of the output."""
        return self._outputs.model(self._read_config(config_hash, None, server_config)).model_json_schema()

    async def config_schema(
        self,
        request: Request,  # noqa: ARG002 - part of LangServe's signature
        *,
        config_hash: str = "",
        server_config: RunnableConfig | None = None,
    ) -> Any:
        """The JSON Schema of the config."""
        self._read_config(config_hash, None, server_config)  # refuses a hash that is none
        return self._config.model.model_json_schema()

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

    # -- models -----------------------------------------------------------------------------------------

    @property
    def InvokeRequest(self) -> type[BaseModel]:  # noqa: N802 - LangServe's names
        """The body of ``/invoke``."""
        return self._models.request("InvokeRequest")

    @property
    def BatchRequest(self) -> type[BaseModel]:  # noqa: N802
        """The body of ``/batch``."""
        return self._models.batch_request()

    @property
    def StreamRequest(self) -> type[BaseModel]:  # noqa: N802
        """The body of ``/stream``."""
        return self._models.request("StreamRequest")

    @property
    def StreamLogRequest(self) -> type[BaseModel]:  # noqa: N802
        """The body of ``/stream_log``."""
        return self._models.request("StreamLogRequest", filters=True)

    @property
    def StreamEventsRequest(self) -> type[BaseModel]:  # noqa: N802
        """The body of ``/stream_events``."""
        return self._models.request("StreamEventsRequest", filters=True)

    @property
    def InvokeResponse(self) -> type[BaseModel]:  # noqa: N802
        """The answer of ``/invoke``."""
        return self._models.invoke_response()

    @property
    def BatchResponse(self) -> type[BaseModel]:  # noqa: N802
        """The answer of ``/batch``."""
        return self._models.batch_response()


def _without_run_id(config: RunnableConfig) -> RunnableConfig:
    return cast("RunnableConfig", {key: value for key, value in config.items() if key != "run_id"})


def _run_id(config: RunnableConfig) -> Any:
    return cast("dict[str, Any]", config)["run_id"]
