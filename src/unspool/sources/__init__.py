"""Foreign streams in, events out."""

from unspool.sources.adapt import adapt
from unspool.sources.base import Call, Output, ResumePoint, Schemas, Source

__all__ = ["Call", "Output", "ResumePoint", "Schemas", "Source", "adapt"]
