"""The program that keeps one server: it ends the server, and removes its folder, with its parent.

The parent holds the other end of standard input. When that closes, however the parent ended, the
keeper ends the server with all its descendants and removes the folder. If the keeper itself is
killed, the kernel ends the server (on Linux), and the parent removes the folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

LOG: Final = "server.log"
"""What the server prints, in its folder."""
ENDED: Final = "ended"
"""This file appears in the folder when the server has ended."""
GRACE_S: Final = 5.0
"""How long a server may take to end before it is killed."""
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
IPC_RMID: Final = 0


@dataclass(frozen=True, slots=True)
class KeepingPlan:
    """What a keeper does.

    Attributes:
        folder: A path where nothing is yet; the keeper creates a folder there.
        steps: Programs that are run one after the other; the last one is the server.
        files: Files that the first step needs, by name, with their text.
        user: Who runs the steps and owns the folder; default: the keeper's user.
        quit_signal: What asks the server to end.
        shared_memory: A file of the folder whose seventh line names a segment of shared memory,
            as PostgreSQL's postmaster.pid does: it would stay if the server were killed.
    """

    folder: str
    steps: tuple[tuple[str, ...], ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    user: str = ""
    quit_signal: int = signal.SIGTERM
    shared_memory: str = ""

    def to_json(self) -> str:
        """Return the plan as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))


class Keeper:
    """Runs the steps of a plan, and tidies up after them."""

    def __init__(self, plan: KeepingPlan) -> None:
        """Create the folder and the files."""
        self._plan = plan
        self._folder = Path(plan.folder)
        self._folder.mkdir(mode=0o700)
        self._user = pwd.getpwnam(plan.user) if plan.user else None
        for name, text in plan.files.items():
            (self._folder / name).write_text(text, encoding="utf-8")
        if self._user is not None:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        self._wakeup, sends = os.pipe()
        for end in (self._wakeup, sends):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(sends, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def run(self) -> None:
        """Run the steps, wait until the parent has gone, and leave nothing behind."""
        try:
            if all(self._run_step(step) for step in self._plan.steps):
                self._wait_for_parent()
        finally:
            self.end_descendants()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run_step(self, step: Sequence[str]) -> bool:
        """Run a program until it ends; return False if the parent ended before it."""
        process = self._start(step)
        while process.poll() is None:
            if self._wait(process) == "parent":
                self._ask_to_end(process)
                return False
        if process.returncode != 0 or step is self._plan.steps[-1]:
            self._remove_shared_memory()
            unfinished = self._folder / f"{ENDED}.part"
            unfinished.write_text(str(process.returncode), encoding="ascii")
            unfinished.rename(self._folder / ENDED)  # whoever sees the file sees all of it
            self._wait_for_parent()
            return False
        return True

    def _start(self, step: Sequence[str]) -> subprocess.Popen[bytes]:
        options: dict[str, Any] = {}
        if self._user is not None:
            options = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        die_with_parent = make_dying_with_parent(self._plan.quit_signal)
        with (self._folder / LOG).open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the commands are ours
                step,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - there is one thread
                **options,
            )

    def _wait(self, process: subprocess.Popen[bytes] | None) -> str:
        """Wait until a child or the parent ends."""
        ready, _, _ = select.select([sys.stdin.fileno(), self._wakeup], [], [])
        if self._wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup, 4096)
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 4096):
            return "parent"
        if process is not None:
            process.poll()
        return "child"

    def _wait_for_parent(self) -> None:
        while self._wait(None) != "parent":
            _reap()

    def _ask_to_end(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self._plan.quit_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
            self._remove_shared_memory()

    def end_descendants(self) -> None:
        """Kill whatever the steps started: what lost its parent is a child of this process."""
        ends_s = time.monotonic() + GRACE_S
        while (children := _list_children()) and time.monotonic() < ends_s:
            for child in children:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(child, signal.SIGKILL)
            _reap()
            time.sleep(0.01)
        self._remove_shared_memory()

    def _remove_shared_memory(self) -> None:
        if not self._plan.shared_memory:
            return
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (self._folder / self._plan.shared_memory).read_text("ascii").splitlines()
            ctypes.CDLL(None).shmctl(int(lines[6].split()[1]), IPC_RMID, None)


def make_dying_with_parent(number: int) -> Callable[[], None]:
    """Make a function that has the kernel send a signal to the child when its parent ends."""
    parent, prctl = os.getpid(), _find_prctl()

    def die_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)

    return die_with_parent


def _find_prctl() -> Callable[..., int]:
    if sys.platform != "linux":
        return lambda *_arguments: -1
    prctl: Callable[..., int] = ctypes.CDLL(None).prctl
    return prctl


def _list_children() -> list[int]:
    """Return the children of this process, zombies included; none where there is no /proc."""
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(number) for number in text.split()]


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main() -> None:
    """Read a plan from the first line of standard input, and carry it out."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The parent decides when to end. SIG_IGN would be handed down to the server.
        signal.signal(number, lambda _number, _frame: None)
    line = b""
    while not line.endswith(b"\n"):
        if not (byte := os.read(sys.stdin.fileno(), 1)):
            return
        line += byte
    _find_prctl()(PR_SET_CHILD_SUBREAPER, 1)
    Keeper(KeepingPlan.from_json(line.decode())).run()


if __name__ == "__main__":
    main()
