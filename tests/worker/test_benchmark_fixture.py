"""The fixture of a compared suite: it calls as pytest-benchmark's would, and hands work over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from resilience_bench.worker.benchmark_fixture import BenchmarkFixture, Work


def make_fixture(works: list[Work]) -> BenchmarkFixture:
    """A fixture that keeps what it is given, and calls it once."""
    item: Any = SimpleNamespace(name="test_it", nodeid="test_x.py::test_it")

    def measure(work: Work) -> Any:
        works.append(work)
        return work.call()

    return BenchmarkFixture(item, measure)


def test_a_call_is_handed_over_and_its_result_comes_back() -> None:
    """Arguments are bound; there is no limit to the calls."""
    works: list[Work] = []
    assert make_fixture(works)(divmod, 7, 2) == (3, 1)
    assert (works[0].rounds, works[0].sample) == (None, None)


def test_a_pedantic_benchmark_is_called_no_more_than_it_says() -> None:
    """Without a setup its rounds and iterations are a limit."""
    works: list[Work] = []
    fixture = make_fixture(works)
    assert fixture.pedantic(pow, (2, 3), rounds=4, iterations=5, warmup_rounds=1) == 8
    assert (works[0].rounds, works[0].iterations, works[0].warmup_rounds) == (4, 5, 1)


def test_all_calls_of_a_pedantic_benchmark_can_be_made() -> None:
    """Warm-up rounds and rounds, each with its iterations: what a test may count."""
    seen: list[int] = []
    assert Work(lambda: len(seen.append(1) or seen), 3, 2, 1).call_all() == 8
    assert Work(lambda: len(seen)).call_all() == 8


def test_each_call_has_its_setup_and_teardown() -> None:
    """What the setup returns are the arguments; both run around every call, and are not timed."""
    works: list[Work] = []
    seen: list[object] = []
    fixture = make_fixture(works)
    fixture.pedantic(
        lambda value: seen.append(("call", value)),
        setup=lambda: seen.append("setup") or ((1,), {}),
        teardown=lambda value: seen.append(("teardown", value)),
        rounds=9,
    )
    seen.clear()
    assert works[0].rounds is None
    assert works[0].sample is not None
    assert works[0].sample(2, 1) >= 0
    assert seen == ["setup", ("call", 1), ("teardown", 1)] * 3


@pytest.mark.parametrize(
    "options",
    [
        {"rounds": 0},
        {"iterations": 0},
        {"warmup_rounds": -1},
        {"setup": lambda: None, "iterations": 2},
    ],
)
def test_impossible_numbers_are_refused(options: dict[str, Any]) -> None:
    """As pytest-benchmark refuses them."""
    with pytest.raises(ValueError, match="expected"):
        make_fixture([]).pedantic(lambda: None, **options)


def test_a_test_has_one_benchmark() -> None:
    """The second use is an error that names the first."""
    fixture = make_fixture([])
    fixture(int)
    with pytest.raises(RuntimeError, match=r"benchmark\(\.\.\.\) was called before"):
        fixture.pedantic(int)
