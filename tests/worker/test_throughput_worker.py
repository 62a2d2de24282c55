"""A worker that measures throughput: what it sends, and what it says of failures."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from resilience_bench._model import Tally
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.stats import correctness as tallying
from resilience_bench.worker import __main__ as program
from resilience_bench.worker import tallies
from resilience_bench.worker.protocol import (
    EndMessage,
    LoadMessage,
    Message,
    Plan,
    StartMessage,
    StatusMessage,
    TallyMessage,
    decode,
)
from resilience_bench.worker.throughput import (
    LoadGroup,
    LoadSubject,
)
from tests.worker.throughput_factories import LIMIT_S, WINDOW_NS, bare, bound, measured

HEAD = """
import itertools, os, threading, time
from resilience_bench import Counted, scenario

def in_caller():
    return threading.current_thread().name.startswith("caller-")
"""

FILE = f"""{HEAD}
@scenario
def good(payload):
    return payload

@scenario
def good_again(payload):
    return lambda: payload()

@scenario
def raising(payload):
    def operation():
        if in_caller():
            raise KeyError("idle_for")
        return payload()
    return operation

@scenario
def leaking(payload):
    lock, calls, total = threading.Lock(), itertools.count(1), [0]
    def operation():
        with lock:
            total[0] += not in_caller() or next(calls) % 10 != 0
        return payload()
    return Counted(operation, lambda: total[0])

@scenario(across_processes=True)
def raising_in_a_process(payload):
    here = os.getpid()
    def operation():
        if os.getpid() != here:
            raise KeyError("idle_for")
        return payload()
    return operation

@scenario
async def awaited(payload):
    return payload
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario file with good and bad cases."""
    path = tmp_path_factory.mktemp("scenarios") / "cases.py"
    path.write_text(FILE)
    return path


def plan(file: Path, load: str, *scenarios: str, payload: str = "noop", **more: Any) -> Plan:
    """A small plan for cases of the file under one load."""
    label = load if payload == "noop" else f"{load},{payload}"
    names = [f"cases.{scenario}" for scenario in scenarios]
    under = tuple((f"{name}[{label}]", name, load, payload) for name in names)
    parts: dict[str, Any] = {"rounds": 2, "window_ns": WINDOW_NS, "case_limit_s": LIMIT_S}
    return Plan(
        "load", (str(file),), tuple(name for name, *_ in under), under=under, **(parts | more)
    )


def said(a_plan: Plan) -> list[Message]:
    """What a worker in this process says that carries out a plan."""
    channel = io.StringIO()
    program._Worker(a_plan, channel).run()
    return [decode(line) for line in channel.getvalue().splitlines()]


def statuses(messages: Iterable[Message]) -> dict[str, tuple[str, str]]:
    """Status and reason of each case, by its scenario; the last one counts."""
    return {
        message.case.partition("[")[0].removeprefix("cases."): (message.status, message.reason)
        for message in messages
        if isinstance(message, StatusMessage)
    }


def operations(messages: Iterable[Message]) -> list[str]:
    """The scenarios of which samples were reported."""
    return [
        message.name.partition("[")[0].removeprefix("cases.")
        for message in messages
        if isinstance(message, LoadMessage) and message.kind == "operation"
    ]


def test_a_worker_tells_samples_and_tallies_of_each_case(file: Path) -> None:
    """The control once for all its cases, then the cases; the rest of the plan is done as well."""
    messages = said(plan(file, "threads-2", "good", "leaking", "good_again"))
    kinds = [type(message) for message in messages if not isinstance(message, StartMessage)]
    assert kinds == [StatusMessage] * 3 + [LoadMessage] + [LoadMessage, TallyMessage] * 3 + [
        EndMessage
    ]
    assert operations(messages) == ["good", "leaking", "good_again"]
    [tally] = [
        each.tally for each in messages if isinstance(each, TallyMessage) and "leaking" in each.case
    ]
    assert [defect.kind for defect in tallying.find_defects([tally])] == ["lost counts"]
    keys = {each.control for each in messages if isinstance(each, StatusMessage)}
    assert keys == {"1xreturns threads-2 noop"}
    assert isinstance(messages[-1], EndMessage)


@pytest.mark.parametrize(
    ("load", "scenario_name"), [("threads-2", "raising"), ("processes-2", "raising_in_a_process")]
)
def test_a_worker_tells_what_failed_and_measures_the_rest(
    load: str, scenario_name: str, file: Path
) -> None:
    """The reason says that it is the load's: alone the operation does what it should."""
    messages = said(plan(file, load, "good", scenario_name, "good_again"))
    assert statuses(messages) == {
        "good": ("ready", ""),
        scenario_name: ("failed", "under this load it raised KeyError: 'idle_for'"),
        "good_again": ("ready", ""),
    }
    assert operations(messages) == ["good", "good_again"]


def test_an_error_of_a_later_pass_is_the_loads_as_well(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What raises seldom may do so only while calls are timed or counted."""

    def raises(_group: LoadGroup, case: BoundCase, _subject: LoadSubject) -> Tally:
        if case.name.startswith("cases.good["):
            raise KeyError("idle_for")
        return Tally(1, 1, 1)

    monkeypatch.setattr(tallies, "count_runs", raises)
    messages = said(plan(file, "threads-2", "good", "good_again"))
    expected = ("failed", "under this load it raised KeyError: 'idle_for'")
    assert statuses(messages) == {"good": expected, "good_again": ("ready", "")}
    assert operations(messages) == ["good_again"]


def test_without_its_control_nothing_is_reported_of_a_case(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate says nothing without the rate that could be reached."""

    def raises(_self: LoadGroup, subject: LoadSubject) -> None:
        if not subject.name:
            raise MemoryError("no more")

    monkeypatch.setattr(LoadGroup, "_calibrate", raises)
    messages = said(plan(file, "threads-2", "good"))
    reason = "its control: under this load it raised MemoryError: no more"
    assert statuses(messages) == {"good": ("failed", reason)}
    assert operations(messages) == []
    assert isinstance(messages[-1], EndMessage)


def test_readers_need_a_counter(file: Path) -> None:
    """Without one a mixed load is not available; what has one is measured."""
    messages = said(plan(file, "mixed-1-1", "good", "leaking"))
    assert statuses(messages) == {
        "good": ("not available", "it has no counter that readers could read"),
        "leaking": ("ready", ""),
    }
    assert operations(messages) == ["leaking"]


def test_threads_that_cannot_be_started_are_not_available(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason names the load; other loads of the plan are measured."""

    def refuses(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuses)
    wanted = plan(file, "threads-64", "good", "good_again")
    more = plan(file, "tasks-2", "awaited")
    both = Plan(
        "load",
        wanted.paths,
        wanted.cases + more.cases,
        under=wanted.under + more.under,
        rounds=1,
        window_ns=WINDOW_NS,
        case_limit_s=LIMIT_S,
    )
    messages = said(both)
    refused = ("not available", "threads-64: can't start new thread")
    assert statuses(messages) == {
        "good": refused,
        "good_again": refused,
        "awaited": ("ready", ""),
    }
    assert operations(messages) == ["awaited"]


def test_one_caller_awaits_a_coroutine_around_work(file: Path) -> None:
    """A payload that waits is a load of its own, also for one caller of a coroutine."""
    messages = said(plan(file, "single", "awaited", payload="io"))
    assert statuses(messages) == {"awaited": ("ready", "")}
    assert operations(messages) == ["awaited"]


def test_a_case_that_is_gone_is_reported(file: Path) -> None:
    """A file that changed meanwhile costs the cases that it no longer has."""
    messages = said(plan(file, "threads-2", "vanished", "good"))
    assert statuses(messages)["vanished"] == ("failed", "its file no longer defines it")
    assert operations(messages) == ["good"]


def test_a_window_that_is_shorter_than_its_release() -> None:
    """What it took is never below zero, though the release is taken off."""
    reported = measured(bound(bare, "threads-2"), window_ns=1)
    assert all(each >= 1 for each in reported.control.elapsed_ns)
