"""Points of long runs for tests: every number in them is made up, and the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resilience_bench._model import Case, DriftPoints, DriftRecord, Result
from tests.factories import make_case, make_record, make_result

POINTS = 60
CALLS_A_POINT = 20_000
OPERATION_NS = 1000.0
REFERENCE_NS = 4000.0
WHEN = ("2026-01-02T03:30:00+00:00", "2026-01-02T03:31:00+00:00")


def make_points(  # noqa: PLR0913 - one argument a way to grow
    *,
    points: int = POINTS,
    cost_per_million: float = 0.0,
    blocks_per_call: float = 0.0,
    bytes_per_call: float = 0.0,
    noise: float = 0.0,
    seed: int = 1,
    paces: Sequence[float] = (1.0,),
) -> DriftPoints:
    """A run whose cost grows by this share per million calls, and its memory by so much a call.

    ``noise`` is the relative spread of each point; the reference takes ``paces`` times as long, one
    after the other, and the operation the square of that.
    """
    random = np.random.default_rng(seed)
    calls = CALLS_A_POINT * np.arange(1, points + 1)
    pace = np.resize(np.array(paces), points)
    noisy = 1 + noise * random.standard_normal((2, points))
    operation_ns = OPERATION_NS * (1 + cost_per_million * calls / 1e6) * noisy[0] * pace**2
    blocks = 90_000 + random.integers(0, 3, points) + blocks_per_call * calls
    resident = 30_000_000 + 4096 * (bytes_per_call * calls // 4096)
    return DriftPoints(
        tuple(calls.tolist()),
        tuple(operation_ns.tolist()),
        tuple((REFERENCE_NS * noisy[1] * pace).tolist()),
        tuple(int(block) for block in blocks),
        tuple(int(each) for each in resident),
    )


def make_drift_result(points: dict[Case, DriftPoints] | None = None, **more: Any) -> Result:
    """A result of cases that were kept going: one leaks, one gets slower, one does neither."""
    made = points or {
        make_case("steady"): make_points(),
        make_case("leaky"): make_points(blocks_per_call=1.0, bytes_per_call=48.0),
        make_case("slower"): make_points(cost_per_million=0.5),
    }
    records = tuple(DriftRecord(case.name, 0, *WHEN, each) for case, each in made.items())
    parts: dict[str, Any] = {"signals": ("drift",), "profile": "60 s a case", "drifts": records}
    return make_result([make_record(case) for case in made], **{**parts, **more})
