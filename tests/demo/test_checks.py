"""What has to hold of a drill: each defect is found, and nothing else."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from demo.drill.checks import find_defects, find_disturbances, measure_delays, read_counts
from demo.drill.evidence import Evidence, Firing, PhaseTimes
from demo.drill.phases import PHASES
from demo.drill.table import format_drill
from demo.load import Outcome

OUTCOMES = (
    Outcome(1.0, 0.01, 200, "a", "a", "7", ("cache=hit", "prices=live")),
    Outcome(21.0, 0.02, 200, "", "b", "8", ("cache=miss", "database=stale", "prices=default")),
    Outcome(31.0, 0.03, 503, "c", "c", "8", ("database=failed",)),
    Outcome(
        41.0,
        0.04,
        200,
        "d",
        "d",
        "7",
        ("cache=miss", "database=live", "cache=lost", "prices=stale"),
    ),
)
COUNTED = {
    "resilience_calls_total,database,success": 1.0,
    "resilience_calls_total,database,failure": 1.0,
    "resilience_calls_total,database,rejected": 1.0,
    "resilience_fallbacks_total,database,stale": 1.0,
    "resilience_calls_total,prices,success": 1.0,
    "resilience_calls_total,prices,failure": 2.0,
    "resilience_fallbacks_total,prices,stale": 1.0,
    "resilience_fallbacks_total,prices,default": 1.0,
    "resilience_cache_reads_total,cache,hit": 1.0,
    "resilience_cache_reads_total,cache,miss": 1.0,
    "resilience_cache_reads_total,cache,error": 1.0,
    "resilience_cache_failed_writes_total,cache,rejected": 1.0,
    "resilience_calls_total,cache,success": 2.0,
    "resilience_calls_total,cache,failure": 1.0,
    "resilience_calls_total,cache,rejected": 1.0,
}
IDS = Counter(outcome.request_id for outcome in OUTCOMES)


def make_evidence() -> Evidence:
    """A drill of which all holds: each phase takes 10 s, each alert fires in its second."""
    phases = tuple(
        PhaseTimes(phase, 10.0 * index, 10.0 * index + 10) for index, phase in enumerate(PHASES)
    )
    firings = tuple(
        Firing(alert, times.began_s + 0.5, times.began_s + 1.5, times.ended_s + 2)
        for times in phases
        for alert in times.phase.alerts
    )
    return Evidence(
        phases=phases,
        outcomes=OUTCOMES,
        unsent=0,
        counted=COUNTED,
        scrapes_s=tuple(each + 0.25 for each in range(60)),
        firings=firings,
        still_firing=(),
        waits_s={"ResilienceBreakerOpen": 1.0},
        logged=IDS,
        spans=IDS,
    )


def test_of_a_good_drill_nothing_is_wrong() -> None:
    """All counts are equal, all alerts are on time, and the table says so."""
    evidence = make_evidence()
    assert find_defects(evidence) == find_disturbances(evidence) == []
    assert [count for count in read_counts(OUTCOMES, COUNTED) if count.by_load] != []
    assert [(delay.guard, delay.scrapes) for delay in measure_delays(evidence)] == [
        ("cache", 1),
        ("database", 1),
    ]
    table = format_drill(evidence)
    assert "nothing is wrong" in table
    assert all(phase.name in table for phase in PHASES)
    assert "WRONG" not in table


@pytest.mark.parametrize("name", COUNTED)
def test_one_call_too_many_is_found(name: str) -> None:
    """Each counter is compared: one call more makes a defect."""
    evidence = make_evidence()
    counted = {**COUNTED, name: COUNTED[name] + 1}
    assert find_defects(dataclasses.replace(evidence, counted=counted))


def test_a_wrong_alert_is_found() -> None:
    """An alert that belongs to no phase, or to another one, or that stays, is a defect."""
    evidence = make_evidence()
    other = Firing(("ResilienceRetryStorm", "prices"), 1.0, 2.0, 3.0)
    early = Firing(("ResilienceBreakerOpen", "database"), 1.0, 2.0, 3.0)
    for firings, words in (
        ((*evidence.firings, other), "RetryStorm fired for prices outside of its outage"),
        ((*evidence.firings, early), "BreakerOpen fired for database outside of its outage"),
        (evidence.firings[1:], "did not fire for cache in 'Redis killed'"),
    ):
        [defect] = find_defects(dataclasses.replace(evidence, firings=firings))
        assert words in defect
    stays = dataclasses.replace(evidence, still_firing=(("ResilienceDegraded", "database"),))
    assert find_defects(stays) == ["ResilienceDegraded for database was not resolved in the end"]


def test_a_late_alert_is_found() -> None:
    """Later than the rule's `for` and two scrapes is late; so it says in the table."""
    evidence = make_evidence()
    late = [dataclasses.replace(each, firing_s=each.firing_s + 2) for each in evidence.firings]
    evidence = dataclasses.replace(evidence, firings=tuple(late))
    assert find_defects(evidence) == []
    assert len(find_disturbances(evidence)) == 2
    table = format_drill(evidence)
    assert "too busy: ResilienceBreakerOpen for cache took 3.5 s, at most 3.0" in table


def test_an_alert_with_a_cause_is_no_wrong_one() -> None:
    """Where the load itself got failures, the machine is to blame, and the table says so."""
    evidence = make_evidence()
    early = Firing(("ResilienceBreakerOpen", "database"), 1.0, 2.0, 3.0)
    failed = Outcome(1.0, 0.3, 504, "", "f", "7", ("database=failed",))
    evidence = dataclasses.replace(
        evidence, firings=(*evidence.firings, early), outcomes=(*OUTCOMES, *[failed] * 3)
    )
    assert not any("outside of its outage" in defect for defect in find_defects(evidence))
    [disturbance] = find_disturbances(evidence)
    assert disturbance.endswith("outside of its outage, because calls timed out")
    ends_s = evidence.phases[-1].ended_s
    failed = dataclasses.replace(failed, at_s=ends_s - 1)
    evidence = dataclasses.replace(
        evidence,
        outcomes=(*OUTCOMES, *[failed] * 3),
        firings=evidence.firings[:-1],
        still_firing=(("ResilienceHighFailureShare", "database"),),
    )
    assert not any("not resolved" in defect for defect in find_defects(evidence))
    assert any("not resolved in the end, because" in each for each in find_disturbances(evidence))


@pytest.mark.parametrize("place", ["logged", "spans"])
def test_a_request_without_its_id_is_found(place: str) -> None:
    """Each request is in the log and in the spans, once and with the ID of its response."""
    evidence = make_evidence()
    for ids in (IDS - Counter("a"), IDS + Counter("a"), IDS - Counter("a") + Counter([""])):
        assert find_defects(dataclasses.replace(evidence, **{place: ids}))  # type: ignore[arg-type]


def test_a_response_with_another_id_is_found() -> None:
    """The ID that was sent comes back, and there is one on every path."""
    evidence = make_evidence()
    for changed in ({"request_id": ""}, {"request_id": "z"}):
        outcomes = (dataclasses.replace(OUTCOMES[0], **changed), *OUTCOMES[1:])
        defects = find_defects(dataclasses.replace(evidence, outcomes=outcomes))
        assert any("responses have no request ID" in defect for defect in defects)


def test_requests_without_a_response_are_found() -> None:
    """What was not sent or not answered is not passed over."""
    evidence = make_evidence()
    lost = dataclasses.replace(OUTCOMES[0], status=0, request_id="", calls=())
    evidence = dataclasses.replace(evidence, outcomes=(lost, *OUTCOMES[1:]), unsent=2)
    defects = find_defects(evidence)
    assert "2 requests were not sent: too many were in flight" in defects
    assert "1 requests got no response" in defects
