"""Trimmed means and their differences: the numbers of scipy, for many cases at once."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience_bench.stats.trimmed_t import (
    FEWEST,
    TRIMMED_SHARE,
    Estimates,
    Values,
    estimate_differences,
    estimate_trimmed_means,
)

CASES = 3
COUNTS = st.integers(FEWEST, 40)
SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.floats(1e-3, 1e6)


def drawn(seed: int, count: int, scale: float) -> Values:
    """Random numbers with heavy tails, as a busy machine makes them."""
    return scale * (1 + 0.05 * np.random.default_rng(seed).standard_t(3, (CASES, count)))


@settings(max_examples=60)
@given(SEEDS, COUNTS, COUNTS, SCALES)
def test_differences_are_those_of_yuens_test(
    seed: int, heads: int, bases: int, scale: float
) -> None:
    """Statistic, degrees of freedom and chance are those of scipy's trimmed Welch test."""
    head, base = drawn(seed, heads, scale), drawn(seed ^ 1, bases, 1.01 * scale)
    found = estimate_differences(estimate_trimmed_means(head), estimate_trimmed_means(base))
    expected = scipy.stats.ttest_ind(
        head, base, axis=1, equal_var=False, trim=TRIMMED_SHARE, alternative="greater"
    )
    zero = np.zeros(CASES)
    assert found.value / found.error == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert found.freedom == pytest.approx(expected.df, rel=1e-9)
    assert found.compute_p_value_below(zero) == pytest.approx(expected.pvalue, rel=1e-7)
    assert found.compute_p_value_above(zero) == pytest.approx(1 - expected.pvalue, abs=1e-9)


@settings(max_examples=60)
@given(SEEDS, COUNTS, SCALES)
def test_estimates_are_trimmed_means(seed: int, count: int, scale: float) -> None:
    """The value leaves out a fifth at either end; what is left has one freedom less."""
    values = drawn(seed, count, scale)
    found = estimate_trimmed_means(values)
    assert found.value == pytest.approx(
        scipy.stats.trim_mean(values, TRIMMED_SHARE, axis=1), rel=1e-12
    )
    assert set(found.freedom) == {count - 2 * int(TRIMMED_SHARE * count) - 1}


@settings(max_examples=30)
@given(SEEDS, COUNTS, SCALES)
def test_the_error_is_that_of_the_winsorised_numbers(seed: int, count: int, scale: float) -> None:
    """Half of Yuen's test: the squares of two errors add up to that of the difference."""
    values = drawn(seed, count, scale)
    cut = int(TRIMMED_SHARE * count)
    used = count - 2 * cut
    winsorised = scipy.stats.mstats.winsorize(values, limits=(cut / count, cut / count), axis=1)
    spread = np.asarray(winsorised).std(axis=1, ddof=1)
    expected = spread * np.sqrt((count - 1) / (used * (used - 1)))
    assert estimate_trimmed_means(values).error == pytest.approx(expected, rel=1e-9)


@settings(max_examples=30)
@given(SEEDS, COUNTS, st.floats(0.01, 0.999))
def test_an_interval_contains_the_value(seed: int, count: int, confidence: float) -> None:
    """The value lies in the middle, and more confidence means a wider interval."""
    found = estimate_trimmed_means(drawn(seed, count, 1.0))
    low, high = found.compute_interval(confidence)
    assert np.all((low < found.value) & (found.value < high))
    assert high - found.value == pytest.approx(found.value - low, rel=1e-9)
    wider_low, wider_high = found.compute_interval((1 + confidence) / 2)
    assert np.all((wider_low < low) & (high < wider_high))


def test_an_interval_and_a_chance_agree() -> None:
    """What lies on the upper end of a 95 % interval is exceeded with a chance of 2.5 %."""
    found = estimate_trimmed_means(drawn(1, 14, 1.0))
    low, high = found.compute_interval(0.95)
    assert found.compute_p_value_above(high) == pytest.approx([0.025] * CASES)
    assert found.compute_p_value_below(low) == pytest.approx([0.025] * CASES)


def test_one_outlier_does_not_move_an_estimate() -> None:
    """A worker that met a neighbour counts as if it had been the next slowest."""
    calm = np.array([[1.0, 1.01, 1.02, 1.03, 1.04]])
    wild = np.array([[1.0, 1.01, 1.02, 1.03, 99.0]])
    one, other = estimate_trimmed_means(calm), estimate_trimmed_means(wild)
    assert (one.value, one.error) == (other.value, other.error)


@pytest.mark.parametrize("count", [FEWEST, 5, 14])
@pytest.mark.parametrize("against", [0, 5])
def test_numbers_that_all_agree_leave_no_doubt(count: int, against: int) -> None:
    """Without any spread the chance is 0 or 1, the interval a point, and nothing is NaN."""
    found = estimate_trimmed_means(np.full((2, count), 1.25))
    if against:
        found = estimate_differences(found, estimate_trimmed_means(np.full((2, against), 0.25)))
    value = found.value
    limits = value + np.array([-0.5, 0.5])
    assert list(found.compute_p_value_below(limits)) == [0.0, 1.0]
    assert list(found.compute_p_value_above(limits)) == [1.0, 0.0]
    assert all(np.array_equal(end, value) for end in found.compute_interval(0.95))
    assert np.all(np.isfinite([found.value, found.error, found.freedom]))


def test_numbers_that_all_agree_may_lie_far_from_a_limit() -> None:
    """In ns a limit is thousands away, which is certain and no reason for a warning."""
    found = estimate_trimmed_means(np.full((2, 14), 100.0))
    assert list(found.compute_p_value_below(np.array([5000.0, 50.0]))) == [1.0, 0.0]


def test_what_lies_exactly_on_its_limit_is_open() -> None:
    """No spread and no distance: as likely on one side as on the other."""
    found = estimate_trimmed_means(np.full((1, 5), 1.0))
    assert list(found.compute_p_value_below(found.value)) == [0.5]


def test_no_limit_is_never_exceeded() -> None:
    """A budget has no lower end, and nothing is certain to lie below that."""
    found = estimate_trimmed_means(drawn(1, 14, 1.0))
    assert list(found.compute_p_value_above(np.full(CASES, -np.inf))) == [1.0] * CASES


def test_shapes_are_kept() -> None:
    """One estimate a row, in the order of the rows."""
    rows = np.array([[3.0] * 4, [1.0] * 4, [2.0] * 4])
    assert isinstance(estimate_trimmed_means(rows), Estimates)
    assert list(estimate_trimmed_means(rows).value) == [3.0, 1.0, 2.0]
