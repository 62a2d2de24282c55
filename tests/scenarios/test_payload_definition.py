"""Payloads of one's own: the decorator, names, and what discovery and patterns make of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench import ANYTHING, FAILS, RESULT, PayloadError, payload, scenario
from resilience_bench._model import CaseInfo, RealPayload
from resilience_bench.scenarios.definition import Scenario
from resilience_bench.scenarios.discovery import discover
from resilience_bench.scenarios.payload_definition import (
    Payload,
    ServerAddress,
    register_payloads,
)
from tests.scenarios.pattern_factories import declared, names

FILE = """
from resilience_bench import payload, scenario

@payload(server="redis", distributions=("redis",), returns=b"x")
def redis_get(server):
    return lambda: b"x"

@payload(server="redis")
async def async_redis_get(server):
    async def work():
        return b"x"
    return work

@payload
def plain():
    return lambda: 1
"""
SCENARIOS = """
from resilience_bench import FAILS, PayloadError, scenario

@scenario
def success(payload):
    return payload

@scenario
async def awaited(payload):
    return payload

@scenario(outcomes=(FAILS,), raises=PayloadError)
def failure(payload):
    return payload
"""


def test_a_payload_is_named_after_its_function() -> None:
    """With hyphens; ``async_`` in front of a coroutine's function is left out."""

    @payload
    def my_query() -> object:
        return dict

    @payload(server="redis", distributions=["redis"], returns=7)
    async def async_my_query(server: ServerAddress) -> object:
        return dict

    @payload
    def async_looking() -> object:
        return dict

    assert (my_query.name, my_query.is_async, my_query.server) == ("my-query", False, "")
    assert (async_my_query.name, async_my_query.is_async) == ("my-query", True)
    assert (async_my_query.server, async_my_query.returns) == ("redis", 7)
    assert async_looking.name == "async-looking"
    needs = RealPayload("my-query", "redis", ("redis",), __file__)
    assert async_my_query.needs == needs


def define(name: str, arguments: str = "", options: str = "") -> None:
    """Define a payload from text."""
    exec(f"@payload({options})\ndef {name}({arguments}): return dict\n", {"payload": payload})


@pytest.mark.parametrize(
    ("name", "arguments", "options", "reason"),
    [
        ("mine", "client", "", "payload mine takes client; a payload may take 'server' only"),
        ("mine", "server", "", "payload mine takes 'server', but @payload(server=...) names none"),
        ("mine", "server", "server='mysql'", "payload mine: server is 'mysql', expected one of "),
        ("noop", "", "", "payload noop: 'noop' already has a meaning in the names of cases"),
        ("threads_8", "", "", "payload threads_8: 'threads-8' already has a meaning"),
        ("single", "", "", "payload single: 'single' already has a meaning"),
    ],
)
def test_a_contradiction_is_refused(name: str, arguments: str, options: str, reason: str) -> None:
    """With the name of the function, and what is wrong with it."""
    with pytest.raises(TypeError) as caught:
        define(name, arguments, options)
    assert str(caught.value).startswith(reason)


def test_an_address_survives_the_plan() -> None:
    """As text and back."""
    address = ServerAddress("/tmp/x", "127.0.0.1", 5432, "bench", "secret")
    assert ServerAddress.from_json(address.to_json()) == address


def test_payloads_are_discovered_beside_scenarios(tmp_path: Path) -> None:
    """In whatever file they are; each scenario has those that fit it."""
    (tmp_path / "work.py").write_text(FILE)
    (tmp_path / "guards.py").write_text(SCENARIOS)
    found = discover([tmp_path])
    assert found.problems == ()
    infos = {info.case.scenario: info for info in found.cases}
    assert infos["success"].payloads == ("noop", "cpu", "io", "redis-get", "plain")
    assert infos["awaited"].payloads == ("noop", "cpu", "io", "redis-get")
    assert infos["failure"].payloads == ("noop", "cpu", "io")
    loaded = replace(infos["success"], case=infos["success"].case.with_load("single", "redis-get"))
    file = str(tmp_path / "work.py")
    assert loaded.real_payload == RealPayload("redis-get", "redis", ("redis",), file)
    assert loaded.needed_distributions == ("redis",)
    assert infos["success"].real_payload is None


def test_two_payloads_of_one_name_are_refused(tmp_path: Path) -> None:
    """The second file is the one that cannot be used, in one line; the others go on."""
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(
            f"{FILE}\n@scenario\ndef {name[:3]}(payload): return payload\n"
        )
    found = discover([tmp_path])
    assert list(found.bound) == ["one.one"]
    [problem] = found.problems
    assert "two.py" in problem.path
    assert "payload redis-get is also defined by _scenario_files.one; rename" in problem.message


def test_a_builtin_name_is_taken(tmp_path: Path) -> None:
    """A user's payload does not replace one of the package."""

    @payload
    def plain() -> object:
        return dict

    (tmp_path / "work.py").write_text(FILE)
    [problem] = discover([tmp_path], [plain]).problems
    assert "payload plain is also defined by " in problem.message


def test_a_twin_is_no_second_payload() -> None:
    """A plain one and one for coroutines share a name."""

    def work() -> object:
        return dict

    async def async_work() -> object:
        return dict

    both = [Payload(work), Payload(async_work)]
    assert register_payloads({}, both) == {("work", False): both[0], ("work", True): both[1]}


def takes(**options: object) -> bool:
    """Whether a scenario with these promises can have real work inside."""
    made: Scenario = scenario(**options)(lambda payload: payload)  # type: ignore[arg-type]
    return made.takes_real_payloads


def test_real_work_needs_a_scenario_that_returns_it() -> None:
    """Its failures would not be the payload's, and its arguments are its own."""
    assert takes()
    assert takes(returns=ANYTHING)
    assert takes(payload_calls=3)
    assert takes(returns=RESULT)
    assert not takes(payload_calls=0)
    assert not takes(outcomes=(FAILS,), raises=PayloadError)
    assert not takes(outcomes=(FAILS, "returns"))
    assert not takes(returns=["a list"])
    assert not takes(arguments=((1,), {}))


REAL = (RealPayload("redis", "redis"), RealPayload("redis-set", "redis"), RealPayload("sqlite"))


def with_real(info: CaseInfo) -> CaseInfo:
    """The case with payloads that do real work."""
    payloads = (*info.payloads, *(real.name for real in REAL))
    return replace(info, payloads=payloads, real_payloads=REAL)


CASES = [
    with_real(declared("breaker.closed", "pybreaker", in_profile=("threads",))),
    with_real(declared("breaker.closed", "redis-breaker")),
    with_real(declared("metrics.shared", "", ("threads", "processes"))),
    declared("breaker.rejects", "pybreaker", payloads=("noop",)),
]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("breaker.closed[pybreaker,redis]", ["breaker.closed[pybreaker,redis]"]),
        ("*[pybreaker,threads-2,redis]", ["breaker.closed[pybreaker,threads-2,redis]"]),
        (
            "breaker.closed[p*,single,redis*]",
            ["breaker.closed[pybreaker,redis]", "breaker.closed[pybreaker,redis-set]"],
        ),
        ("metrics.shared[sqlite]", ["metrics.shared[sqlite]"]),
        ("breaker.closed[p*,single,redis]", ["breaker.closed[pybreaker,redis]"]),
        (
            "metrics.*[threads-3,*]",
            [
                "metrics.shared[threads-3]",
                "metrics.shared[threads-3,cpu]",
                "metrics.shared[threads-3,io]",
            ],
        ),
        ("breaker.closed[redis*]", ["breaker.closed[redis-breaker]"]),
    ],
)
def test_a_pattern_has_to_name_real_work(pattern: str, expected: list[str]) -> None:
    """A wildcard alone means the payloads that need nothing; a first word is a library."""
    assert names(pattern, cases=CASES) == expected


def test_real_work_is_not_forked() -> None:
    """Processes would share the connection of the one that they were forked from."""
    found = names("metrics.shared[*,redis]", cases=CASES)
    assert found
    assert not [name for name in found if "processes" in name]
    assert "metrics.shared[processes-2]" in names("metrics.shared[processes-2]", cases=CASES)


def test_the_profile_has_no_real_work() -> None:
    """It needs no server."""
    found = names(cases=CASES, loaded=True)
    assert found
    assert not [name for name in found if "sqlite" in name or ",redis" in name]
