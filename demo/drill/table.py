"""The table of a drill, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from demo.drill.checks import find_defects, find_disturbances, measure_delays, read_counts
from demo.drill.evidence import Evidence
from demo.load import KINDS, count_calls, count_kinds, find_quantile_ms


def format_drill(evidence: Evidence) -> str:
    """Return what happened in each phase, which alerts fired, and what was counted twice."""
    return "\n".join(
        [
            *_format_phases(evidence),
            "",
            *_format_alerts(evidence),
            "",
            *_format_counts(evidence),
            "",
            *_format_end(evidence),
            "",
        ]
    )


def _format_phases(evidence: Evidence) -> Iterator[str]:
    heads = ["seconds", "requests", *KINDS, "p50 ms", "p99 ms", "max ms"]
    yield _format_row("phase", heads)
    for times in evidence.phases:
        outcomes = [
            outcome
            for outcome in evidence.outcomes
            if times.began_s <= outcome.at_s < times.ended_s
        ]
        latencies = [find_quantile_ms(outcomes, share) for share in (0.5, 0.99, 1.0)]
        cells = [
            f"{times.ended_s - times.began_s:.0f}",
            str(len(outcomes)),
            *map(str, count_kinds(outcomes).values()),
            *("-" if each is None else f"{each:.0f}" for each in latencies),
        ]
        yield _format_row(times.phase.name, cells)


def _format_row(name: str, cells: Iterable[str]) -> str:
    return f"{name:<20}" + "".join(f"{cell:>9}" for cell in cells)


def _format_alerts(evidence: Evidence) -> Iterator[str]:
    yield f"{'alerts, in seconds since the outage':<44}    pending     firing  last seen"
    for times in evidence.phases:
        mine = [
            firing
            for firing in evidence.firings
            if times.began_s <= firing.firing_s <= times.ended_s
        ]
        for firing in mine:
            since = [
                at_s - times.began_s
                for at_s in (firing.pending_s, firing.firing_s, firing.resolved_s)
            ]
            name, guard = firing.alert
            times_s = "".join(f"{each:>11.1f}" for each in since)
            yield f"  {f'{name} ({guard})':<42}{times_s}"
    for delay in measure_delays(evidence):
        yield (
            f"  {delay.guard}: {delay.took_s:.1f} s from the outage to firing "
            f"(the rule's 'for' and two scrapes: {delay.limit_s:.1f} s)"
        )


def _format_counts(evidence: Evidence) -> Iterator[str]:
    workers = len({outcome.worker for outcome in evidence.outcomes if outcome.worker})
    heading = f"calls, counted over {workers} workers"
    yield f"{heading:<44} {'by the load':>12} {'by Prometheus':>15}"
    for count in read_counts(evidence.outcomes, evidence.counted):
        yield f"  {count.what:<42} {count.by_load:>12} {count.by_prometheus:>15}"
    asked = count_calls(evidence.outcomes).total()
    yield f"  {'all answers of dependencies':<42} {asked:>12}"


def _format_end(evidence: Evidence) -> Iterator[str]:
    answered = sum(outcome.status != 0 for outcome in evidence.outcomes)
    yield (
        f"requests: {len(evidence.outcomes)} sent, {answered} answered, each with its ID; "
        f"{evidence.logged.total()} log lines, {evidence.spans.total()} spans with it"
    )
    defects = find_defects(evidence)
    yield "nothing is wrong" if not defects else "WRONG: " + "; ".join(defects)
    if disturbances := find_disturbances(evidence):
        yield "the machine was too busy: " + "; ".join(disturbances)
