"""What a runnable takes and gives, for clients and for OpenAPI."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel
from starlette.requests import Request

from unspool.langserve.models import Models
from unspool.langserve.outputs import Outputs
from unspool.langserve.preparing import Preparing


class Described:
    """The methods and properties of a handler that run nothing, under the names that LangServe gives them."""

    def __init__(self, preparing: Preparing, outputs: Outputs, *, path: str, with_callbacks: bool) -> None:
        self._preparing = preparing
        self._outputs = outputs
        self._models = Models(
            path,
            input=preparing.inputs.model(None),
            output=outputs.model(None),
            config=preparing.config.model,
            with_callbacks=with_callbacks,
        )

    async def input_schema(
        self,
        request: Request,  # noqa: ARG002 - part of LangServe's signature
        *,
        config_hash: str = "",
        server_config: RunnableConfig | None = None,
    ) -> Any:
        """The JSON Schema of the input."""
        return self._preparing.inputs.model(self._read(config_hash, server_config)).model_json_schema()

    async def output_schema(
        self,
        request: Request,  # noqa: ARG002 - part of LangServe's signature
        *,
        config_hash: str = "",
        server_config: RunnableConfig | None = None,
    ) -> Any:
        """The JSON Schema of the output."""
        return self._outputs.model(self._read(config_hash, server_config)).model_json_schema()

    async def config_schema(
        self,
        request: Request,  # noqa: ARG002 - part of LangServe's signature
        *,
        config_hash: str = "",
        server_config: RunnableConfig | None = None,
    ) -> Any:
        """The JSON Schema of the config."""
        self._read(config_hash, server_config)  # refuses a hash that is none
        return self._preparing.config.model.model_json_schema()

    def _read(self, config_hash: str, server_config: RunnableConfig | None) -> RunnableConfig:
        return self._preparing.read(config_hash, None, server_config)

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
