"""What pictures share: looks, the ends of axes, and how times are written."""

from __future__ import annotations

import pytest

from resilience_bench.report.plots import style


def test_every_library_has_a_look_of_its_own() -> None:
    """Colours come again, but never with the same marker and line; the order does not matter."""
    names = [f"library {number}" for number in range(60)]
    found = style.assign_looks(names)
    assert len(set(found.values())) == len(names)
    assert style.assign_looks(reversed(names)) == found
    first = list(found.values())[: len(style.OKABE_ITO)]
    assert len({look.colour for look in first}) == len({look.marker for look in first}) == 7


@pytest.mark.parametrize(
    ("value", "down", "up"),
    [
        (1.0, 1, 1),
        (3.0, 2, 5),
        (0.07, 0.05, 0.1),
        (990.0, 1000, 1000),
        (900.0, 500, 1000),
        (20.2, 20, 20),
        (4.9, 5, 5),
    ],
)
def test_axes_end_at_round_numbers(value: float, down: float, up: float) -> None:
    """At 1, 2 or 5 times a power of ten, also if the value lies beyond it by a hair."""
    assert style.round_down(value) == pytest.approx(down)
    assert style.round_up(value) == pytest.approx(up)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0"),
        (0.5, "0.5 ns"),
        (50, "50 ns"),
        (-12, "-12 ns"),
        (1500, "1.5 µs"),
        (2e7, "20 ms"),
        (3e9, "3 s"),
    ],
)
def test_times_have_a_unit(ns: float, text: str) -> None:
    """As short as it is exact."""
    assert style.format_short_time(ns) == text
