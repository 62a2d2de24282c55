"""Releases that take turns: in which order, with which seeds, and nothing of it twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench._model import Counts, Result, Signal
from resilience_bench.files import results
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import SLOW_CALL_NS, SLOW_WORKERS, Profile
from resilience_bench.releases.timeline import MeasuredRelease, Timeline
from resilience_bench.scenarios.loads import NOOP
from resilience_bench.worker.protocol import (
    CountsMessage,
    LoadMessage,
    Message,
    Plan,
    StatusMessage,
)
from tests.scripted import LOADED, Script, info, sampled, suite

CASES = [info("a", "x"), info("b", "x")]
A, B = (each.case.name for each in CASES)
LOADED_CASE = replace(CASES[0], case=CASES[0].case.with_load("threads-4", NOOP))
VERSIONS = ("1.0", "1.1", "2.0")
BOTH = {f"{version} {name}" for version in VERSIONS[1:] for name in (A, B)}
Log = list[tuple[str, str, int, tuple[str, ...]]]
Made = Callable[..., tuple[Timeline, Log]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a timeline of three releases, the first of them measured twice, and their log."""

    def making(
        signals: tuple[Signal, ...] = SIGNALS,
        scripts: dict[str, Script] | None = None,
        earlier: dict[str, Result] | None = None,
        cases: Sequence[object] = CASES,
        versions: Sequence[str] = VERSIONS,
    ) -> tuple[Timeline, Log]:
        log: Log = []

        def arm(version: str, *, is_null: bool = False) -> MeasuredRelease:
            name = f"{version} again" if is_null else version
            answer = (scripts or {}).get(version, suite(CASES))

            def script(plan: Plan, seed: int) -> Iterable[Message]:
                log.append((name, plan.action, seed, plan.cases))
                return answer(plan, seed)

            launcher = ScriptedLauncher(script)
            profile = Profile("tiny", 3, 4)
            session, loaded = create_sessions(launcher, cases, profile, gated=True)  # type: ignore[arg-type]
            path = tmp_path / f"{name}.json"
            recording = Recording(session.records, "releases", path, signals=signals)
            one = MeasuredRelease(session, recording, loaded, version, is_null)
            if earlier and name in earlier:
                one.session.resume(earlier[name])
                one.recording.resume(earlier[name])
            return one

        arms = [arm(versions[0]), arm(versions[0], is_null=True), *map(arm, versions[1:])]
        if len(versions) == 1:
            del arms[1]
        return Timeline(arms, lambda version, done: None, signals, {}), log

    return making


def kept(timeline: Timeline) -> dict[str, Result]:
    """What lies on disk of each release."""
    return {
        arm.recording.path.stem: results.read(arm.recording.path)
        for arm in timeline.releases
        if arm.recording.path.exists()
    }


def test_releases_take_turns_there_and_back(made: Made) -> None:
    """Neighbours follow each other as A B B A, worker i has seed i, nulls have half as many."""
    timeline, log = made()
    timeline.draw_latencies(2, BOTH)
    forth = ["1.0", "1.0 again", "1.1", "2.0"]
    back = ["2.0", "1.1", "1.0"]
    assert [(name, seed) for name, _, seed, _ in log] == [
        (name, seed) for seed, turn in enumerate([forth, back, forth]) for name in turn
    ]
    assert timeline.screened == range(1, 3)


def test_a_worker_serves_against_both_neighbours(made: Made) -> None:
    """What a release took is HEAD against the one before, and BASE for the one after."""
    slower = {"1.1": lambda plan, seed: sampled(plan.cases, 1500)}
    timeline, _ = made(scripts=slower)
    found = timeline.draw_latencies(2, BOTH)
    assert found[f"1.1 {A}", "ratio", False].heads == (3.0, 3.0)
    assert found[f"1.1 {A}", "ratio", False].bases == (2.0, 2.0)
    assert found[f"2.0 {A}", "ratio", False].heads == (2.0, 2.0)
    assert found[f"2.0 {A}", "ratio", False].bases == (3.0, 3.0)
    assert found[f"1.1 {A}", "ratio", True].heads == (2.0,)  # worker 2, for worker 1 is odd
    assert (f"2.0 {A}", "ratio", True) not in found


def test_doubtful_pairs_are_measured_again_each_with_workers_of_its_own(made: Made) -> None:
    """Both sides measure just what is asked of them, although they share a release."""
    timeline, log = made()
    timeline.draw_latencies(2, BOTH)
    del log[:]
    found = timeline.draw_latencies(2, {f"1.1 {A}", f"2.0 {B}"})
    assert [(name, seed, cases) for name, _, seed, cases in log] == [
        ("1.0 again", 3, (A,)),
        ("1.0", 3, (A,)),
        ("1.1", 3, (A,)),
        ("1.1", 4, (B,)),
        ("2.0", 4, (B,)),
        ("1.1", 5, (A,)),
        ("1.0", 5, (A,)),
        ("2.0", 6, (B,)),
        ("1.1", 6, (B,)),
    ]
    assert {key[0] for key in found} == {f"1.1 {A}", f"2.0 {B}"}
    for key in (f"1.1 {A}", f"2.0 {B}"):
        numbers = found[key, "ratio", False]
        assert (len(numbers.heads), len(numbers.bases)) == (2, 2)
    assert len(found[f"1.1 {A}", "ratio", True].heads) == 1


def test_counts_are_taken_release_by_release(made: Made) -> None:
    """One process each; null controls join when something is looked at again."""
    more = [CountsMessage("operation", name, Counts((10, 40), (12_000, 45_000))) for name in (A, B)]

    def costlier(plan: Plan, seed: int) -> Iterable[Message]:
        said = suite(CASES)(plan, seed)
        return [*said, *more] if plan.action == "count" else said

    timeline, log = made(("instructions", "allocations"), {"2.0": costlier})
    first = timeline.draw_counts(1, BOTH)
    assert first[f"2.0 {A}", "instructions", False].heads == (1100.0,)
    assert first[f"2.0 {A}", "instructions", False].bases == (1000.0,)
    assert not any(is_null for *_, is_null in first)
    assert "1.0 again" not in {name for name, *_ in log}
    again = timeline.draw_counts(2, {f"1.1 {A}"})
    assert again[f"1.1 {A}", "instructions", True].heads == (1000.0, 1000.0)
    seeds = {(name, seed) for name, action, seed, _ in log if action == "count"}
    assert {seed for name, seed in seeds if name == "1.0"} == {0, 1, 2}
    assert {seed for name, seed in seeds if name == "2.0"} == {0}


def test_the_first_worker_of_the_latency_serves_the_counts_as_well(made: Made) -> None:
    """Which cases work and which are slow is not found out by a worker that is then forgotten."""
    timeline, log = made(("latency", "instructions"))
    timeline.draw_counts(1, BOTH)
    timeline.draw_latencies(1, BOTH)
    for version in VERSIONS:
        actions = [action for name, action, *_ in log if name == version]
        assert actions == ["measure", "count", "measure"]


def test_cases_under_load_take_turns_as_well(made: Made) -> None:
    """Their numbers are those of scaling, of each release against the one before."""
    name = LOADED_CASE.case.name

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        said = list(suite([])(plan, seed))
        faster = replace(LOADED, calls=(800, 800))
        return [
            replace(each, samples=faster)
            if isinstance(each, LoadMessage) and each.kind == "operation"
            else each
            for each in said
        ]

    timeline, log = made(("scaling",), {"2.0": script}, cases=[LOADED_CASE])
    found = timeline.draw_loads(2, {f"{version} {name}" for version in VERSIONS[1:]})
    assert found[f"2.0 {name}", "scaling", False].heads == (2.0, 2.0)
    assert found[f"2.0 {name}", "scaling", False].bases == (1.0, 1.0)
    assert found[f"1.1 {name}", "scaling", True].heads == (1.0, 1.0)
    assert [version for version, *_ in log][:5] == ["1.0", "1.0 again", "1.1", "2.0", "2.0"]


def test_nothing_is_measured_twice(made: Made) -> None:
    """What an earlier run measured is taken up; only what it lacks is measured."""
    before, _ = made()
    before.draw_counts(1, BOTH)
    before.draw_latencies(2, BOTH)
    before.draw_counts(2, {f"2.0 {A}"})
    earlier = kept(before)
    cut = earlier["2.0"]
    earlier["2.0"] = replace(cut, workers=cut.workers[:2], instructions=cut.instructions[:2])
    after, log = made(earlier=earlier)
    counts = after.draw_counts(1, BOTH)
    found = after.draw_latencies(2, BOTH)
    again = after.draw_counts(2, {f"2.0 {A}"})
    assert log == [("2.0", "measure", 2, (A, B)), ("2.0", "count", 2, (A,))]
    assert counts[f"2.0 {A}", "instructions", False].heads == (1000.0,)
    assert found[f"2.0 {A}", "ratio", False].heads == (2.0, 2.0)
    assert again[f"2.0 {A}", "instructions", False].heads == (1000.0, 1000.0)
    assert len(kept(after)["2.0"].workers) == 3


def test_workers_of_other_cases_do_not_stand_in(made: Made) -> None:
    """What else a worker measures moves a case: with more cases than before all go together."""
    before, _ = made(("latency",), cases=CASES[:1])
    before.draw_latencies(1, BOTH)
    after, log = made(("latency",), earlier=kept(before))
    found = after.draw_latencies(1, BOTH)
    assert {(seed, cases) for _, _, seed, cases in log} == {(0, (B,)), (1, (A, B))}
    assert len(found[f"2.0 {A}", "ratio", False].heads) == 1


def test_a_slow_case_stays_slow_in_the_next_run(made: Made) -> None:
    """Its workers are counted on, and it is not counted like a fast one."""
    slow = dict.fromkeys(VERSIONS, lambda plan, seed: sampled(plan.cases, 2 * SLOW_CALL_NS))
    before, _ = made(("latency",), slow)
    before.draw_latencies(3, BOTH)
    after, log = made(("latency",), slow, earlier=kept(before))
    after.draw_latencies(SLOW_WORKERS + 2, BOTH)
    assert after.releases[0].session.slow == {A, B}
    seeds = {seed for name, _, seed, _ in log if name in VERSIONS}
    assert seeds == set(range(4, SLOW_WORKERS))


def test_a_case_that_a_release_cannot_do_is_not_compared(made: Made) -> None:
    """It is compared from the next release on; workers of its own keep it out of all others."""

    def without(plan: Plan, seed: int) -> Iterable[Message]:
        fine = replace(plan, cases=tuple(name for name in plan.cases if name != A))
        too_old = [StatusMessage(A, "not available", "too old")] * (A in plan.cases)
        return [*suite(CASES)(fine, seed), *too_old]

    timeline, log = made(("latency",), {"1.0": without})
    found = timeline.draw_latencies(1, BOTH)
    assert timeline.cases[f"1.1 {A}"].status == "not available"
    assert timeline.cases[f"2.0 {A}"].status == "measured"
    assert (f"1.1 {A}", "ratio", False) not in found
    assert len(found[f"2.0 {A}", "ratio", False].heads) == 1
    plans = {
        name: [cases for each, _, seed, cases in log if each == name and seed] for name, *_ in log
    }
    assert plans == {"2.0": [(A,), (B,)], "1.1": [(A,), (B,)], "1.0": [(B,)], "1.0 again": []}


def test_a_release_without_a_neighbour_is_measured_all_the_same(made: Made) -> None:
    """There is nothing to compare, but there is what it costs."""
    timeline, log = made(("latency", "instructions"), versions=("1.0",))
    assert timeline.draw_counts(1, ()) == timeline.draw_latencies(2, ()) == {}
    assert [(action, seed) for _, action, seed, _ in log] == [
        ("measure", 0),
        ("count", 0),
        ("measure", 1),
        ("measure", 2),
    ]
