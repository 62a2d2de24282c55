"""The line that says how long a comparison took."""

from __future__ import annotations

import pytest

from resilience_bench.cli.compare_times import format_duration, sum_durations


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (324.0, "5 min 24 s"),
        (4000, "66 min 40 s"),
    ],
)
def test_a_duration_is_in_minutes_and_seconds(duration_s: float, text: str) -> None:
    """Seconds are never sixty, and minutes are left out where there are none."""
    assert format_duration(duration_s) == text


def test_durations_of_records_are_added() -> None:
    """Each pair has a beginning and an end, with or without fractions of a second."""
    times = [
        ("2026-11-27T10:00:00+00:00", "2026-11-27T10:01:00+00:00"),
        ("2026-11-27T10:59:59.500000+00:00", "2026-11-27T11:00:00+00:00"),
    ]
    assert sum_durations(times) == 60.5
