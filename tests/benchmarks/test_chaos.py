"""The family of outages: what each library answers, and how little reaches what is down."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from benchmarks import chaos, vocabulary_outages
from benchmarks.vocabulary import FAILURES_TO_OPEN
from resilience_bench import RESULT
from resilience_bench._outages import OutageRecord
from resilience_bench.measure.case_servers import CaseServers
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.long_session import OutageSession
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.servers.open_servers import Servers
from resilience_bench.worker.operations import open_made
from tests.benchmarks.families import FOLDER, adapter_of, discovery
from tests.outage_factories import SCHEDULE
from tests.servers.leftovers import make_place, need

LIBRARIES = {library.name: library for library in chaos.LIBRARIES}
WITHOUT_FALLBACK = {"tenacity+pybreaker", "stamina+pybreaker"}
CALLS = 12


def case_of(library: str) -> BoundCase:
    """The case of a library."""
    return discovery().bound[f"chaos.cache_read[{library}]"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_guard_opens_and_answers_as_its_library_does(
    library: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The payload is called until the breaker opens; only what is raised is logged as an error."""
    import asyncio

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    calls, is_down = 0, False

    def payload() -> str:
        nonlocal calls
        calls += 1
        if is_down:
            raise ConnectionError
        return "value"

    found: list[object] = []
    made = chaos.cache_read.function(adapter_of(case_of(library)), payload)
    with asyncio.Runner() as runner, open_made(made, runner) as operation:
        assert operation() == "value"
        is_down, calls = True, 0
        for _ in range(CALLS):
            try:
                found.append(operation())
            except Exception as error:  # noqa: BLE001 - each library has its own
                found.append(type(error).__name__)
    assert calls == FAILURES_TO_OPEN
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    if library in WITHOUT_FALLBACK:
        assert found[-1] == "CircuitBreakerError"
        assert len(errors) == CALLS
    else:
        assert set(found) == {"value" if library == "resilience_stack" else RESULT}
        assert not errors


def test_the_reference_stack_answers_and_spares_what_is_down() -> None:
    """A real Redis goes down: each request has a live or a stale answer, and few calls reach it.

    At most those that open the breaker, those in flight, and one probe per reset timeout.
    """
    need("flaky-redis")
    launcher = ProcessLauncher()
    selected = select(launcher, (str(FOLDER / "chaos.py"), "*resilience_stack*"), profile="chaos")
    down = tuple(
        replace(phase, seconds=1.2) if phase.mode != "healthy" else phase
        for phase in SCHEDULE.phases
    )
    with make_place(), Servers() as servers:
        started = CaseServers(servers)
        session = OutageSession(launcher, selected.cases, PROFILES["chaos"], servers=started)
        session.schedule = replace(SCHEDULE, phases=down)
        [block] = session.run()
    assert isinstance(block.record, OutageRecord), session.records
    outage = block.record.outage
    # A machine that stalls for a second leaves requests unserved, whatever the guard does.
    assert {"L", "S"} <= set(outage.answers) <= {"L", "S", "U"}
    assert outage.opened_us is not None
    spared = [phase for phase in outage.phases if phase.mode != "healthy"]
    probes = sum(phase.ends_us - phase.starts_us for phase in spared) / 1e6
    probes /= vocabulary_outages.RESET_S
    limit = FAILURES_TO_OPEN + session.schedule.callers + probes + len(spared)
    assert sum(phase.reached for phase in spared) <= limit
