"""A Redis that goes down on command: what callers meet, what is counted, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience_bench import payloads
from resilience_bench.payloads.outage import outage
from resilience_bench.payloads.redis import VALUE
from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.open_servers import Servers
from resilience_bench.worker.outage import Control
from tests.servers.leftovers import Place, is_listening, make_place, need, wait_until

CALLS = 3


@pytest.fixture(scope="module")
def address() -> Iterator[ServerAddress]:
    """Where a server listens."""
    need("flaky-redis")
    with make_place(), Servers() as servers:
        yield ServerAddress.from_json(servers.find_address("flaky-redis"))


@pytest.fixture
def control(address: ServerAddress) -> Iterator[Control]:
    """What tells it how to behave; healthy at first and at last."""
    found = Control(address)
    found.behave("healthy")
    yield found
    found.behave("healthy")
    found.close()


@pytest.fixture
def get(
    address: ServerAddress, control: Control, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Any]]:
    """The payload, connected, with more patience than a busy machine needs."""
    monkeypatch.setattr(payloads.outage, "TIMEOUT_S", 1.0)
    with contextlib.contextmanager(outage.function)(address) as work:
        assert work() == VALUE
        yield work


def call(get: Callable[[], Any]) -> list[object]:
    """What some calls return, or which exceptions they raise."""
    found: list[object] = []
    for _ in range(CALLS):
        try:
            found.append(get())
        except (ConnectionError, TimeoutError) as error:
            found.append(ConnectionError if isinstance(error, ConnectionError) else TimeoutError)
    return found


@pytest.mark.parametrize(
    ("mode", "met"),
    [("slow", TimeoutError), ("refusing", ConnectionError), ("frozen", TimeoutError)],
)
def test_each_failure_is_met_and_counted(
    control: Control, get: Callable[[], Any], mode: str, met: object
) -> None:
    """Each call reaches the server once, in Python's own exceptions; then it is back at once."""
    before = control.behave(mode, 5.0)
    assert call(get) == [met] * CALLS
    reached = control.behave("healthy")
    assert reached - before == CALLS
    assert call(get) == [VALUE] * CALLS
    assert control.behave("healthy") - reached == CALLS


def test_slow_answers_come_in_time_if_the_delay_is_short(
    control: Control, get: Callable[[], Any]
) -> None:
    """A delay below the caller's limit is no failure."""
    control.behave("slow", 0.001)
    assert call(get) == [VALUE] * CALLS


def test_a_connection_that_was_reset_is_replaced_before_a_call(
    control: Control, get: Callable[[], Any]
) -> None:
    """As a pool does it: when the server is back, no call fails at a dead connection."""
    control.behave("refusing")
    control.behave("healthy")
    assert get() == VALUE


def test_what_a_frozen_server_did_not_answer_stays_unanswered(
    control: Control, get: Callable[[], Any]
) -> None:
    """The next call after the thaw gets its own answer."""
    control.behave("frozen")
    assert call(get)[0] is TimeoutError
    control.behave("healthy")
    assert call(get) == [VALUE] * CALLS


def test_an_unknown_behaviour_is_refused(address: ServerAddress) -> None:
    """The connection is closed, and nothing changes."""
    control = Control(address)
    with pytest.raises(ConnectionError, match="closed without an answer"):
        control.behave("tired")
    control.close()


def find_hidden(place: Place) -> int:
    """The redis-server behind the proxy."""
    [found] = [
        process
        for process in place.list_processes()
        if Path(f"/proc/{process}/comm").read_text().startswith("redis-server")
    ]
    return found


def test_the_server_behind_the_proxy_is_not_missed_for_long(place: Place) -> None:
    """When it is killed the proxy ends, and says so; then nothing is left."""
    need("flaky-redis")
    with Servers() as servers:
        address = ServerAddress.from_json(servers.find_address("flaky-redis"))
        os.kill(find_hidden(place), signal.SIGKILL)
        wait_until(lambda: servers.explain_end("flaky-redis"), "its end was not noticed")
        end = servers.explain_end("flaky-redis")
        assert "the server flaky-redis is gone: it ended with exit code 1" in end
        assert "the server behind the proxy ended with exit code -9" in end
        wait_until(lambda: not is_listening(address), "its port is still open")
    place.wait_until_empty(address)
