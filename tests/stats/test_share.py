"""The share of a real call, from scripted windows."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

import pytest

from resilience_bench._model import LoadSamples
from resilience_bench.stats.load import estimate_controls, estimate_loads
from resilience_bench.stats.share import compute_call_centre_ns, compute_share
from tests.factories import make_case
from tests.load_factories import loaded_result, make_loads

CASE = make_case().with_load("single", "sqlite")


def make_samples(call_ns: Sequence[float], calls: int = 10) -> LoadSamples:
    """Windows of one caller, in which a call took so long on average."""
    elapsed_ns = tuple(round(calls * each) for each in call_ns)
    counts = (calls,) * len(call_ns)
    return LoadSamples(1, counts, elapsed_ns, counts, counts)


def make_drifting_times(count: int, seed: int) -> list[float]:
    """Times of a real call: they drift by a half, and one in ten windows loses its processor."""
    generator = random.Random(seed)
    return [
        100_000 * (1 + 0.5 * number / count) * generator.lognormvariate(0, 0.02)
        + (1_000_000 if generator.random() < 0.1 else 0)
        for number in range(count)
    ]


@pytest.mark.parametrize("planted", [0.0, 0.05, 0.5])
def test_the_planted_share_is_found(planted: float) -> None:
    """Neither a drift of both nor stolen time slices move it."""
    bare, other = make_drifting_times(400, 1), make_drifting_times(400, 2)
    middle_ns = statistics.median(bare)
    guarded = [call + planted * middle_ns for call in other]
    share = compute_share(make_samples(guarded), make_samples(bare))
    assert share == pytest.approx(planted, abs=0.01)


def test_a_slower_machine_has_the_same_share() -> None:
    """It divides by the bare call's time of the same windows."""
    bare, guarded = make_samples([100.0] * 9), make_samples([130.0] * 9)
    slow, slow_guarded = make_samples([300.0] * 9), make_samples([390.0] * 9)
    assert compute_share(guarded, bare) == pytest.approx(0.3)
    assert compute_share(slow_guarded, slow) == pytest.approx(0.3)


def test_what_costs_nothing_may_look_a_little_cheaper() -> None:
    """A share is not cut off at 0: that would make it too large on average."""
    assert compute_share(make_samples([99.0] * 9), make_samples([100.0] * 9)) == pytest.approx(
        -0.01
    )


@pytest.mark.parametrize(
    ("samples", "control"),
    [
        (make_samples([100.0]), None),
        (make_samples([]), make_samples([100.0])),
        (make_samples([100.0], calls=0), make_samples([100.0])),
        (make_samples([100.0]), make_samples([0.0])),
    ],
    ids=["no control", "no window", "no call", "no time"],
)
def test_without_a_pair_there_is_no_share(
    samples: LoadSamples, control: LoadSamples | None
) -> None:
    """Nothing is divided by 0."""
    assert compute_share(samples, control) is None


@pytest.mark.parametrize(
    ("call_ns", "centre_ns"), [([], None), ([100.0], 100.0), ([1.0, 90.0, 100.0, 110.0, 9e9], 100)]
)
def test_the_centre_of_a_call_is_what_a_share_is_of(
    call_ns: list[float], centre_ns: float | None
) -> None:
    """The mean of the middle third: a stolen time slice does not move it."""
    assert compute_call_centre_ns(make_samples(call_ns)) == centre_ns


def test_real_calls_have_a_share_and_synthetic_ones_a_scaling() -> None:
    """One number a worker, and an interval over workers; too wide a one is said."""
    for case, quantity in ((CASE, "share"), (make_case().with_load("threads-2", "io"), "scaling")):
        records = [make_loads(case, (800.0 + index,) * 3, index=index) for index in range(6)]
        found = estimate_loads(loaded_result(records, [case]))[case.name].quantities
        assert quantity in found
        assert ("fairness" in found) is (quantity == "scaling")
        assert {"share", "scaling"} & found.keys() == {quantity}
    records = [make_loads(CASE, (800.0 + 99 * index,) * 3, index=index) for index in range(6)]
    (warning,) = estimate_loads(loaded_result(records, [CASE]))[CASE.name].warnings
    assert warning == "interval of share spans more than 2 percentage points, or 10% of the value"


def test_callers_of_a_real_call_are_not_compared() -> None:
    """They make equally many calls, guarded or bare."""
    (control,) = estimate_controls(loaded_result([make_loads(CASE, (800.0,) * 3)], [CASE])).values()
    assert "call_ns" in control.quantities
    assert "fairness" not in control.quantities
