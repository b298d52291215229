"""Which endpoints a runnable has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

EndpointName = Literal[
    "invoke",
    "batch",
    "stream",
    "stream_log",
    "stream_events",
    "playground",
    "feedback",
    "token_feedback",
    "public_trace_link",
    "input_schema",
    "config_schema",
    "output_schema",
    "config_hashes",
]

_ALL: frozenset[str] = frozenset(get_args(EndpointName))


def chosen(enabled: Sequence[str] | None, disabled: Sequence[str] | None) -> frozenset[str]:
    """Return the names of those that are on.

    Raises:
        ValueError: A name is not known, or both are given.
    """
    if enabled and disabled:
        raise ValueError(
            f'Cannot specify both "enabled_endpoints" and "disabled_endpoints". Got {enabled} and {disabled}'
        )
    if enabled is not None:
        return _known(enabled)
    return _ALL - _known(disabled or ())


def _known(names: Sequence[str]) -> frozenset[str]:
    lower = frozenset(name.lower() for name in names)
    unknown = sorted(lower - _ALL)
    if unknown:
        raise ValueError(f"Got unknown endpoint names: {unknown}. There are: {sorted(_ALL)}")
    return lower
