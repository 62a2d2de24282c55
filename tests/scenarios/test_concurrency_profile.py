"""Which cases and loads the concurrency profile measures."""

from __future__ import annotations

import pytest

from resilience_bench.errors import UnknownLoadError
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.selection import select
from resilience_bench.scenarios.load_patterns import select_gated_cases
from resilience_bench.scenarios.loads import STANDARD_LOADS
from tests.scenarios.pattern_factories import CASES, declared, names
from tests.scripted import suite


def test_the_concurrency_profile_takes_what_asks_for_it() -> None:
    """A kind stands for its loads and payloads; one load stands for itself around its payload."""
    reported = names(loaded=True)
    assert len(reported) == len(set(reported))
    by_group: dict[str, list[str]] = {}
    for each in reported:
        group, _, label = each.partition("[")
        by_group.setdefault(group, []).append(label.removesuffix("]"))
    assert set(by_group) == {
        "breaker.closed",
        "breaker.rejects",
        "breaker.recovers",
        "breaker.awaited",
        "metrics.inc",
        "metrics.shared",
    }
    for load in STANDARD_LOADS["threads"]:
        assert f"pybreaker,{load},io" in by_group["breaker.closed"]
    assert by_group["breaker.rejects"] == ["pybreaker,threads-16"]
    assert by_group["breaker.recovers"] == ["pybreaker,threads-16,io"]
    for load in STANDARD_LOADS["tasks"]:
        assert f"purgatory,{load},io" in by_group["breaker.awaited"]
    assert by_group["metrics.shared"] == list(STANDARD_LOADS["processes"])
    assert set(STANDARD_LOADS["mixed"]) == {
        each.partition(",")[2] for each in by_group["metrics.inc"] if "mixed" in each
    }
    assert not [each for each in by_group["metrics.inc"] if each.endswith(("io", "cpu"))]


def test_the_concurrency_profile_of_what_does_not_ask_is_all_that_it_has() -> None:
    """A file of one's own is measured without a word in it; readers need to be asked for."""
    reported = names("mine.*", loaded=True)
    assert {message.partition("[")[2].partition("-")[0] for message in reported} == {"threads"}
    assert "mine.plain[threads-4,cpu]" in reported
    assert names(loaded=True, cases=[CASES[-1]]) == reported


def test_patterns_with_a_load_mean_the_same_in_every_profile() -> None:
    """Whoever names loads gets these; the profile says how much is measured of them."""
    selector = "breaker.closed[*,threads-3,io]"
    assert names(selector, loaded=True) == names(selector)


def test_a_suite_without_loads_has_no_concurrency_profile() -> None:
    """It says so, and not that there is nothing."""
    with pytest.raises(UnknownLoadError, match="measured alone only"):
        names(loaded=True, cases=[declared("retry.scripted", "tenacity", ())])


def test_gates_look_at_one_load_of_what_works() -> None:
    """Those that are in the profile under threads, where a lock held too long would show."""
    assert [each.case.name for each in select_gated_cases(CASES)] == [
        "breaker.closed[pybreaker,threads-16,io]",
        "breaker.closed[purgatory,threads-16,io]",
    ]
    launcher = ScriptedLauncher(suite(CASES))
    plain = [each.case.name for each in CASES]
    gated = [case.case.name for case in select(launcher, (), gated=True).cases]
    assert gated[: len(plain)] == plain
    assert len(gated) == len(plain) + 2
    reported = [each.case.name for each in select(launcher, ("breaker.*",), gated=True).cases]
    assert reported == [each for each in plain if each.startswith("breaker.")]
