"""A server that runs under a keeper, as its parent sees it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers import keeper
from resilience_bench.servers.recipe import Recipe

START_S: Final = 60.0
"""How long a server may take until it is ready."""
END_S: Final = 3 * keeper.GRACE_S
"""How long its keeper may take to end it."""
SHOWN_LINES: Final = 3
SHOWN_CHARACTERS: Final = 300
_STAMP: Final = re.compile(
    r"^(\d+:\w )?(\d{4}-\d\d-\d\d|\d\d \w{3} \d{4}) [\d:.]+ (\w+ )?(\[\d+\] )?"
)
"""What a line of PostgreSQL's or Redis' log begins with."""


class ServerFailedError(Exception):
    """A server did not start; the text has its last words."""


class ServerEndedError(ServerFailedError):
    """A server ended before it was ready, perhaps because its port was taken."""


class KeptServer:
    """A running server.

    Attributes:
        address: Where it listens.
    """

    def __init__(self, recipe: Recipe) -> None:
        """Start it, and wait until it is ready.

        Args:
            recipe: What to start.

        Raises:
            ServerEndedError: If it ends.
            ServerFailedError: If it is not ready in time.
        """
        self.address: ServerAddress = recipe.address
        self._folder = Path(recipe.plan.folder)
        self._frozen: list[int] = []
        self._keeper = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-I", keeper.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert self._keeper.stdin is not None
            self._keeper.stdin.write(recipe.plan.to_json().encode() + b"\n")
            self._keeper.stdin.flush()
            self._wait_until_ready(recipe)
        except BaseException:
            self.close()
            raise

    def _wait_until_ready(self, recipe: Recipe) -> None:
        gives_up_s = time.monotonic() + START_S
        while not recipe.is_ready():
            if end := self.explain_end():
                raise ServerEndedError(f"did not start; {end}")
            if time.monotonic() > gives_up_s:
                raise ServerFailedError(
                    f"was not ready within {START_S:g} s; {self.quote_last_words()}"
                )
            time.sleep(0.01)

    def explain_end(self) -> str:
        """Return how it ended, with its last words; empty while it runs."""
        if (self._folder / keeper.ENDED).exists():
            code = (self._folder / keeper.ENDED).read_text(encoding="ascii")
            is_killed = code.startswith("-")
            how = f"was ended by signal {code[1:]}" if is_killed else f"ended with exit code {code}"
            return f"it {how}; {self.quote_last_words()}"
        if self._keeper.poll() is not None:
            return f"its keeper was killed; {self.quote_last_words()}"
        return ""

    def quote_last_words(self) -> str:
        """Return the last lines that it printed."""
        try:
            text = (self._folder / keeper.LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        lines = [_STAMP.sub("", line.strip()) for line in text.splitlines() if line.strip()]
        said = " | ".join(lines[-SHOWN_LINES:])[-SHOWN_CHARACTERS:]
        return f"it said: {said}" if said else "it said nothing"

    def freeze(self) -> bool:
        """Stop all its processes, as they are, until `thaw`; connections to it stay open.

        Returns:
            Whether it is frozen; False where the system does not list processes in /proc.
        """
        while new := [pid for pid in list_descendants(self._keeper.pid) if pid not in self._frozen]:
            # The server before its workers, which it could replace; then those of this moment.
            for pid in new:
                _send(pid, signal.SIGSTOP)
                self._frozen.append(pid)
        return bool(self._frozen)

    def thaw(self) -> None:
        """Let its processes go on."""
        while self._frozen:
            _send(self._frozen.pop(), signal.SIGCONT)

    def close(self) -> None:
        """End it, and remove its folder, whatever state its keeper is in."""
        self.thaw()
        with contextlib.suppress(OSError):  # the keeper has ended
            assert self._keeper.stdin is not None
            self._keeper.stdin.close()
        try:
            self._keeper.wait(END_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def list_descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, parents before their children.

    Returns:
        Nothing where there is no /proc.
    """
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text(encoding="ascii").split()):
                found += [child, *list_descendants(child)]
    return found


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
