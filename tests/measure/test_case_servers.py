"""Cases with servers: started when needed, quoted when they fail, and no loss to the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resilience_bench._model import CaseInfo, RealPayload
from resilience_bench.measure.launcher import Launcher, ProcessLauncher, ScriptedLauncher
from resilience_bench.measure.load_session import Effort, LoadSession, create_sessions
from resilience_bench.measure.selection import inspect, select
from resilience_bench.measure.session import PROFILES
from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.open_servers import ProgramMissingError, ServerFailedError, Servers
from resilience_bench.worker.protocol import Message, Plan, StatusMessage
from tests.scripted import info, suite
from tests.servers.leftovers import Place, find_server, make_place, need, wait_until

EFFORT = Effort(workers=2, rounds=2, window_ns=2_000_000, timed=0)
FILE = """
import itertools
from resilience_bench import payload, scenario

@scenario
def success(payload):
    return payload

@scenario
def cached(payload):
    answer = payload()
    return lambda: answer

@payload(server="folder")
def listing(server):
    import os
    return lambda: os.listdir(server.folder)

@payload
def counting():
    return itertools.count().__next__

@payload(returns=1)
def turning():
    calls = itertools.count()
    return lambda: 1 if next(calls) < 20 else 2
"""


class FakeServers(Servers):
    """Servers that are only written down; ``ends`` says how some ended."""

    def __init__(self, **problems: Exception) -> None:
        """Start none."""
        super().__init__({})
        self.asked: list[str] = []
        self.problems = problems
        self.ends: dict[str, str] = {}
        self.words: dict[str, str] = {}

    def find_address(self, name: str) -> str:
        """Return a text."""
        self.asked.append(name)
        if name in self.problems:
            raise self.problems[name]
        return self.get_address(name)

    def get_address(self, name: str) -> str:
        """Return the same text."""
        return f"address of {name}"

    def check_programs(self, name: str) -> None:
        """Raise what was given."""
        if name in self.problems:
            raise self.problems[name]

    def explain_end(self, name: str) -> str:
        """Return what was written down."""
        return self.ends.get(name, "")

    def quote_last_words(self, name: str) -> str:
        """Return what was written down."""
        return self.words.get(name, "")


def around(payload: str, server: str = "", path: str = "") -> CaseInfo:
    """A case around a payload that needs a server."""
    one = info("closed", f"around-{payload}")
    real = (RealPayload(payload, server, ("driver",), path),)
    return replace(one, case=one.case.with_load("threads-2", payload), real_payloads=real)


CASES = [around("redis", "redis"), around("http", "http"), around("sqlite"), around("set", "redis")]
NAMES = [each.case.name for each in CASES]


def run(launcher: Launcher, servers: Servers | None) -> LoadSession:
    """The session after its end."""
    _, (_, session) = create_sessions(launcher, CASES, PROFILES["quick"], servers=servers)
    session.effort = EFFORT
    for _ in session.run():
        pass
    return session


def statuses(session: LoadSession) -> dict[str, tuple[str, str]]:
    """Status and reason by payload."""
    return {
        record.case.payload: (record.status, record.reason) for record in session.records.values()
    }


def test_a_worker_gets_the_addresses_that_its_cases_need() -> None:
    """Each once; only those are started."""
    launcher, servers = ScriptedLauncher(suite(CASES)), FakeServers()
    session = run(launcher, servers)
    assert {status for status, _ in statuses(session).values()} == {"measured"}
    assert set(servers.asked) == {"redis", "http"}
    assert {plan.servers for plan, _ in launcher.plans} == {
        (("redis", "address of redis"), ("http", "address of http"))
    }


def test_a_missing_program_makes_its_cases_unavailable() -> None:
    """The others are measured."""
    missing = ProgramMissingError("Redis's redis-server is not installed; type: x")
    launcher = ScriptedLauncher(suite(CASES))
    found = statuses(run(launcher, FakeServers(redis=missing)))
    assert found["redis"] == found["set"] == ("not available", str(missing))
    assert found["http"][0] == found["sqlite"][0] == "measured"
    assert all(set(plan.cases) == set(NAMES[1:3]) for plan, _ in launcher.plans)


def test_a_server_that_does_not_start_fails_its_cases() -> None:
    """With its last words; the others are measured."""
    error = ServerFailedError("the server http did not start; it said: no room")
    found = statuses(run(ScriptedLauncher(suite(CASES)), FakeServers(http=error)))
    assert found["http"] == ("failed", str(error))
    assert {found[name][0] for name in ("redis", "set", "sqlite")} == {"measured"}


def test_without_servers_cases_say_so() -> None:
    """A session that was given none, such as that of asv's benchmarks."""
    found = statuses(run(ScriptedLauncher(suite(CASES)), None))
    assert found["redis"] == (
        "not available",
        "it needs the server redis, and none is started here",
    )
    assert found["sqlite"][0] == "measured"


@pytest.mark.parametrize("status", ["broken", "failed"])
def test_a_failure_after_the_server_has_gone_quotes_the_server(status: Any) -> None:
    """What the guard or the driver made of it says less. The others keep their own words."""
    servers = FakeServers()

    def script(plan: Plan, hash_seed: int) -> list[Message]:
        servers.ends["redis"] = "the server redis is gone: it said: out of memory"
        said = list(suite(CASES)(plan, hash_seed))
        return [*said, *(StatusMessage(name, status, "it raised") for name in (NAMES[0], NAMES[2]))]

    found = statuses(run(ScriptedLauncher(script), servers))
    assert found["redis"] == ("failed", servers.ends["redis"])
    assert found["sqlite"] == (status, "it raised")


@pytest.mark.parametrize(
    ("status", "reason"),
    [("failed", "it raised; the server redis runs; it said: no memory"), ("broken", "it raised")],
)
def test_a_failure_while_the_server_runs_quotes_it_too(status: Any, reason: str) -> None:
    """The server may have said why; it has nothing to say of a case that breaks its promise."""
    servers = FakeServers()
    servers.words["redis"] = "the server redis runs; it said: no memory"

    def script(plan: Plan, hash_seed: int) -> list[Message]:
        said = list(suite(CASES)(plan, hash_seed))
        return [*said, StatusMessage(NAMES[0], status, "it raised")]

    found = statuses(run(ScriptedLauncher(script), servers))
    assert found["redis"] == (status, reason)
    assert found["set"][0] == "measured"


def test_listing_starts_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says whether the server's programs are installed."""
    missing = ProgramMissingError("PostgreSQL's postgres is not installed; type: x")
    servers = FakeServers(http=missing)
    monkeypatch.setattr("resilience_bench.measure.selection.Servers", lambda: servers)
    records = inspect(ScriptedLauncher(suite(CASES)), CASES, 10.0)
    reasons = {record.case.payload: (record.status, record.reason) for record in records}
    assert reasons["http"] == ("not available", str(missing))
    assert reasons["redis"][0] == "measured"
    assert servers.asked == []


def test_a_plan_has_the_file_of_the_payload() -> None:
    """It may be another one than that of the scenario."""
    launcher = ScriptedLauncher(suite(CASES))
    case = around("mine", "", "/mine/payloads.py")
    session = LoadSession(launcher, [case], PROFILES["quick"], effort=EFFORT)
    list(session.run())
    assert launcher.plans[0][0].paths == (case.path, "/mine/payloads.py")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scenario file with payloads of its own."""
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_real_work_is_measured_by_a_real_worker(file: Path) -> None:
    """What is honest; the rest says what is wrong with it."""
    launcher = ProcessLauncher()
    names = ("listing", "counting", "turning")
    patterns = ("mine.*[threads-2,sqlite]", *(f"mine.success[{name}]" for name in names))
    chosen = select(launcher, (str(file), *patterns)).cases
    with make_place(), Servers() as servers:
        _, (_, session) = create_sessions(launcher, chosen, PROFILES["quick"], servers=servers)
        session.effort = EFFORT
        records = [block.record for block in session.run() if block.record]
    found = {name: (record.status, record.reason) for name, record in session.records.items()}
    assert found["mine.success[listing]"] == ("measured", "")
    assert found["mine.success[threads-2,sqlite]"] == ("measured", "")
    assert found["mine.cached[threads-2,sqlite]"][0] == "broken"
    assert "ran the payload" in found["mine.cached[threads-2,sqlite]"][1]
    assert found["mine.success[counting]"][0] == "broken"
    assert "expected the same twice" in found["mine.success[counting]"][1]
    assert found["mine.success[turning]"][0] == "failed"
    assert "after timing it returned 2; expected that" in found["mine.success[turning]"][1]
    measured = {name for record in records for name in record.operations}
    assert measured == {"mine.success[listing]", "mine.success[threads-2,sqlite]"}


def kill(place: Place, servers: Servers, name: str) -> Callable[[Plan, int], None]:
    """A function that kills a server, as the machine might, and waits until that is known."""

    def killed(plan: Plan, hash_seed: int) -> None:
        if hash_seed == 1 and not servers.explain_end(name):
            address = ServerAddress.from_json(dict(plan.servers)[name])
            os.kill(find_server(place, address), signal.SIGKILL)
            wait_until(lambda: servers.explain_end(name), "its end was not noticed")

    return killed


class Interfering:
    """The real launcher, with something that happens before each plan."""

    def __init__(self, before: Callable[[Plan, int], None]) -> None:
        """Start nothing."""
        self._before = before
        self._real = ProcessLauncher()

    def run(self, plan: Plan, hash_seed: int) -> list[Message]:
        """Let it happen, then run."""
        self._before(plan, hash_seed)
        return self._real.run(plan, hash_seed)

    def stop(self) -> None:
        """See `Launcher`."""
        self._real.stop()


def test_a_server_that_dies_in_mid_run_fails_its_cases_alone(file: Path) -> None:
    """Redis is killed before the second worker: sqlite goes on, nothing is left running."""
    need("redis")
    patterns = ("mine.success[single,redis*]", "mine.success[sqlite]")
    with make_place() as place:
        with Servers() as servers:
            launcher = Interfering(kill(place, servers, "redis"))
            chosen = select(launcher, (str(file), *patterns)).cases
            _, (_, session) = create_sessions(launcher, chosen, PROFILES["quick"], servers=servers)
            session.effort = EFFORT
            for _ in session.run():
                pass
            address = ServerAddress.from_json(servers.get_address("redis"))
        place.wait_until_empty(address)
    found = {name: (record.status, record.reason) for name, record in session.records.items()}
    assert found["mine.success[sqlite]"] == ("measured", "")
    status, reason = found["mine.success[redis]"]
    assert status == "failed"
    assert "the server redis is gone: it was ended by signal 9; it said: " in reason
    assert "Ready to accept connections" in reason
