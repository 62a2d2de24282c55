"""A worker's number of a case, and rows of different lengths as tables."""

from __future__ import annotations

import math

import pytest

from resilience_bench._model import Samples
from resilience_bench.stats.quantiles import estimate_locations_ns, group_by_length
from tests.factories import make_samples


def test_location_is_the_ten_percent_quantile_per_call() -> None:
    """Of the samples 100 to 200 ns for ten calls the 10 % quantile is 110 ns, 11 a call."""
    samples = Samples(10, tuple(range(100, 201)))
    assert estimate_locations_ns([samples, make_samples(30, 5), samples]) == pytest.approx(
        [11, 30, 11]
    )


def test_without_samples_there_is_no_location() -> None:
    """It is no number, and the others keep their places."""
    found = estimate_locations_ns([make_samples(30, 5), Samples(10, ()), make_samples(40, 5)])
    assert found[::2] == pytest.approx([30, 40])
    assert math.isnan(found[1])


def test_rows_of_one_length_form_a_table() -> None:
    """Cases that fewer workers have measured are kept apart."""
    assert group_by_length([[1.0] * 5, [1.0] * 4, [2.0] * 5]) == {5: [0, 2], 4: [1]}
