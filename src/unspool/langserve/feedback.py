"""Feedback and public traces, which LangSmith keeps."""

from __future__ import annotations

from typing import Any

from anyio import to_thread
from fastapi import HTTPException
from langsmith import Client
from langsmith.utils import tracing_is_enabled

from unspool.langserve.schema import (
    Feedback,
    FeedbackCreateRequest,
    FeedbackCreateRequestTokenBased,
    FeedbackToken,
    PublicTraceLink,
    PublicTraceLinkCreateRequest,
    TokenFeedbackConfig,
)

_OFF = "This is off. Whoever runs the server turns it on with `{}` in `add_routes`."


class LangSmithRoutes:
    """Talks to LangSmith, in threads; the client is made when it is first needed.

    Args:
        feedback: Whether clients may give feedback on any run.
        tokens: Which feedback tokens are made for each run.
        trace_links: Whether clients may make traces public.
    """

    def __init__(self, *, feedback: bool, tokens: TokenFeedbackConfig | None, trace_links: bool) -> None:
        if tokens is not None and len(tokens["key_configs"]) != 1:
            raise NotImplementedError("Only one key is supported in the key_configs of token_feedback_config.")
        self._feedback = feedback
        self._key = tokens["key_configs"][0]["key"] if tokens is not None else None
        self._trace_links = trace_links
        self._client: Client | None = None

    @property
    def makes_tokens(self) -> bool:
        """Whether each run gets a feedback token."""
        return self._key is not None

    async def tokens_for(self, run_id: Any) -> list[FeedbackToken]:
        """Make the feedback tokens of a run."""
        if self._key is None:
            return []
        made: Any = await to_thread.run_sync(self._langsmith().create_presigned_feedback_token, run_id, self._key)
        return [FeedbackToken(key=self._key, token_url=made.url, expires_at=made.expires_at)]

    def check_feedback(self) -> None:
        """Raise HTTPException, 400, unless clients may give feedback here."""
        if not self._feedback:
            raise HTTPException(400, _OFF.format("enable_feedback_endpoint"))

    def check_trace_links(self) -> None:
        """Raise HTTPException, 400, unless clients may make traces public here."""
        if not self._trace_links:
            raise HTTPException(400, _OFF.format("enable_public_trace_link_endpoint"))

    async def create(self, wanted: FeedbackCreateRequest) -> Feedback:
        """Store feedback."""
        self.check_feedback()
        _check_tracing()
        made: Any = await to_thread.run_sync(
            lambda: self._langsmith().create_feedback(
                wanted.run_id,
                wanted.key,
                score=wanted.score,
                value=wanted.value,
                comment=wanted.comment,
                source_info={"from_langserve": True},
            )
        )
        return Feedback.model_validate(made, from_attributes=True)

    async def create_from_token(self, wanted: FeedbackCreateRequestTokenBased) -> None:
        """Store feedback that a token stands for."""
        if self._key is None:
            raise HTTPException(400, _OFF.format("token_feedback_config"))
        _check_tracing()
        await to_thread.run_sync(
            lambda: self._langsmith().create_feedback_from_token(
                wanted.token_or_url,
                wanted.score,
                value=wanted.value,
                correction=wanted.correction,
                comment=wanted.comment,
                metadata={**(wanted.metadata or {}), "from_langserve": True},
            )
        )

    async def share(self, wanted: PublicTraceLinkCreateRequest) -> PublicTraceLink:
        """Make the trace of a run public, or find the link where it is already."""
        self.check_trace_links()
        _check_tracing()

        def link() -> str:
            client = self._langsmith()
            return str(client.read_run_shared_link(wanted.run_id) or client.share_run(wanted.run_id))

        return PublicTraceLink(public_url=await to_thread.run_sync(link))

    def _langsmith(self) -> Client:
        if self._client is None:
            self._client = Client()
        return self._client


def _check_tracing() -> None:
    if not tracing_is_enabled():
        raise HTTPException(400, "This needs LangSmith. Set its environment variables on the server.")
