"""What has to hold of a drill: pure functions of its evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from demo.drill.evidence import Evidence, Firing, PhaseTimes
from demo.load import Outcome, count_calls
from demo.prometheus import SCRAPE_S
from demo.service.shop import FAIL_MAX

BREAKER_OPEN: Final = "ResilienceBreakerOpen"
CAUSE_S: Final = 6.0
"""The calls of so long may be why an alert became pending: the longest range, and a scrape."""
SCRAPES: Final = 2
"""So many scrapes after the outage, and the ``for`` of the rule: then the alert fires."""


@dataclass(frozen=True, slots=True)
class Count:
    """One thing that was counted twice: by the load, from the responses, and by Prometheus."""

    what: str
    by_load: int
    by_prometheus: int


@dataclass(frozen=True, slots=True)
class Delay:
    """How long it took until an open breaker's alert fired.

    Attributes:
        guard: Whose breaker.
        took_s: From the outage to firing.
        scrapes: The scrapes from the outage to the one that showed the breaker open.
        limit_s: The rule's ``for`` and two scrapes.
    """

    guard: str
    took_s: float
    scrapes: int
    limit_s: float


def read_counts(outcomes: Iterable[Outcome], counted: Mapping[str, float]) -> list[Count]:
    """Return all that can be compared, call for call.

    Args:
        outcomes: What the load generator got.
        counted: What Prometheus counted, see `Evidence.counted`.
    """
    calls = count_calls(outcomes)

    def get(metric: str, *ends: str) -> int:
        return int(sum(counted.get(f"{metric},{end}", 0) for end in ends))

    def list_counts(guard: str) -> Iterator[Count]:
        live = get("resilience_calls_total", f"{guard},success")
        yield Count(f"{guard}: live", calls[f"{guard}=live"], live)
        failed = get("resilience_calls_total", f"{guard},failure", f"{guard},rejected")
        for source in ("stale", "default"):
            answered = get("resilience_fallbacks_total", f"{guard},{source}")
            failed -= answered
            yield Count(f"{guard}: {source}", calls[f"{guard}={source}"], answered)
        yield Count(f"{guard}: failed, without a fallback", calls[f"{guard}=failed"], failed)

    reads = {
        end: get("resilience_cache_reads_total,cache", end) for end in ("hit", "miss", "error")
    }
    lost = sum(
        int(number)
        for name, number in counted.items()
        if name.startswith("resilience_cache_failed_writes_total,")
    )
    commands = sum(calls[f"cache={result}"] for result in ("hit", "miss", "taken", "lost"))
    ended = get("resilience_calls_total,cache", "success", "failure", "rejected")
    return [
        *list_counts("database"),
        *list_counts("prices"),
        Count("cache: hit", calls["cache=hit"], reads["hit"]),
        Count("cache: miss, or failed", calls["cache=miss"], reads["miss"] + reads["error"]),
        Count("cache: failed writes", calls["cache=lost"], lost),
        Count("cache: commands", commands, ended),
    ]


def measure_delays(evidence: Evidence) -> list[Delay]:
    """Return how long the alert of each outage took to fire; none for one that did not."""
    delays = []
    for outage in list_outages(evidence):
        firing = _find_first(evidence, outage)
        if firing is not None:
            wait_s = evidence.waits_s[BREAKER_OPEN]
            delays.append(
                Delay(
                    guard=outage.phase.dependency,
                    took_s=firing.firing_s - outage.began_s,
                    scrapes=sum(
                        outage.began_s < at_s <= firing.pending_s for at_s in evidence.scrapes_s
                    ),
                    limit_s=wait_s + SCRAPES * SCRAPE_S,
                )
            )
    return delays


def list_outages(evidence: Evidence) -> list[PhaseTimes]:
    """Return the phases in which something was broken."""
    return [times for times in evidence.phases if times.phase.alerts]


def _find_first(evidence: Evidence, outage: PhaseTimes) -> Firing | None:
    alert = (BREAKER_OPEN, outage.phase.dependency)
    return next(
        (
            firing
            for firing in evidence.firings
            if firing.alert == alert and outage.began_s <= firing.firing_s <= outage.ended_s
        ),
        None,
    )


def find_defects(evidence: Evidence) -> list[str]:
    """Return what does not hold, one line each; none if all does."""
    return [
        *_check_alerts(evidence),
        *_check_counts(evidence),
        *_check_ids(evidence),
    ]


def find_disturbances(evidence: Evidence) -> list[str]:
    """Return what a machine that is too busy does to a drill; none on a quiet one.

    An alert comes late, or it comes outside of an outage because calls have really timed out.
    """
    late = [
        f"{BREAKER_OPEN} for {delay.guard} took {delay.took_s:.1f} s, at most {delay.limit_s:.1f}"
        for delay in measure_delays(evidence)
        if delay.took_s > delay.limit_s
    ]
    disturbed = [
        f"{_describe(firing)}, because calls timed out"
        for firing in _list_strays(evidence)
        if _has_cause(firing, evidence)
    ]
    staying = [
        f"{name} for {guard} was not resolved in the end, because calls timed out"
        for name, guard in evidence.still_firing
        if _had_trouble_at_the_end(guard, evidence)
    ]
    return [*late, *disturbed, *staying]


def _check_alerts(evidence: Evidence) -> Iterator[str]:
    for times in evidence.phases:
        seen = {
            firing.alert
            for firing in evidence.firings
            if firing.firing_s <= times.ended_s and firing.resolved_s >= times.began_s
        }
        for name, guard in sorted(set(times.phase.alerts) - seen):
            yield f"{name} did not fire for {guard} in '{times.phase.name}'"
    for firing in _list_strays(evidence):
        if not _has_cause(firing, evidence):
            yield f"{_describe(firing)}, and nothing was wrong"
    for name, guard in evidence.still_firing:
        if not _had_trouble_at_the_end(guard, evidence):
            yield f"{name} for {guard} was not resolved in the end"


def _list_strays(evidence: Evidence) -> list[Firing]:
    """Return the firings that began outside of a phase to which their alert belongs."""
    belonging = [
        firing
        for firing in evidence.firings
        for times in evidence.phases
        if firing.alert in times.phase.alerts and times.began_s <= firing.firing_s <= times.ended_s
    ]
    return [firing for firing in evidence.firings if firing not in belonging]


def _describe(firing: Firing) -> str:
    name, guard = firing.alert
    return f"{name} fired for {guard or 'nothing'} outside of its outage"


def _has_cause(firing: Firing, evidence: Evidence) -> bool:
    """Whether the load itself got so few live answers that the alert is right."""
    return _had_trouble(firing.alert[1], firing.pending_s - CAUSE_S, firing.firing_s, evidence)


def _had_trouble_at_the_end(guard: str, evidence: Evidence) -> bool:
    ends_s = evidence.phases[-1].ended_s
    return _had_trouble(guard, ends_s - CAUSE_S, ends_s, evidence)


def _had_trouble(guard: str, from_s: float, until_s: float, evidence: Evidence) -> bool:
    """Whether so many calls of a guard had no live answer that its breaker may have opened."""
    troubles = {f"{guard}={result}" for result in ("failed", "stale", "default", "lost")}
    seen = [
        call
        for outcome in evidence.outcomes
        if from_s <= outcome.at_s <= until_s
        for call in outcome.calls
        if call in troubles
    ]
    return len(seen) >= FAIL_MAX


def _check_counts(evidence: Evidence) -> Iterator[str]:
    for count in read_counts(evidence.outcomes, evidence.counted):
        if count.by_load != count.by_prometheus:
            yield (
                f"{count.what}: {count.by_load} by the load, {count.by_prometheus} by Prometheus"
            )
    if evidence.unsent:
        yield f"{evidence.unsent} requests were not sent: too many were in flight"
    if lost := sum(outcome.status == 0 for outcome in evidence.outcomes):
        yield f"{lost} requests got no response"


def _check_ids(evidence: Evidence) -> Iterator[str]:
    answered = [outcome for outcome in evidence.outcomes if outcome.status]
    if foreign := sum(
        not outcome.request_id or outcome.given_id not in {"", outcome.request_id}
        for outcome in answered
    ):
        yield f"{foreign} responses have no request ID, or another one than was sent"
    expected = Counter(outcome.request_id for outcome in answered)
    for place, found in (("log", evidence.logged), ("spans", evidence.spans)):
        if lacking := (expected - found).total():
            yield f"{lacking} requests are not in the {place}"
        if surplus := (found - expected).total():
            yield f"{surplus} requests in the {place} were not sent, or have no ID"
