"""What of a client's ``config`` reaches a LangChain runnable. Clients are not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableConfig

from unspool.errors import InvalidInput
from unspool.sources.base import Call

RESERVED = frozenset({"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map"})
MAX_RECURSION = 100


def allowed_config(runnable: Runnable[Any, Any], call: Call) -> RunnableConfig:
    """Return the config for one call.

    A client may set ``tags``, ``metadata``, ``recursion_limit`` (up to 100) and the ``configurable`` fields that
    the runnable declares; those that choose a thread or a checkpoint are never among them.

    Raises:
        InvalidInput: It sets something else; the message says what it may set.
    """
    allowed = {"tags", "metadata", "recursion_limit", "configurable"}
    unknown = sorted(set(call.config) - allowed)
    if unknown:
        raise InvalidInput(f"config may hold {', '.join(sorted(allowed))}; not {', '.join(unknown)}")
    config: RunnableConfig = {"metadata": {**_mapping(call.config, "metadata"), "unspool_run_id": call.run_id}}
    tags = call.config.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in cast("list[object]", tags)):
        raise InvalidInput("config.tags must be a list of strings")
    config["tags"] = tags
    if "recursion_limit" in call.config:
        limit: object = call.config["recursion_limit"]
        if not isinstance(limit, int) or not 1 <= limit <= MAX_RECURSION:
            raise InvalidInput(f"config.recursion_limit must be a whole number from 1 to {MAX_RECURSION}")
        config["recursion_limit"] = limit
    config["configurable"] = _configurable(runnable, call)
    return config


def _configurable(runnable: Runnable[Any, Any], call: Call) -> dict[str, Any]:
    wanted = _mapping(call.config, "configurable")
    if not wanted:
        return {}
    declared = {spec.id for spec in runnable.config_specs} - RESERVED
    unknown = sorted(set(wanted) - declared)
    if unknown:
        can = f"only {', '.join(sorted(declared))}" if declared else "nothing here"
        raise InvalidInput(f"config.configurable may set {can}; not {', '.join(unknown)}")
    return wanted


def _mapping(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    value: object = config.get(key, {})
    if not isinstance(value, dict):
        raise InvalidInput(f"config.{key} must be an object")
    return dict(cast("dict[str, Any]", value))
