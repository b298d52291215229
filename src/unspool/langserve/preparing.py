"""What a runnable is called with: the config that counts, and the input, checked."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi.exceptions import RequestValidationError
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import merge_configs
from pydantic import ValidationError
from starlette.requests import Request

from unspool.langserve.config import ConfigReader, PerRequestConfigModifier, config_of_hash
from unspool.langserve.inputs import Inputs, InvokeBody

SPEAKS = "0.3.3"
"""The version of LangServe whose wire this is; runs carry it in their metadata, as they do there."""

_HOSTED: Mapping[str, str] = {
    "__langserve_hosted_git_ref": "HOSTED_LANGSERVE_GIT_REF",
    "__langserve_hosted_repo_subdirectory_path": "HOSTED_LANGSERVE_GIT_REPO_PATH",
    "__langserve_hosted_repo_url": "HOSTED_LANGSERVE_GIT_REPO",
    "__langserve_hosted_revision_id": "HOSTED_LANGSERVE_REVISION_ID",
}
"""Metadata of runs on a server that says of itself that it is hosted, and the environment variables with it."""


def is_hosted() -> bool:
    """Whether ``HOSTED_LANGSERVE_ENABLED`` is ``true``."""
    return os.environ.get("HOSTED_LANGSERVE_ENABLED", "").lower() == "true"


class Preparing:
    """Makes calls of requests. Its methods raise HTTPException and RequestValidationError.

    Args:
        runnable: What is called.
        run_name: Of every run; empty: the runnable's own.
        input_type: Checks inputs, or ``auto``.
        config_keys: What clients may set.
        modifier: Has the last word on each config.
    """

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        *,
        run_name: str,
        input_type: Any,
        config_keys: Sequence[str],
        modifier: PerRequestConfigModifier | None,
    ) -> None:
        self.config = ConfigReader(runnable, config_keys, modifier)
        self.inputs = Inputs(runnable, input_type)
        self._run_name = run_name

    async def call(
        self,
        request: Request,
        endpoint: str,
        body: InvokeBody,
        config_hash: str,
        server_config: RunnableConfig | None,
    ) -> tuple[RunnableConfig, Any]:
        """The config and the input of one run."""
        config = await self.configured(request, body.config, config_hash, server_config)
        return self.complete(request, endpoint, config), self.inputs.read(body.input, config)

    async def configured(
        self,
        request: Request,
        config: dict[str, Any] | None,
        config_hash: str,
        server_config: RunnableConfig | None,
    ) -> RunnableConfig:
        """The config as the client, the server and the modifier want it."""
        return await self.config.modified(self.read(config_hash, config, server_config), request)

    def read(
        self, config_hash: str, config: dict[str, Any] | None, server_config: RunnableConfig | None
    ) -> RunnableConfig:
        """The config as the client and the server want it."""
        try:
            read = self.config.read(config_of_hash(config_hash), config or {})
        except ValidationError as exc:
            raise RequestValidationError(list(exc.errors()), body=config) from exc
        return merge_configs(read, server_config)

    def complete(self, request: Request, endpoint: str, config: RunnableConfig) -> RunnableConfig:
        """Add what nobody overrides."""
        metadata = {
            "__useragent": request.headers.get("user-agent", ""),
            "__langserve_version": SPEAKS,
            "__langserve_endpoint": endpoint,
        }
        if is_hosted():
            metadata |= {key: os.environ.get(name, "") for key, name in _HOSTED.items()}
            metadata["__langserve_hosted_is_hosted"] = "true"
        own: dict[str, Any] = {"metadata": metadata, "run_id": config.get("run_id") or uuid.uuid4()}
        if self._run_name:
            own["run_name"] = self._run_name
        return merge_configs(config, cast("RunnableConfig", own))


def without_run_id(config: RunnableConfig) -> RunnableConfig:
    """``config`` for another run."""
    return cast("RunnableConfig", {key: value for key, value in config.items() if key != "run_id"})


def run_id_of(config: RunnableConfig) -> Any:
    """The id of the run that a completed config is for: a UUID, or its text."""
    return cast("dict[str, Any]", config)["run_id"]
