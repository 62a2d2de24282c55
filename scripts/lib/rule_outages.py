"""Ten outages: what happens in each, and which alerts belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rule_series import Phase, repeat

HEALTHY: Final = {"success": 595, "failure": 5, "retries": 5, "slow": 2}
"""Per minute: ten calls a second, as on the healthy day."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A story of one guard, and the alerts that fire at some moment in it.

    Attributes:
        source: The public report whose shape this is; empty for one that everybody has seen.
    """

    name: str
    guard: str
    phases: Sequence[Phase]
    alerts: frozenset[str]
    source: str = ""


def _tell(*phases: Phase, before: int = 60, after: int = 70) -> list[Phase]:
    """Return an outage between healthy times, in minutes."""
    return [Phase(before, HEALTHY), *phases, Phase(after, HEALTHY)]


OPEN: Final = {"rejected": 598, "failure": 2}
"""Per minute: a trial call now and then, everything else is rejected."""
OUTAGES: Final = (
    Outage(
        "A server is killed, and comes back after ten minutes",
        "cache",
        _tell(Phase(10, {**OPEN, "default": 600}, {"state": 2, "degraded": 1})),
        frozenset({"ResilienceBreakerOpen"}),
    ),
    Outage(
        "Half of a cluster freezes: every second call runs into its limit and fills the bulkhead",
        "db",
        _tell(
            Phase(
                30, {"success": 300, "failure": 300, "retries": 300, "slow": 300}, {"in_flight": 20}
            )
        ),
        frozenset(
            {
                "ResilienceHighFailureShare",
                "ResilienceRetryStorm",
                "ResilienceBulkheadFull",
                "ResilienceLatencyBurnsFast",
                "ResilienceLatencyBurnsSlowly",
            }
        ),
    ),
    Outage(
        "A network link loses packets: the breaker opens and closes again and again",
        "partner",
        _tell(
            *repeat(
                [
                    Phase(1, {"success": 590, "failure": 10, "slow": 3}),
                    Phase(1, {"success": 295, "failure": 5, "rejected": 300}, {"state": 2}),
                ],
                15,
            )
        ),
        frozenset({"ResilienceBreakerFlapping"}),
    ),
    Outage(
        "A dependency is away for half an hour, and the fallback raises as well",
        "prices",
        _tell(Phase(30, {**OPEN, "fallback_failures": 600}, {"state": 2, "degraded": 1})),
        frozenset(
            {
                "ResilienceBreakerOpen",
                "ResilienceBreakerStuckOpen",
                "ResilienceDegraded",
                "ResilienceFallbackFails",
            }
        ),
    ),
    Outage(
        "A release breaks the page of metrics",
        "db",
        _tell(Phase(20, HEALTHY, is_scraped=False)),
        frozenset({"ResilienceScrapeFailed", "ResilienceMetricsMissing"}),
    ),
    Outage(
        "A query without an index makes every twelfth call slow, for three hours",
        "db",
        _tell(Phase(180, {**HEALTHY, "slow": 50})),
        frozenset({"ResilienceLatencyBurnsSlowly"}),
    ),
    Outage(
        "A storage system cannot read its metadata: more than half of the requests fail, and "
        "clients ask again until their budget is used up",
        "table",
        _tell(
            Phase(20, {"success": 400, "failure": 200, "retries": 240, "budget_refusals": 60}),
            Phase(150, {"success": 270, "failure": 330, "retries": 300, "budget_refusals": 400}),
            Phase(120, {"success": 510, "failure": 90, "retries": 180}),
        ),
        frozenset(
            {
                "ResilienceHighFailureShare",
                "ResilienceRetryStorm",
                "ResilienceRetryBudgetUsedUp",
            }
        ),
        "Amazon Web Services, 'Summary of the Amazon DynamoDB Service Disruption and Related "
        "Impacts in the US-East Region', 20 September 2015: about 55 % of the requests failed at "
        "the peak; retries kept the metadata service overloaded for hours",
    ),
    Outage(
        "Cache nodes are replaced by empty ones: the database is overloaded, and its queries run "
        "into their limits",
        "db",
        _tell(
            Phase(15, {**HEALTHY, "slow": 60}),
            Phase(120, {"success": 360, "failure": 240, "retries": 200, "slow": 400}),
            Phase(45, {"success": 560, "failure": 40, "retries": 40, "slow": 120}),
        ),
        frozenset(
            {
                "ResilienceHighFailureShare",
                "ResilienceRetryStorm",
                "ResilienceLatencyBurnsFast",
                "ResilienceLatencyBurnsSlowly",
            }
        ),
        "Slack Engineering, 'Slack's Incident on 2-22-22', 22 February 2022: a falling hit rate, "
        "queries over all shards that time out, three hours until traffic was back",
    ),
    Outage(
        "Two data centres disagree after a failover: old answers are served for hours",
        "users",
        _tell(
            Phase(4, {**OPEN, "failure": 20, "stale": 600}, {"state": 2, "degraded": 1}),
            Phase(180, {**OPEN, "stale": 600}, {"state": 2, "degraded": 1}),
            Phase(120, {**HEALTHY, "stale": 60}, {"degraded": 1}),
        ),
        frozenset(
            {
                "ResilienceBreakerOpen",
                "ResilienceBreakerStuckOpen",
                "ResilienceStaleAnswers",
                "ResilienceDegraded",
            }
        ),
        "GitHub, 'October 21 post-incident analysis', 21 October 2018: 43 seconds without a "
        "network, then 24 hours and 11 minutes of degraded service with replicas hours behind "
        "(shortened here)",
    ),
    Outage(
        "A Redis is full: writes are refused, and what is read from the database is slow",
        "cache",
        _tell(Phase(35, {**HEALTHY, "refused_writes": 200, "slow": 150})),
        frozenset(
            {
                "ResilienceCacheRefusesWrites",
                "ResilienceLatencyBurnsFast",
                "ResilienceLatencyBurnsSlowly",
            }
        ),
        "GuideCX, 'Root Cause Analysis: Redis Cache Storage Exhaustion', 1 December 2025: the "
        "storage was full for 35 minutes, and the platform fell back to slower queries",
    ),
)
