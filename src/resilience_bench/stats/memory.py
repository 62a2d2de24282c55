"""Whether calls keep memory, or return objects of their own."""

from __future__ import annotations

from typing import Final

from resilience_bench._model import Measurement

LEAST_BLOCKS_PER_CALL: Final = 0.5
"""Minimum blocks per call: fewer are left by a cache that grew once among the calls."""


def is_leaking(measured: Measurement) -> bool:
    """Return whether calls leave blocks behind; bytes alone may be a cache that grew once."""
    kept = (measured.quantities.get(name) for name in ("allocated_blocks", "allocated_bytes"))
    blocks, size = (estimate.value if estimate else 0.0 for estimate in kept)
    return blocks >= LEAST_BLOCKS_PER_CALL and size > 1


def returns_object(measured: Measurement) -> bool:
    """Return whether most calls return an object of their own."""
    blocks = measured.quantities.get("object_blocks")
    return blocks is not None and blocks.value >= LEAST_BLOCKS_PER_CALL
