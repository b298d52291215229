"""The columns of the matrix. A new protocol is a new :class:`Column`; no row knows of it."""

from __future__ import annotations

from tests.matrix import drop_in, native, others, shapes
from tests.matrix.reading import Column

COLUMNS: list[Column] = [*native.COLUMNS, *others.COLUMNS, *shapes.COLUMNS, *drop_in.COLUMNS]
