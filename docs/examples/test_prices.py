"""Benchmarks that 'pytest --resilience-compare' runs, see docs/pytest.md."""

from __future__ import annotations

import pytest


def add_up(prices):
    """Add up prices by article."""
    sums = {}
    for article, price in prices:
        sums[article] = sums.get(article, 0) + price
    return sums


@pytest.mark.parametrize("count", [10, 100])
def test_sums(benchmark, count):
    """A test with the fixture of pytest-benchmark."""
    prices = [("tea", number) for number in range(count)]
    assert benchmark(add_up, prices)["tea"] == sum(range(count))


@pytest.mark.resilience_benchmark(tolerance=5)
def test_one_article(resilience_benchmark):
    """The same with our own fixture and marker, which need no other plugin."""
    assert resilience_benchmark(add_up, [("tea", 3)]) == {"tea": 3}
