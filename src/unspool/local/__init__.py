"""The embedded model."""

from unspool.local.model import LocalModel, ModelUnavailable, find_weights

__all__ = ["LocalModel", "ModelUnavailable", "find_weights"]
