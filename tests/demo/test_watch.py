"""What the page receives of guards and answers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from demo.load import Outcome
from demo.watch import SECONDS, count_by_second, summarize_guards
from resilience_stack import Fallback, Policy, ResilienceManager

ODD = '<b>"a\\b"\n{x}'


def test_guards_are_read_from_their_metrics() -> None:
    """State, calls and answers of each guard come out, under a name however odd."""
    registry = CollectorRegistry()
    manager = ResilienceManager(registry)
    odd = manager.guard(ODD, Policy(fail_max=1, retries=()), Fallback(default=lambda: 1))
    manager.guard("plain").call(int)

    def fail() -> int:
        raise ConnectionError

    assert [odd.call(fail) for _ in range(3)] == [1, 1, 1]
    first, second = summarize_guards(generate_latest(registry).decode())
    assert (first["name"], first["state"], first["degraded"]) == (ODD, "open", True)
    assert first["calls"] | {"failure": 1, "rejected": 2, "default": 3} == first["calls"]
    assert (second["name"], second["state"], second["degraded"]) == ("plain", "closed", False)
    assert second["calls"]["success"] == 1


def test_answers_are_counted_by_second() -> None:
    """The last minute is in it, second by second, the oldest first; older ones are left out."""
    outcomes = [Outcome(at_s, 0.0, 200, "") for at_s in (39.9, 40.0, 99.5, 99.9, 100.1)]
    counted = [second["live"] for second in count_by_second(outcomes, 100.2)]
    assert len(counted) == SECONDS
    assert (counted[0], counted[-1], sum(counted)) == (1, 2, 3)
