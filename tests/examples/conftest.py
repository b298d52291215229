"""What the tests of the examples share."""

from tests.sources.conftest import real_model

__all__ = ["real_model"]
