"""How runs of one source are run."""

from __future__ import annotations

from typing import Literal

import msgspec


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and policies for the runs of one source. All times are seconds; None switches a limit off.

    Attributes:
        first_token_timeout: Until the first event that carries output. Default 120.
        idle_timeout: Between two events after that, tools included. Default 300.
        total_timeout: For the whole run, all attempts included. Default 3600.
        retries: How often a retryable failure (rate limit, provider down, timeout) before any output is
            tried again, with exponential backoff and jitter, or after what the provider's Retry-After says.
        retry_wait: The first wait. It doubles, up to ``retry_wait_max``.
        retry_wait_max: The longest wait. A longer Retry-After ends the run instead, and the client is told.
        on_disconnect: What losing the last follower means. ``continue``: nothing, the run goes on and can be
            followed again. ``cancel``: the run is cancelled at once.
        orphan_timeout: Cancel a run that had followers and has had none for so long.
        takeovers: How often a run whose process died is taken up by another one before it ends as ``lost``.
    """

    first_token_timeout: float | None = 120.0
    idle_timeout: float | None = 300.0
    total_timeout: float | None = 3600.0
    retries: int = 2
    retry_wait: float = 0.5
    retry_wait_max: float = 20.0
    on_disconnect: Literal["continue", "cancel"] = "continue"
    orphan_timeout: float | None = None
    takeovers: int = 2

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for name in ("first_token_timeout", "idle_timeout", "total_timeout", "orphan_timeout"):
            seconds: float | None = getattr(self, name)
            if seconds is not None and seconds <= 0:
                raise ValueError(f"{name} must be positive, or None for no limit; it is {seconds}")
        if self.retries < 0 or self.takeovers < 0:
            raise ValueError("retries and takeovers must not be negative")
        if self.retry_wait <= 0 or self.retry_wait_max < self.retry_wait:
            raise ValueError("retry_wait must be positive, and retry_wait_max at least as long")
