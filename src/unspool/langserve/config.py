"""What of a client's config reaches the runnable."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from fastapi import HTTPException
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import merge_configs
from starlette.requests import Request

from unspool.langserve.lzstring import decompress

PerRequestConfigModifier = (
    Callable[[dict[str, Any], Request], dict[str, Any]] | Callable[[dict[str, Any], Request], Awaitable[dict[str, Any]]]
)
"""Takes the config so far and the request, and returns the config."""

_DISALLOWED = (
    "The config field `configurable` has been disallowed by the server. This can be modified server side by adding "
    "`configurable` to the list of `config_keys` argument in `add_routes`"
)


class ConfigReader:
    """Takes from configs what the runnable declares and the server lets through.

    Args:
        runnable: Its config schema says which `configurable` keys there are.
        config_keys: The keys that clients may set.
        modifier: Has the last word, for each request.
    """

    def __init__(
        self, runnable: Runnable[Any, Any], config_keys: Sequence[str], modifier: PerRequestConfigModifier | None
    ) -> None:
        if "run_name" in config_keys:
            raise ValueError("Cannot configure run_name. Please remove it from config_keys.")
        self._keys = [key for key in config_keys if key != "callbacks"]
        self._modifier = modifier
        with warnings.catch_warnings():
            # LangGraph's graphs say that there is a newer way to ask; it knows nothing of the keys.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._model = runnable.config_schema(include=self._keys)
        # A graph with a checkpointer needs a thread, and declares none.
        self._takes_thread = bool(getattr(runnable, "checkpointer", None))

    @property
    def model(self) -> type[Any]:
        """The pydantic model of a config."""
        return self._model

    def read(self, *configs: Mapping[str, Any]) -> RunnableConfig:
        """Return what counts of ``configs``; the later ones win.

        Raises:
            ValidationError: A value is not what its key takes.
            HTTPException: 422, it sets ``configurable`` and may not.
        """
        known = [self._known(config) for config in configs]
        merged = cast("dict[str, Any]", merge_configs(*known))
        if any("configurable" in config for config in known):
            merged = self._model.model_validate(merged).model_dump()  # with the defaults of what was not given
            merged["configurable"] = {**(merged.get("configurable") or {}), **self._thread(*configs)}
        if merged.get("configurable") and "configurable" not in self._keys:
            raise HTTPException(422, _DISALLOWED)
        return cast("RunnableConfig", {key: merged[key] for key in self._keys if merged.get(key) is not None})

    def _known(self, config: Mapping[str, Any]) -> RunnableConfig:
        known: dict[str, Any] = self._model.model_validate(config).model_dump(exclude_unset=True)
        if self._thread(config):
            known.setdefault("configurable", {})
        return cast("RunnableConfig", {key: value for key, value in known.items() if value is not None})

    def _thread(self, *configs: Mapping[str, Any]) -> dict[str, str]:
        """The thread that the configs name, for a graph that needs one."""
        found: dict[str, str] = {}
        if self._takes_thread:
            for config in configs:
                given = config.get("configurable")
                thread: object = cast("dict[str, Any]", given).get("thread_id") if isinstance(given, dict) else None
                if isinstance(thread, str):
                    found = {"thread_id": thread}
        return found

    async def modified(self, config: RunnableConfig, request: Request) -> RunnableConfig:
        """Return what the server's own function makes of ``config``."""
        if self._modifier is None:
            return config
        result = self._modifier(cast("dict[str, Any]", config), request)
        return cast("RunnableConfig", await result if inspect.isawaitable(result) else result)


def config_of_hash(config_hash: str) -> dict[str, Any]:
    """Return the config that a share link carries. Raises HTTPException: 400, it carries none."""
    if not config_hash:
        return {}
    try:
        config: object = json.loads(decompress(config_hash))
    except (ValueError, RecursionError) as exc:
        raise HTTPException(400, "Invalid config hash") from exc
    if not isinstance(config, dict):
        raise HTTPException(400, "Invalid config hash")
    return cast("dict[str, Any]", config)
