"""The text of a scrape that the stack makes: the same as prometheus_client's, but cheaper."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from resilience_stack import Bulkhead, Fallback, Policy, ResilienceManager
from resilience_stack.metrics import exposition
from tests.stack.bench import Bench, Flaky, exhaust

ODD = 'odd "name" \\ 100 %s %\n{x}, <b>\r\u2028\x85\x0b\x1c tea\u00e9'
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
TRACE = {"trace_id": "0af7651916cd43dd8448eb211c80319c"}
Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


def collect(families: Iterable[Metric]) -> Found:
    """The values by name and labels, but for moments of creation and for time, which passes."""
    found: Found = {}
    for family in families:
        for sample in family.samples:
            if not sample.name.endswith(("_created", "state_seconds_total")):
                key = sample.name, frozenset(sample.labels.items())
                assert key not in found
                found[key] = sample.value
    return found


def describe(families: Iterable[Metric]) -> dict[str, tuple[str, str]]:
    """The types and the texts of the families."""
    return {
        family.name: (family.type, family.documentation)
        for family in families
        if not family.name.endswith("_created")
    }


@pytest.fixture
def used(bench: Bench) -> ResilienceManager:
    """A manager whose guards have seen something of everything."""
    bench.guard(attempts=3).call(Flaky(2))
    exhaust(lambda: bench.guard("down", fail_max=1).call(Flaky(9)))
    guard = bench.manager.guard(
        ODD, Policy(bulkhead=Bulkhead(limit=3), retries=()), Fallback(default=lambda: "0")
    )
    guard.call(Flaky(1))
    Counter("shop_orders", "Orders.", ["kind"], registry=bench.registry).labels(ODD).inc(3)
    Gauge("shop_open", "Whether the shop is open.", registry=bench.registry).set(1)
    return bench.manager


def test_the_text_says_what_prometheus_client_says(bench: Bench, used: ResilienceManager) -> None:
    """Each value, type and text is the same, those of other metrics in the registry too."""
    body, content_type = used.render_metrics()
    assert content_type.startswith("text/plain")
    mine, others = body.decode(), generate_latest(bench.registry).decode()
    assert collect(parse_text(mine)) == collect(parse_text(others))
    assert describe(parse_text(mine)) == describe(parse_text(others))
    assert len(collect(parse_text(mine))) == 3 * (54 + 3 + 3 + 5 + 1 + 1) + 2 + 2


def test_openmetrics_is_chosen_by_what_the_scraper_accepts(
    bench: Bench, used: ResilienceManager
) -> None:
    """A strict parser reads it, and the values are the same."""
    body, content_type = used.render_metrics(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    mine, others = body.decode(), openmetrics(bench.registry).decode()
    assert collect(parse_openmetrics(mine)) == collect(parse_openmetrics(others))
    assert describe(parse_openmetrics(mine)) == describe(parse_openmetrics(others))
    assert mine.count("# EOF\n") == 1


def test_exemplars_are_those_of_prometheus_client(bench: Bench, used: ResilienceManager) -> None:
    """A bucket with an example of a call names its trace; the older format has none."""
    for name in ("database", ODD):
        used.guards[name].metrics.success.link(0.3, TRACE, 1000.5)
    both = [
        [
            (sample.labels["guard"], sample.labels["le"], sample.exemplar)
            for family in parse_openmetrics(text.decode())
            for sample in family.samples
            if sample.exemplar
        ]
        for text in (used.render_metrics(OPENMETRICS)[0], openmetrics(bench.registry))
    ]
    assert both[0] == both[1]
    assert [name for name, *_ in both[0]] == ["database", ODD]
    for _, bound, exemplar in both[0]:
        assert (bound, exemplar.labels, exemplar.value) == ("0.5", TRACE, 0.3)
    assert b"trace_id" not in used.render_metrics()[0]


def test_a_newer_example_takes_the_place_of_the_one_before(used: ResilienceManager) -> None:
    """A bucket's line is written again for another example, even if no call has ended since."""
    durations = used.guards["database"].metrics.success
    for span in ("00f067aa0ba902b7", "b7ad6b7169203331"):
        durations.link(0.3, {**TRACE, "span_id": span}, 1000.5)
        text = used.render_metrics(OPENMETRICS)[0].decode()
        assert text.count("trace_id=") == text.count(f'span_id="{span}"') == 1


def test_a_count_never_steps_back_while_calls_are_counted(used: ResilienceManager) -> None:
    """A scrape that meets a thread between two steps of counting waits for it."""
    durations = used.guards["database"].metrics.success
    for _ in range(5):
        durations.note(0.1)
    counted = threading.Event()

    def scrape() -> None:
        used.render_metrics()
        counted.set()

    with durations._lock:
        taken = durations.noted_s[:]
        durations.noted_s.clear()
        scraper = threading.Thread(target=scrape)
        scraper.start()
        assert not counted.wait(0.05)
        durations.noted_s[:] = taken
    scraper.join()
    found = collect(parse_text(used.render_metrics()[0].decode()))
    calls = frozenset({("guard", "database"), ("outcome", "success")})
    assert found["resilience_calls_total", calls] == 6
    assert found["resilience_call_seconds_count", calls] == 6


def test_a_scrape_follows_what_happens(bench: Bench, used: ResilienceManager) -> None:
    """Lines that were made before are made again when their value changes."""
    key = ("resilience_calls_total", frozenset({("guard", "database"), ("outcome", "success")}))
    for count in (1, 2, 2, 3):
        if count > collect(parse_text(used.render_metrics()[0].decode()))[key]:
            used.guards["database"].call(Flaky(0))
        assert collect(parse_text(used.render_metrics()[0].decode()))[key] == count
    assert collect(parse_text(generate_latest(bench.registry).decode()))[key] == 3


def test_prometheus_client_goes_on_as_before(bench: Bench, used: ResilienceManager) -> None:
    """After a scrape of the stack's own, the registry still has everything."""
    before = collect(parse_text(generate_latest(bench.registry).decode()))
    used.render_metrics()
    assert collect(parse_text(generate_latest(bench.registry).decode())) == before


def test_two_managers_have_texts_of_their_own(bench: Bench) -> None:
    """A text has the guards of its manager only."""
    other = ResilienceManager(CollectorRegistry())
    other.guard("other", Policy())
    bench.guard()
    assert b'guard="other"' not in bench.manager.render_metrics()[0]
    assert b'guard="database"' in bench.manager.render_metrics()[0]


def test_a_long_text_gives_way_to_others_unless_they_compute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sleeps for a moment now and then, a tenth of a second in all: others compute as well."""
    clock = [0.0]
    slept: list[float] = []
    takes_s = [0.0001, 0.06, 0.05, 0.0001]

    def sleep(_seconds: float) -> None:
        clock[0] += takes_s[len(slept)]
        slept.append(clock[0])

    monkeypatch.setattr(exposition.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(exposition.time, "sleep", sleep)
    breather = exposition.Breather()
    for _ in range(100):
        clock[0] += 0.0002
        breather.breathe()
    assert len(slept) == 3
