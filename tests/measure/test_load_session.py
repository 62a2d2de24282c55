"""Sessions under load, with a scripted worker: blocks, records, and what hangs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from resilience_bench._model import CaseInfo, LoadRecord
from resilience_bench.measure import load_session
from resilience_bench.measure.launcher import (
    Launcher,
    ProcessLauncher,
    ScriptedLauncher,
    WorkerFailedError,
)
from resilience_bench.measure.load_session import (
    BLOCK_CASES,
    EFFORTS,
    GATE_EFFORT,
    SHARE_EFFORTS,
    SHARE_GATE_EFFORT,
    Effort,
    LoadSession,
    create_sessions,
)
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES, FinishedBlock, Profile
from resilience_bench.worker.protocol import Message, Plan, StatusMessage
from tests.scripted import CONTROL, LOADED, TALLY, info, loaded, sampled, suite

PROFILE = Profile("quick", workers=3, samples=4, time_limit_s=30.0)
EFFORT = Effort(workers=2, rounds=4, window_ns=5_000_000, timed=3)


def under(scenario: str, library: str, load: str = "threads-4", payload: str = "io") -> CaseInfo:
    """A declared case under a load."""
    one = info(scenario, library)
    return replace(one, case=one.case.with_load(load, payload))


CASES = [under("closed", library) for library in "xyz"]
X, Y, Z = (each.case.name for each in CASES)


def session_of(
    launcher: Launcher, cases: Iterable[CaseInfo] = CASES, effort: Effort = EFFORT
) -> LoadSession:
    """A session of cases under load."""
    return LoadSession(launcher, list(cases), PROFILE, effort=effort)


def measured_names(blocks: Iterable[FinishedBlock]) -> list[tuple[int, list[str]]]:
    """Worker index and measured cases, block by block."""
    return [
        (done.record.index, list(done.record.operations))
        for done in blocks
        if isinstance(done.record, LoadRecord)
    ]


def test_there_are_as_many_workers_as_the_effort_says() -> None:
    """Each has its index as hash seed; what the case does alone is checked once."""
    launcher = ScriptedLauncher(suite(CASES))
    blocks = list(session_of(launcher).run())
    assert measured_names(blocks) == [(0, [X, Y, Z]), (1, [X, Y, Z])]
    assert {done.signal for done in blocks} == {"scaling"}
    assert [seed for _, seed in launcher.plans] == [0, 1]
    assert [plan.check for plan, _ in launcher.plans] == [True, False]


def test_a_crowd_may_have_fewer_workers() -> None:
    """As many measurements are announced as there are, so that progress ends at its end."""
    cases = [under("closed", "x", "single", "sqlite"), under("closed", "x", "threads-8", "sqlite")]
    crowd = replace(EFFORT, workers=1)
    for effort, count in ((EFFORT, 4), (replace(EFFORT, workers=3, crowd=crowd), 4)):
        session = session_of(ScriptedLauncher(suite(cases)), cases, effort)
        assert session.count_visits() == count
        assert sum(len(done.cases) for done in session.run()) == count


@pytest.mark.parametrize(
    ("payload", "count", "factor"),
    [
        ("sqlite", load_session.FEW_CASES, load_session.MORE_ROUNDS),
        ("sqlite", load_session.FEW_CASES + 1, 1),
        ("io", 1, 1),
    ],
)
def test_a_few_real_calls_get_more_rounds(payload: str, count: int, factor: int) -> None:
    """They are quick, and somebody looks at them closely."""
    cases = [under("closed", f"l{number}", "single", payload) for number in range(count)]
    launcher = ScriptedLauncher(suite(cases))
    list(session_of(launcher, cases).visit(0))
    [(plan, _)] = launcher.plans
    assert plan.rounds == factor * EFFORT.rounds


def test_a_worker_gets_what_to_do() -> None:
    """Each case comes with its load; how much is measured is the effort's."""
    launcher = ScriptedLauncher(suite(CASES))
    list(session_of(launcher).visit(7, {X, Z}))
    [(plan, seed)] = launcher.plans
    assert (plan.action, plan.cases, seed) == ("load", (X, Z), 7)
    assert plan.under == (
        (X, "breaker.closed[x]", "threads-4", "io"),
        (Z, "breaker.closed[z]", "threads-4", "io"),
    )
    assert (plan.rounds, plan.window_ns, plan.timed) == (4, 5_000_000, 3)
    assert plan.case_limit_s == load_session.CASE_LIMIT_S
    # A block of slow cases must not be taken for a hang.
    assert plan.time_limit_s > PROFILE.time_limit_s


def test_a_record_holds_controls_operations_and_tallies() -> None:
    """What the worker says is kept by name."""
    session = session_of(ScriptedLauncher(suite(CASES)))
    done = next(session.run())
    assert isinstance(done.record, LoadRecord)
    assert (done.record.index, done.record.block, done.record.hash_seed) == (0, 0, 0)
    assert done.record.controls == {CONTROL: LOADED}
    assert done.record.operations == dict.fromkeys([X, Y, Z], LOADED)
    assert done.record.tallies == dict.fromkeys([X, Y, Z], TALLY)
    assert {record.status for record in session.records.values()} == {"measured"}
    assert {each.control for each in session.records.values()} == {CONTROL}


def test_a_block_holds_whole_groups() -> None:
    """Libraries of one scenario, load and payload stay together, whatever stands between them."""
    libraries = [f"l{number}" for number in range(BLOCK_CASES // 4)]
    # As a selection has them: all loads of a library come one after the other.
    infos = [
        under(scenario, library, load, payload)
        for scenario in ("closed", "open")
        for library in libraries
        for load in ("threads-1", "threads-4")
        for payload in ("noop", "io")
    ]
    blocks = session_of(ScriptedLauncher(suite(infos)), infos).blocks(infos)
    where: dict[tuple[str, str, str], set[int]] = {}
    for number, block in enumerate(blocks):
        assert 0 < len(block) <= BLOCK_CASES
        for each in block:
            key = (each.case.group, each.case.load, each.case.payload)
            where.setdefault(key, set()).add(number)
    assert len(blocks) == 2
    assert len(where) == 8
    assert {len(numbers) for numbers in where.values()} == {1}
    assert sorted(each.case.name for each in itertools.chain(*blocks)) == sorted(
        each.case.name for each in infos
    )


def test_a_group_that_is_too_large_has_a_block_of_its_own() -> None:
    """It is not torn apart: its cases are compared with each other."""
    many = [under("closed", f"l{number}") for number in range(BLOCK_CASES + 2)]
    infos = [under("a", "x"), *many, under("b", "x")]
    blocks = session_of(ScriptedLauncher(suite(infos)), infos).blocks(infos)
    assert [len(block) for block in blocks] == [1, BLOCK_CASES + 2, 1]
    assert session_of(ScriptedLauncher(suite([])), []).blocks([]) == []


def hanging(plan: Plan, seed: int) -> list[Message]:
    """A worker in which one case hangs."""
    del seed
    if Y in plan.cases:
        raise WorkerFailedError("hung past its time limit of 10 s", Y, is_hung=True)
    return loaded(plan.cases)


def test_a_case_that_hangs_is_not_tried_again() -> None:
    """It would hang again, and take as long; the others are measured, by all workers."""
    launcher = ScriptedLauncher(hanging)
    session = session_of(launcher)
    blocks = list(session.run())
    assert measured_names(blocks) == [(0, [X, Z]), (1, [X, Z])]
    assert [plan.cases for plan, _ in launcher.plans] == [(X, Y, Z), (X, Z), (X, Z)]
    assert session.records[Y].status == "hung"
    assert session.records[Y].reason == "its worker hung past its time limit of 10 s"
    assert sum(len(done.cases) for done in blocks) == len(CASES) * EFFORT.workers


def test_a_hang_of_which_nobody_knows_is_found_by_halves() -> None:
    """Where the worker cannot say at which case it was, the block is halved until it is found."""

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        if Y in plan.cases:
            raise WorkerFailedError("hung past its time limit of 42 s", is_hung=True)
        return loaded(plan.cases)

    session = session_of(ScriptedLauncher(script))
    blocks = list(session.run())
    assert {name for _, names in measured_names(blocks) for name in names} == {X, Z}
    assert {name: each.status for name, each in session.records.items()} == {
        X: "measured",
        Y: "hung",
        Z: "measured",
    }


def test_a_crash_is_tried_again() -> None:
    """A worker that fails once costs a retry; one that fails twice costs its case."""
    failures = iter([WorkerFailedError("was ended by SIGKILL", X)])

    def script(plan: Plan, seed: int) -> list[Message]:
        if failure := next(failures, None):
            raise failure
        if Z in plan.cases:
            raise WorkerFailedError("was ended by SIGSEGV", Z)
        return loaded(plan.cases)

    launcher = ScriptedLauncher(script)
    session = session_of(launcher)
    list(session.run())
    assert {name: each.status for name, each in session.records.items()} == {
        X: "measured",
        Y: "measured",
        Z: "failed",
    }
    # The crash and its retry, then without the culprit; it is no longer in the second worker.
    assert [len(plan.cases) for plan, _ in launcher.plans] == [3, 3, 2, 2]


def test_what_fails_under_its_load_is_left_out_from_then_on() -> None:
    """The reason of the worker is kept, and later workers measure the others."""

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        others = [name for name in plan.cases if name != Y]
        said = loaded(others)
        if Y in plan.cases:
            said += [
                StatusMessage(Y, "ready", control=CONTROL),
                StatusMessage(Y, "failed", "under this load it raised KeyError: 'idle_for'"),
            ]
        return said

    launcher = ScriptedLauncher(script)
    session = session_of(launcher)
    blocks = list(session.run())
    assert measured_names(blocks) == [(0, [X, Z]), (1, [X, Z])]
    record = session.records[Y]
    assert (record.status, record.control) == ("failed", CONTROL)
    assert record.reason == "under this load it raised KeyError: 'idle_for'"
    assert [plan.cases for plan, _ in launcher.plans] == [(X, Y, Z), (X, Z)]


def test_what_was_not_reached_is_interrupted() -> None:
    """When the caller stops early, the records say what was measured and what was not."""
    infos = [under("closed", f"l{number}") for number in range(BLOCK_CASES)]
    session = session_of(ScriptedLauncher(suite(infos)), [*infos, under("other", "x")])
    next(session.run())
    statuses = {record.case.scenario: record.status for record in session.records.values()}
    assert statuses == {"closed": "measured", "other": "interrupted"}


def test_a_selection_is_measured_alone_and_under_load() -> None:
    """Each session has its own cases; the statuses of all of them are in one place, in order."""
    alone, together = info("closed", "x"), under("closed", "x")
    real = replace(together, case=together.case.with_load("threads-16", "sqlite"))
    infos = [together, alone, under("closed", "y"), real]

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        return loaded(plan.cases) if plan.action == "load" else sampled(plan.cases)

    plain, (scaling, share) = create_sessions(ScriptedLauncher(script), infos, PROFILE)
    assert [case.case.name for case in plain.cases] == [alone.case.name]
    assert [info.case.is_real for info in scaling.cases] == [False, False]
    assert [info.case.is_real for info in share.cases] == [True]
    assert (scaling.signal, share.signal) == ("scaling", "share")
    assert plain.records is scaling.records is share.records
    assert list(plain.records) == [each.case.name for each in infos]
    list(plain.run())
    list(scaling.run())
    list(share.run())
    assert {record.status for record in plain.records.values()} == {"measured"}
    assert (scaling.effort, share.effort) == (EFFORTS["quick"], SHARE_EFFORTS["quick"])
    _, gated = create_sessions(ScriptedLauncher(script), infos, PROFILE, gated=True)
    assert [session.effort for session in gated] == [GATE_EFFORT, SHARE_GATE_EFFORT]


def test_every_profile_has_its_effort() -> None:
    """Whoever chooses a profile gets it under load as well: more of it with the thorough one."""
    for efforts in (EFFORTS, SHARE_EFFORTS):
        assert set(efforts) == set(PROFILES) - {"chaos"}
        workers = [efforts[name].workers for name in ("quick", "standard", "thorough")]
        assert workers == sorted(set(workers))


@dataclass(slots=True)
class Watched:
    """The real launcher, with a note of what it was to do."""

    plans: list[Plan] = field(default_factory=list)
    launcher: ProcessLauncher = field(default_factory=ProcessLauncher)

    def run(self, plan: Plan, hash_seed: int) -> list[Message]:
        """Note the plan and carry it out."""
        self.plans.append(plan)
        return self.launcher.run(plan, hash_seed)

    def stop(self) -> None:
        """Stop the real one."""
        self.launcher.stop()


def test_a_real_deadlock_costs_its_case_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that wait for each other for ever: hung, with their places; the rest is measured."""
    monkeypatch.setattr(load_session, "CASE_LIMIT_S", 2.0)
    file = tmp_path / "mine.py"
    file.write_text(
        "import threading\n"
        "from resilience_bench import scenario\n"
        "@scenario\ndef first(payload): return payload\n"
        "@scenario\ndef locked(payload):\n"
        "    lock = threading.Lock()\n"
        "    def waits_for_a_lock():\n"
        "        if threading.current_thread() is not threading.main_thread():\n"
        "            lock.acquire()\n"
        "        return payload()\n"
        "    return waits_for_a_lock\n"
        "@scenario\ndef last(payload): return payload\n"
    )
    launcher = Watched()
    selection = select(launcher, (str(file), "mine[threads-3]"))
    launcher.plans.clear()
    session = session_of(launcher, selection.cases)
    blocks = list(session.run())
    names = {value: f"mine.{value}[threads-3]" for value in ("first", "locked", "last")}
    expected = [names["first"], names["last"]]
    assert measured_names(blocks) == [(0, expected), (1, expected)]
    assert [len(plan.cases) for plan in launcher.plans] == [3, 2, 2]
    record = session.records[names["locked"]]
    assert record.status == "hung"
    assert record.reason.startswith("its worker hung past its time limit of 2 s; ")
    assert "mine.py:10 in waits_for_a_lock" in record.reason
