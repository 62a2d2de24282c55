"""Nothing is left of a server, whoever of it, its keeper and its parent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.kept_server import KeptServer
from resilience_bench.servers.open_servers import Servers
from tests.conftest import ROOT
from tests.servers.leftovers import (
    NAMES,
    PATIENCE_S,
    Place,
    find_server,
    is_listening,
    list_shared_memory,
    make_recipe,
    need,
    wait_until,
)

WITH_PROCESS = NAMES[1:]


def find_keeper(place: Place, address: ServerAddress) -> int:
    """The keeper of a server: its parent."""
    status = Path(f"/proc/{find_server(place, address)}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("PPid:")]
    return int(line.split()[1])


def read_shared_memory(address: ServerAddress) -> set[int]:
    """The segment of shared memory of a server, if it has one."""
    pid_file = Path(address.folder) / "data" / "postmaster.pid"
    return {int(pid_file.read_text().splitlines()[6].split()[1])} if pid_file.exists() else set()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_when_the_parent_is_killed(place: Place, name: str) -> None:
    """The keeper sees its end, ends the server, removes the folder, and goes."""
    need(name)
    parent, address = place.start_parent(name)
    memory = read_shared_memory(address)
    assert len(place.list_folders()) == 1
    assert is_listening(address) is (name != "folder")
    parent.kill()
    parent.wait(PATIENCE_S)
    place.wait_until_empty(address)
    assert not memory & list_shared_memory()


@pytest.mark.parametrize("name", WITH_PROCESS)
def test_nothing_is_left_when_the_keeper_is_killed(place: Place, name: str) -> None:
    """The kernel ends the server; the parent says so, and removes the folder at its end."""
    need(name)
    with Servers() as servers:
        address = ServerAddress.from_json(servers.find_address(name))
        memory = read_shared_memory(address)
        os.kill(find_keeper(place, address), signal.SIGKILL)
        wait_until(lambda: not place.list_processes(), "processes are left")
        wait_until(lambda: servers.explain_end(name), "its end was not noticed")
        assert "its keeper was killed" in servers.explain_end(name)
        assert not is_listening(address)
    place.wait_until_empty(address)
    assert not memory & list_shared_memory()


@pytest.mark.parametrize("name", WITH_PROCESS)
def test_nothing_is_left_when_the_server_is_killed(place: Place, name: str) -> None:
    """Its end is reported until the run ends; then its keeper and its folder go."""
    need(name)
    with Servers() as servers:
        address = ServerAddress.from_json(servers.find_address(name))
        memory = read_shared_memory(address)
        os.kill(find_server(place, address), signal.SIGKILL)
        wait_until(lambda: servers.explain_end(name), "its end was not noticed")
        assert f"the server {name} is gone: it was ended by signal 9" in servers.explain_end(name)
        wait_until(lambda: not is_listening(address), "its port is still open")
        assert len(place.list_folders()) == 1
    place.wait_until_empty(address)
    assert not memory & list_shared_memory()


def test_nothing_is_left_when_both_are_killed(place: Place) -> None:
    """A keeper and its server killed at the same time leave a folder, which the parent removes."""
    with Servers() as servers:
        address = ServerAddress.from_json(servers.find_address("http"))
        for process in (find_keeper(place, address), find_server(place, address)):
            os.kill(process, signal.SIGKILL)
        wait_until(lambda: servers.explain_end("http"), "its end was not noticed")
    place.wait_until_empty(address)


def test_what_a_server_started_ends_with_it(place: Place) -> None:
    """Also what left its group and its session, and what was stopped."""
    script = "setsid sh -c 'kill -STOP $$' & setsid sleep 1000 & exec sleep 1000"
    server = KeptServer(make_recipe(("sh", "-c", script), is_ready=True))
    wait_until(lambda: len(place.list_processes()) >= 4, "it did not start")
    server.close()
    place.wait_until_empty(server.address)


def test_a_server_that_starts_ends_with_its_parent(place: Place) -> None:
    """A parent that is killed while the first of two steps runs leaves nothing behind either."""
    code = (
        "from resilience_bench.servers.kept_server import KeptServer\n"
        "from tests.servers.leftovers import make_recipe\n"
        "KeptServer(make_recipe(('sleep', '1000'), ('sleep', '1001')))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    wait_until(lambda: len(place.list_processes()) == 3, "it did not start")
    parent.kill()
    parent.wait(PATIENCE_S)
    place.wait_until_empty(ServerAddress(""))
