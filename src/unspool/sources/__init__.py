"""Foreign streams in, events out."""

from unspool.sources.adapt import adapt
from unspool.sources.base import Call, Item, Keep, Output, Past, ResumePoint, Rewind, Schemas, Source

__all__ = ["Call", "Item", "Keep", "Output", "Past", "ResumePoint", "Rewind", "Schemas", "Source", "adapt"]
