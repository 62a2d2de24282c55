"""Figures of an outage: what is counted in which phase, and what is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from resilience_bench._model import Result
from resilience_bench._outages import ANSWERS, Outage
from resilience_bench.stats.outage import (
    OutageFigures,
    divide_into_slices,
    estimate_outages,
    estimate_percentiles_us,
)
from tests.factories import make_case, sample_result
from tests.outage_factories import NAMES, SECOND_US, make_outage, make_outage_result


def figures(outage: Outage) -> OutageFigures:
    """The figures of one outage."""
    [found] = estimate_outages(make_outage_result({make_case("x"): outage}))
    return found


def test_each_phase_has_its_own_requests_and_the_last_row_all() -> None:
    """A request belongs to the phase in which it arrived, however late it was answered."""
    found = figures(make_outage())
    assert [phase.name for phase in found.phases] == [*NAMES, "all phases"]
    assert [phase.requests for phase in found.phases] == [1000] * 5 + [5000]
    assert [phase.answers["live"] for phase in found.phases] == [1000, 0, 0, 0, 1000, 2000]
    assert [phase.answers["stale"] for phase in found.phases] == [0, 1000, 1000, 1000, 0, 3000]
    assert [phase.reached for phase in found.phases] == [1000, 5, 5, 5, 1000, 2015]
    assert [phase.threads for phase in found.phases] == [60, 61, 62, 63, 64, 64]
    assert found.phases[-1].resident_bytes == 54_000_000
    assert [phase.log_bytes for phase in found.phases] == [0, 10, 20, 30, 40, 20]


def test_the_bare_requests_are_subtracted_also_below_0() -> None:
    """A refusal may cost less than a bare call: 200, 160 ... 40 us, less 150."""
    found = figures(make_outage())
    assert found.bare_cpu_us == 150.0
    assert [phase.cpu_us for phase in found.phases] == [50.0, 10.0, -30.0, -70.0, -110.0, -30.0]


def test_only_right_values_and_defaults_are_answers() -> None:
    """A wrong value, an exception and no caller are none."""
    found = figures(make_outage(("L", "D", "W", "E", "U")))
    assert [phase.answered for phase in found.phases] == [1.0, 1.0, 0.0, 0.0, 0.0, 0.4]
    assert found.phases[-1].answers == dict.fromkeys(ANSWERS.values(), 1000) | {"stale": 0}


@pytest.mark.parametrize(
    ("count", "reported"),
    [
        (0, set()),
        (1, {"max"}),
        (19, {"max"}),
        (20, {"p50", "max"}),
        (999, {"p50", "max"}),
        (1000, {"p50", "p99", "max"}),
        (9999, {"p50", "p99", "max"}),
        (10_000, {"p50", "p99", "p999", "max"}),
    ],
)
def test_a_percentile_needs_ten_requests_beyond_it(count: int, reported: set[str]) -> None:
    """The others are missing, not guessed."""
    found = estimate_percentiles_us(range(1, count + 1))
    assert set(found) == reported
    assert found.get("max", 0) == count
    if "p99" in found:
        assert found["p99"] == pytest.approx(0.99 * count, rel=0.01)


def test_opening_counts_from_the_end_of_the_first_phase() -> None:
    """Without one there is no time."""
    assert figures(make_outage()).opened_s == 0.25
    assert figures(make_outage(opened_us=None)).opened_s is None


def test_recovery_is_the_last_request_that_was_not_answered_live() -> None:
    """Also if some were answered live before it; without an end it is unknown."""
    answers = make_outage().answers
    late = answers[:4200] + "E" + answers[4201:]
    assert figures(make_outage(answers=late)).recovered_s == pytest.approx(0.2)
    assert figures(make_outage()).recovered_s == 0.0
    assert figures(make_outage(("L",) * 5)).recovered_s == 0.0
    assert figures(make_outage(("L", "S", "S", "S", "S"))).recovered_s is None


def test_a_phase_without_requests_has_figures_too() -> None:
    """Nothing is divided by 0."""
    outage = make_outage()
    few = replace(outage, arrivals_us=(10,), latencies_us=(5,), answers="L")
    found = figures(few)
    assert [phase.requests for phase in found.phases] == [1, 0, 0, 0, 0, 1]
    assert found.phases[1].answered == 0.0
    assert found.phases[1].percentiles_us == {}


def test_slices_hold_every_request_once() -> None:
    """Those without requests are left out, so nothing is drawn where nothing is known."""
    outage = make_outage(("L", "S", "D", "E", "L"))
    slices = divide_into_slices(outage, 0.5)
    assert slices.middles_s == tuple(0.25 + 0.5 * number for number in range(10))
    assert slices.shares["stale"] == (0, 0, 1, 1, 0, 0, 0, 0, 0, 0)
    assert slices.max_ms == (0.5, 1.0) * 5
    gap = replace(
        outage,
        arrivals_us=(0, 2 * SECOND_US),
        latencies_us=(1000, 3000),
        answers="LE",
    )
    found = divide_into_slices(gap, 0.5)
    assert found.middles_s == (0.25, 2.25)
    assert found.p50_ms == (1.0, 3.0)
    assert found.shares["error"] == (0, 1)


def test_a_result_without_outages_has_no_figures() -> None:
    """As every other profile's."""
    other: Result = sample_result()
    assert estimate_outages(other) == []
