"""The central number of the workers and its interval, from values that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_bench.stats.bootstrap import (
    TRIMMED_SHARE,
    estimate_intervals,
    estimate_quantities,
    trimmed_mean,
)


@given(
    st.lists(st.floats(min_value=1, max_value=1e9), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_centre_lies_among_the_values_and_does_not_depend_on_their_order(
    values: list[float], random: np.random.RandomState
) -> None:
    """The centre is between the smallest and the largest, whatever the order."""
    middle = float(trimmed_mean(np.array(values)))
    assert min(values) * (1 - 1e-9) <= middle <= max(values) * (1 + 1e-9)
    random.shuffle(values)
    assert float(trimmed_mean(np.array(values))) == pytest.approx(middle)


def test_centre_does_not_move_for_a_few_bad_workers() -> None:
    """Workers that met a neighbour, fewer than are trimmed, leave the centre where it was."""
    values = np.full(16, 100.0)
    values[: int(16 * TRIMMED_SHARE)] = 1e9
    assert float(trimmed_mean(values)) == pytest.approx(100.0)


@pytest.mark.parametrize("workers", [5, 8, 16, 40])
def test_interval_holds_the_truth_about_as_often_as_it_says(workers: int) -> None:
    """Over 4,000 simulated cases at least 92 % of the 95 % intervals hold the true value."""
    table = np.random.default_rng(7).normal(100, 5, (4000, workers))
    low, high = estimate_intervals(table)
    assert np.mean((low <= 100) & (high >= 100)) >= 0.92


def test_interval_holds_the_value_and_shrinks_with_workers() -> None:
    """More workers know more."""
    widths = []
    for workers in (5, 10, 20, 40):
        table = np.random.default_rng(3).normal(100, 5, (200, workers))
        low, high = estimate_intervals(table)
        assert np.all((low <= trimmed_mean(table)) & (trimmed_mean(table) <= high))
        widths.append(float(np.mean(high - low)))
    assert widths == sorted(widths, reverse=True)


def test_rows_of_different_length_are_estimated_together() -> None:
    """Every row has its own value and interval, in the order of the rows."""
    rows = [[1.0, 2.0, 3.0], [10.0], [7.0, 7.0, 7.0]]
    first, second, third = estimate_quantities(rows)
    assert (first.value, second.value, third.value) == pytest.approx((2.0, 10.0, 7.0))
    assert (second.low, second.high) == (10.0, 10.0)
    assert first.low < first.value < first.high
    assert estimate_quantities([]) == []
