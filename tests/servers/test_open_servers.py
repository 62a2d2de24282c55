"""Servers: started once and only when needed, with an explanation of those that are not there."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import pytest

from resilience_bench.scenarios.payload_definition import SERVERS, ServerAddress
from resilience_bench.servers import kept_server, postgres, redis
from resilience_bench.servers.open_servers import (
    MODULES,
    TRIES,
    ProgramMissingError,
    ServerFailedError,
    Servers,
)
from resilience_bench.servers.recipe import Recipe
from tests.servers.leftovers import NAMES, Place, is_listening, make_recipe, need, wait_until


def serve(recipes: list[Recipe], check: Any = lambda: None) -> Servers:
    """Servers with one that is made of these recipes, one after the other."""
    module: Any = SimpleNamespace(prepare=iter(recipes).__next__, check_programs=check)
    return Servers({"mine": module})


def test_every_server_of_the_decorator_can_be_started() -> None:
    """The names in definitions and the modules here are the same."""
    assert sorted(MODULES) == sorted(SERVERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_server_is_started_once(place: Place, name: str) -> None:
    """Whoever asks again gets the same address; its folder is for its owner only."""
    need(name)
    with Servers() as servers:
        assert place.list_folders() == []
        servers.check_programs(name)
        assert place.list_folders() == []
        address = servers.find_address(name)
        assert servers.find_address(name) == servers.get_address(name) == address
        assert servers.explain_end(name) == ""
        [folder] = place.list_folders()
        assert folder.stat().st_mode & 0o777 == 0o700
    place.wait_until_empty(ServerAddress.from_json(address))


def test_two_runs_have_servers_of_their_own(place: Place) -> None:
    """Neither port nor folder is shared, and the end of one run does not end the other's."""
    with Servers() as first, Servers() as second:
        found = [ServerAddress.from_json(each.find_address("http")) for each in (first, second)]
        assert found[0].port != found[1].port
        first.close()
        assert is_listening(found[1])
        assert not is_listening(found[0])


def test_a_missing_program_is_reported_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking and starting say the same."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(postgres.Path, "glob", lambda _path, _pattern: iter(()))
    expected = {
        "redis": "Redis's redis-server is not installed; type: apt install redis-server",
        "postgres": "PostgreSQL's initdb is not installed; type: apt install postgresql",
    }
    with Servers() as servers:
        for name, reason in expected.items():
            for ask in (servers.check_programs, servers.find_address):
                with pytest.raises(ProgramMissingError, match=reason):
                    ask(name)


def test_a_server_that_does_not_start_is_quoted(place: Place) -> None:
    """It is tried a few times, because of its port; its reason is kept for whoever asks later."""
    failing = [
        make_recipe(("sh", "-c", f"echo no room {number} >&2; exit 3")) for number in range(9)
    ]
    with serve(failing) as servers:
        for _ in range(2):
            with pytest.raises(ServerFailedError) as caught:
                servers.find_address("mine")
            assert str(caught.value) == (
                "the server mine did not start; it ended with exit code 3; "
                f"it said: no room {TRIES - 1}"
            )
    place.wait_until_empty(ServerAddress(""))


def test_a_server_that_is_never_ready_is_waited_for_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its port is not to blame, so another try would wait as long again."""
    monkeypatch.setattr(kept_server, "START_S", 0.1)
    hanging = [make_recipe(("sleep", "600")) for _ in range(TRIES)]
    made: list[Recipe] = []
    module: Any = SimpleNamespace(
        prepare=lambda: made.append(hanging[len(made)]) or made[-1], check_programs=lambda: None
    )
    with (
        Servers({"mine": module}) as servers,
        pytest.raises(ServerFailedError, match=r"was not ready within 0.1 s"),
    ):
        servers.find_address("mine")
    assert made == hanging[:1]
    place.wait_until_empty(ServerAddress(""))


def test_a_step_before_the_server_may_fail(place: Place) -> None:
    """Then the server is not started at all."""
    steps = (("sh", "-c", "echo no cluster; exit 1"), ("touch", str(place.path / "started")))
    with (
        serve([make_recipe(*steps) for _ in range(TRIES)]) as servers,
        pytest.raises(ServerFailedError, match="exit code 1; it said: no cluster"),
    ):
        servers.find_address("mine")
    assert place.list_folders() == []


def test_a_program_that_cannot_be_run_is_a_failure(place: Place) -> None:
    """The keeper ends, and is quoted as far as it said anything."""
    with (
        serve([make_recipe(("/no/such/program",)) for _ in range(TRIES)]) as servers,
        pytest.raises(ServerFailedError, match="did not start"),
    ):
        servers.find_address("mine")
    place.wait_until_empty(ServerAddress(""))


def test_a_server_that_ends_later_is_reported_to_whoever_asks(place: Place) -> None:
    """It is not started again: its cases failed."""
    ending = make_recipe(("sh", "-c", "echo out of memory; exit 7"), is_ready=True)
    with serve([ending]) as servers:
        servers.find_address("mine")
        wait_until(lambda: servers.explain_end("mine"), "its end was not noticed")
        with pytest.raises(ServerFailedError, match="exit code 7; it said: out of memory"):
            servers.find_address("mine")


def test_redis_writes_nothing_to_the_disk(place: Place) -> None:
    """Its settings turn off both of its kinds of files."""
    need("redis")
    [command] = redis.prepare().plan.steps
    assert "--appendonly no" in " ".join(command)
