"""A frozen server: every process of it is stopped, goes on when thawed, and never outlives us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.kept_server import KeptServer, list_descendants
from resilience_bench.servers.open_servers import start_server
from tests.servers.leftovers import MODULES, Place, need, wait_until

KINDS = ("redis", "postgres")
FROZEN = """
import sys, time
from resilience_bench.servers import postgres, redis
from resilience_bench.servers.open_servers import start_server
server = start_server({"postgres": postgres, "redis": redis}[sys.argv[1]].prepare)
assert server.freeze()
print(server.address.to_json(), flush=True)
time.sleep(1000)
"""


@contextlib.contextmanager
def start(name: str) -> Iterator[KeptServer]:
    """Run a server, and end it whatever happens."""
    need(name)
    server = start_server(MODULES[name].prepare)
    try:
        yield server
    finally:
        server.close()


def read_states(place: Place, address: ServerAddress) -> set[str]:
    """What the processes of the server are doing; T is stopped."""
    found = set()
    for pid in place.list_processes():
        with contextlib.suppress(OSError):  # it has ended since
            if str(Path(f"/proc/{pid}/cwd").readlink()).startswith(address.folder):
                found.add(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
    return found


@pytest.mark.parametrize("name", KINDS)
def test_all_processes_stop_and_go_on(place: Place, name: str) -> None:
    """The processes that PostgreSQL has started itself stop too; thawing twice is harmless."""
    with start(name) as server:
        for _ in range(2):
            assert server.freeze()
            wait_until(lambda: read_states(place, server.address) == {"T"}, "it runs")
            server.thaw()
            server.thaw()
            wait_until(lambda: "T" not in read_states(place, server.address), "it is stopped")


@pytest.mark.parametrize("name", KINDS)
def test_a_frozen_server_is_ended(place: Place, name: str) -> None:
    """It takes no signal but SIGKILL, and leaves nothing all the same."""
    with start(name) as server:
        assert server.freeze()
    place.wait_until_empty(server.address)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", KINDS)
def test_a_frozen_server_ends_with_its_parent(
    place: Place, name: str, number: signal.Signals
) -> None:
    """However the parent ends, the keeper ends what is stopped."""
    need(name)
    command = [sys.executable, "-c", FROZEN, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        address = ServerAddress.from_json(parent.stdout.readline())
        parent.send_signal(number)
    place.wait_until_empty(address)


def test_a_process_without_children_has_no_descendants() -> None:
    """Nor has one that is not there."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert process.pid in list_descendants(os.getpid())
        assert list_descendants(process.pid) == []
        process.communicate(b"\n")
    assert list_descendants(process.pid) == []
