"""The table of quantities: what no change is, and how far a range reaches."""

from __future__ import annotations

import pytest

from resilience_bench.quantities import JUDGED, LOAD_SIGNALS, QUANTITIES, Quantity


@pytest.mark.parametrize("quantity", JUDGED.values(), ids=JUDGED)
def test_no_change_is_within_every_range(quantity: Quantity) -> None:
    """Whatever is tolerated, a comparison of two equal sides is."""
    low, high = quantity.compute_limits(quantity.unchanged, quantity.tolerance)
    assert low < quantity.unchanged < high


@pytest.mark.parametrize(("expected", "limits"), [(0.0, (-0.02, 0.02)), (0.5, (0.48, 0.52))])
def test_a_share_is_compared_by_its_difference(
    expected: float, limits: tuple[float, float]
) -> None:
    """An empty guard has a share of 0, and a range of percentage points around it."""
    assert QUANTITIES["share"].unchanged == 0
    assert QUANTITIES["share"].compute_limits(expected, 0.02) == pytest.approx(limits)


def test_all_others_are_compared_by_their_quotient() -> None:
    """Half is as far as twice."""
    assert QUANTITIES["ratio"].unchanged == 1
    assert QUANTITIES["ratio"].compute_limits(2.0, 0.25) == (1.6, 2.5)
    assert [one.name for one in JUDGED.values() if one.is_difference] == ["share"]
    assert "share" in LOAD_SIGNALS
