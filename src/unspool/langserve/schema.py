"""The types of requests and answers, under the names that LangServe gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from pydantic import BaseModel, Field


class CustomUserType(BaseModel):
    """An input type that the runnable gets as a model; others become plain dicts."""


class KeyConfig(TypedDict):
    """Which feedback a token is good for."""

    key: str


class TokenFeedbackConfig(TypedDict):
    """Make a feedback token for every run. ``key_configs`` holds just one key."""

    key_configs: list[KeyConfig]


class FeedbackToken(BaseModel):
    """Lets who holds it give feedback on one run."""

    key: str
    token_url: str
    expires_at: datetime


class InvokeResponseMetadata(BaseModel):
    """What goes with an output."""

    run_id: UUID
    feedback_tokens: list[FeedbackToken] = Field(default_factory=list)


class BatchResponseMetadata(BaseModel):
    """What goes with the outputs of a batch, in their order."""

    responses: list[InvokeResponseMetadata] = Field(default_factory=list)
    run_ids: list[UUID] = Field(default_factory=list)


class BaseFeedback(BaseModel):
    """What somebody says of a run."""

    run_id: UUID | None = Field(description="The run that the feedback is about.")
    key: str = Field(description="What it is about: `correctness`, for example.")
    score: float | int | bool | None = Field(default=None, description="A number, or yes or no.")
    value: float | int | bool | str | dict[str, Any] | None = Field(default=None, description="Shown beside the score.")
    comment: str | None = Field(default=None, description="In words.")


class FeedbackCreateRequest(BaseFeedback):
    """Give feedback."""


class FeedbackCreateRequestTokenBased(BaseModel):
    """Give feedback with a token."""

    token_or_url: UUID | str = Field(description="The token, or the URL that it came in.")
    score: float | int | bool | None = Field(default=None, description="A number, or yes or no.")
    value: float | int | bool | str | dict[str, Any] | None = Field(default=None, description="Shown beside the score.")
    comment: str | None = Field(default=None, description="In words.")
    correction: dict[str, Any] | None = Field(default=None, description="What it should have been.")
    metadata: dict[str, Any] | None = Field(default=None, description="Anything more.")


class Feedback(BaseFeedback):
    """Feedback as LangSmith stored it."""

    id: UUID
    created_at: datetime
    modified_at: datetime
    correction: dict[str, Any] | None = None


class PublicTraceLinkCreateRequest(BaseModel):
    """Ask for a public link to the trace of a run."""

    run_id: UUID


class PublicTraceLink(BaseModel):
    """Where everybody can see the trace."""

    public_url: str
