"""Outages as a session plans them, and real workers in an outage of two seconds."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench._model import CaseInfo, RealPayload
from resilience_bench._outages import Outage, OutageRecord
from resilience_bench.measure.case_servers import CaseServers
from resilience_bench.measure.launcher import (
    Launcher,
    ProcessLauncher,
    ScriptedLauncher,
    WorkerFailedError,
)
from resilience_bench.measure.long_session import SCHEDULE, OutageSession
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.open_servers import Servers
from resilience_bench.worker.protocol import Message, OutageMessage, Plan, StatusMessage
from tests import outage_factories
from tests.measure.test_case_servers import FakeServers
from tests.outage_factories import make_outage
from tests.scripted import info
from tests.servers.leftovers import find_server, make_place, need, wait_until

FILE = """
from resilience_bench import RESULT, scenario

@scenario
def bare(payload):
    return payload

@scenario
def with_default(payload):
    def call():
        try:
            return payload()
        except OSError:
            return RESULT
    return call

@scenario
def with_last_good(payload):
    kept = []
    def call():
        try:
            kept[:] = [payload()]
        except OSError:
            pass
        return kept[0]
    return call

@scenario
def lying(payload):
    return lambda: (payload(), "something else")[1]
"""


def around(scenario: str) -> CaseInfo:
    """A case around the payload that goes down."""
    one = info(scenario)
    needs = (RealPayload("outage", "flaky-redis", ("redis",)),)
    return replace(one, case=one.case.with_load("single", "outage"), real_payloads=needs)


CASES = [around("first"), around("second"), around("third")]
FIRST, SECOND, THIRD = (each.case.name for each in CASES)


def run(launcher: Launcher, cases: Sequence[CaseInfo], servers: Servers) -> OutageSession:
    """The session after its end, with its outages in ``found``."""
    started = CaseServers(servers)
    session = OutageSession(launcher, cases, PROFILES["chaos"], servers=started)
    session.schedule = outage_factories.SCHEDULE
    found.clear()
    for block in session.run():
        if isinstance(block.record, OutageRecord):
            found[block.record.case] = block.record.outage
    return session


found: dict[str, Outage] = {}


def test_the_schedule_takes_half_a_minute_a_library() -> None:
    """So five take less than three minutes; slow is slower than a caller waits."""
    seconds = SCHEDULE.bare_s + sum(phase.seconds for phase in SCHEDULE.phases)
    assert seconds == 30.0
    assert [phase.name for phase in SCHEDULE.phases] == list(outage_factories.NAMES)
    from resilience_bench.payloads.outage import TIMEOUT_S

    assert SCHEDULE.phases[1].delay_s > 2 * TIMEOUT_S


def test_each_case_has_a_worker_with_the_schedule_and_the_server() -> None:
    """One plan a case; a worker that fails is not started again, the others go on."""

    def script(plan: Plan, _seed: int) -> list[Message]:
        [name] = plan.cases
        if name == FIRST:
            raise WorkerFailedError("was ended by SIGKILL", name)
        ready = StatusMessage(name, "ready")
        return [ready] if name == SECOND else [ready, OutageMessage(name, make_outage())]

    launcher = ScriptedLauncher(script)
    session = run(launcher, CASES, FakeServers())
    assert [plan.cases for plan, _ in launcher.plans] == [(FIRST,), (SECOND,), (THIRD,)]
    for plan, _ in launcher.plans:
        assert plan.action == "outage"
        assert plan.outage == outage_factories.SCHEDULE
        assert plan.servers == (("flaky-redis", "address of flaky-redis"),)
        assert plan.under == ((plan.cases[0], plan.cases[0].replace("[outage]", ""), *UNDER),)
        assert Plan.from_json(plan.to_json()).outage == plan.outage
    statuses = {name: (record.status, record.reason) for name, record in session.records.items()}
    assert statuses == {
        FIRST: ("failed", "its worker was ended by SIGKILL"),
        SECOND: ("failed", "its worker reported nothing about it"),
        THIRD: ("measured", ""),
    }
    assert found == {THIRD: make_outage()}


UNDER = ("single", "outage")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A user's own scenarios."""
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_scenarios_of_users_go_through_an_outage(file: Path) -> None:
    """Real workers: how each guard answers is seen, and one that lies is not measured."""
    need("flaky-redis")
    launcher = ProcessLauncher()
    cases = select(launcher, (str(file),), profile="chaos").cases
    assert len(cases) == 4
    with make_place(), Servers() as servers:
        session = run(launcher, cases, servers)
    answers = {name.partition("[")[0]: set(outage.answers) for name, outage in found.items()}
    assert {"L", "E"} <= answers["mine.bare"] <= {"L", "E", "U"}
    assert {"L", "D"} <= answers["mine.with_default"] <= {"L", "D", "U"}
    assert {"L", "S"} <= answers["mine.with_last_good"] <= {"L", "S", "U"}
    assert session.records["mine.lying[outage]"].status == "broken"
    for outage in found.values():
        assert [phase.name for phase in outage.phases] == list(outage_factories.NAMES)
        assert sum(phase.reached for phase in outage.phases) > 0
        assert all(phase.log_bytes == 0 for phase in outage.phases)
        assert all(phase.threads >= outage_factories.SCHEDULE.callers for phase in outage.phases)


def test_a_server_that_dies_in_mid_run_fails_its_case(file: Path) -> None:
    """With the server's last words; nothing is left running."""
    need("flaky-redis")
    real = ProcessLauncher()
    cases = select(real, (str(file), "mine.bare", "mine.with_default"), profile="chaos").cases
    with make_place() as place:
        with Servers() as servers:

            class Killing:
                """The real launcher; before its first plan the server is killed."""

                def run(self, plan: Plan, hash_seed: int) -> list[Message]:
                    address = ServerAddress.from_json(dict(plan.servers)["flaky-redis"])
                    os.kill(find_server(place, address), signal.SIGKILL)
                    wait_until(lambda: servers.explain_end("flaky-redis"), "no end was noticed")
                    return real.run(plan, hash_seed)

                def stop(self) -> None:
                    """See `Launcher`."""

            session = run(Killing(), cases, servers)
            address = ServerAddress.from_json(servers.get_address("flaky-redis"))
        place.wait_until_empty(address)
    assert not found
    for record in session.records.values():
        assert record.status == "failed"
        assert "the server flaky-redis is gone: it was ended by signal 9" in record.reason
