"""What is left of servers: processes, ports, folders and shared memory."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers import flaky_redis, folder, http, postgres, redis
from resilience_bench.servers.keeper import KeepingPlan
from resilience_bench.servers.recipe import Recipe, choose_folder
from tests.conftest import require

PATIENCE_S = 60.0
MARK = "RESILIENCE_BENCH_TEST_OF_SERVERS"
"""An environment variable by which the processes of a test are found."""
NAMES = ("folder", "http", "redis", "flaky-redis", "postgres")
MODULES = {
    "flaky-redis": flaky_redis,
    "folder": folder,
    "http": http,
    "redis": redis,
    "postgres": postgres,
}
PARENT = """
import sys, time
from resilience_bench.servers.open_servers import Servers
servers = Servers()
print(servers.find_address(sys.argv[1]), flush=True)
time.sleep(1000)
"""


def need(name: str) -> None:
    """Skip a test whose server is not installed."""
    programs = {
        "redis": ["redis-server"],
        "flaky-redis": ["redis-server"],
        "postgres": ["postgres"],
    }
    for program in programs.get(name, []):
        require(program)


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Ask again and again until it holds; AssertionError if it never does."""
    ends_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < ends_s, what
        time.sleep(0.02)


def read_start(entry: Path) -> str:
    """When a process of /proc was started, in ticks of the clock; nothing of a zombie."""
    with contextlib.suppress(OSError):
        state, *others = (entry / "stat").read_text().rpartition(")")[2].split()
        return "" if state in {"Z", "X"} else others[18]
    return ""


@dataclass(frozen=True)
class Place:
    """A folder for temporary files, which all users may enter, and the mark of its processes."""

    path: Path
    _seen: set[tuple[int, str]] = field(default_factory=set)

    def list_processes(self) -> list[int]:
        """The processes that were started below this place, or with its mark, zombies left out.

        One that ends loses its environment before it closes its sockets: it counts until it is
        gone.
        """
        found = {int(entry.name): entry for entry in Path("/proc").glob("[0-9]*")}
        living = {(pid, start) for pid, entry in found.items() if (start := read_start(entry))}
        self._seen.update(one for one in living if self._is_ours(found[one[0]]))
        return [pid for pid, _ in self._seen & living]

    def _is_ours(self, entry: Path) -> bool:
        with contextlib.suppress(OSError):
            marked = f"{MARK}={self.path}".encode() in (entry / "environ").read_bytes()
            return int(entry.name) != os.getpid() and (
                marked or str((entry / "cwd").readlink()).startswith(str(self.path))
            )
        return False

    def list_folders(self) -> list[Path]:
        """What lies in the folder."""
        return list(self.path.iterdir())

    def start_parent(self, name: str) -> tuple[subprocess.Popen[str], ServerAddress]:
        """A program that has a server of this name, and its address."""
        command = [sys.executable, "-c", PARENT, name]
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        with parent.stdout as said:
            return parent, ServerAddress.from_json(said.readline())

    def wait_until_empty(self, address: ServerAddress) -> None:
        """Wait until no process, no port and no folder is left."""
        wait_until(lambda: not self.list_processes(), "processes are left")
        wait_until(lambda: not is_listening(address), "its port is still open")
        wait_until(lambda: not self.list_folders(), "its folder is left")


@contextlib.contextmanager
def make_place() -> Iterator[Place]:
    """Have temporary files in a folder of the test alone; end and remove whatever is left."""
    path = Path(tempfile.mkdtemp(prefix="test-servers-"))
    path.chmod(0o711)  # PostgreSQL's owner has to pass through
    place = Place(path)
    before, tempfile.tempdir = tempfile.tempdir, str(path)
    variables = {MARK: str(path), "TMPDIR": str(path)}
    saved = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield place
    finally:
        tempfile.tempdir = before
        for name, value in saved.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        for process in place.list_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        shutil.rmtree(path, ignore_errors=True)


def is_listening(address: ServerAddress) -> bool:
    """Whether somebody accepts connections at an address."""
    if not address.port:
        return False
    with contextlib.suppress(OSError), socket.create_connection((address.host, address.port), 5):
        return True
    return False


def find_server(place: Place, address: ServerAddress) -> int:
    """The process that serves: the oldest below the server's folder."""
    inside = []
    for process in place.list_processes():
        with contextlib.suppress(OSError):  # it has ended since: servers have helpers
            if str(Path(f"/proc/{process}/cwd").readlink()).startswith(address.folder):
                inside.append(process)
    return min(inside)


def list_shared_memory() -> set[int]:
    """The numbers of the segments of shared memory of this machine."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {int(line.split()[1]) for line in lines}


def make_recipe(*steps: tuple[str, ...], is_ready: bool = False) -> Recipe:
    """A server of a few words of shell."""
    folder_path = choose_folder("script")
    return Recipe(KeepingPlan(folder_path, steps), ServerAddress(folder_path), lambda: is_ready)
