"""The protocols that have routes of their own, beside the native ones: one group each, in one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from unspool.http import ag_ui, ai_sdk
from unspool.http.operations import ProtocolRoute
from unspool.http.serving import Serving

PROTOCOLS: Mapping[str, Callable[[Serving], Sequence[ProtocolRoute]]] = {
    "ai-sdk": ai_sdk.routes,
    "ag-ui": ag_ui.routes,
}
"""By name, which is also where it is below the mount: ``/agent/{name}``."""


def known_protocols(names: Sequence[str] | None) -> Sequence[str]:
    """``names``; None: all.

    Raises:
        ValueError: There is no such protocol.
    """
    wanted = list(PROTOCOLS) if names is None else list(names)
    unknown = sorted(set(wanted) - set(PROTOCOLS))
    if unknown:
        raise ValueError(f"there is no protocol {', '.join(unknown)}; there are: {', '.join(PROTOCOLS)}")
    return wanted


def protocol_routes(serving: Serving, names: Sequence[str]) -> Sequence[ProtocolRoute]:
    """The routes of the protocols named."""
    return [route for name in names for route in PROTOCOLS[name](serving)]
