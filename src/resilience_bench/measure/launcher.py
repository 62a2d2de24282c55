"""Launchers run a plan in a worker: the real one, and a scripted one for tests."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from resilience_bench.measure import callgrind
from resilience_bench.worker import protocol
from resilience_bench.worker.protocol import EndMessage, InvalidMessageError, Message, Plan, decode

GRACE_S: Final = 5.0
"""How long after its time limit a worker may take to end itself."""
SHOWN_LINES: Final = 3
SHOWN_FRAMES: Final = 3
_THREAD: Final = re.compile(r"^(?:Current )?[Tt]hread .*\(most recent call first\):$", re.MULTILINE)
_FRAME: Final = re.compile(r'File "[^"]*?([^"/\\]+)", line (\d+) in (\S+)')
LAYOUT_STEP: Final = 208
LAYOUTS: Final = 4096


class WorkerFailedError(Exception):
    """A worker crashed, hung or printed rubbish, at the case ``suspect`` if that is known."""

    def __init__(self, reason: str, suspect: str = "", *, is_hung: bool = False) -> None:
        super().__init__(reason)
        self.suspect = suspect
        self.is_hung = is_hung


class Launcher(Protocol):
    """Something that carries out a plan in one worker."""

    def run(self, plan: Plan, hash_seed: int) -> list[Message]:
        """Return the messages, `EndMessage` last; WorkerFailedError if the plan is not done."""

    def stop(self) -> None:
        """End the workers that other threads are waiting for."""


HERE: Final = Path(__file__).resolve().parents[2]
"""The folder that this package lies in."""


@dataclass(frozen=True, slots=True)
class ProcessLauncher:
    """The real launcher: a fresh interpreter for every plan, under valgrind for counting.

    The worker imports this package from the folder ``source``. Our own PYTHONPATH follows it if
    ``inherit_path``.
    """

    python: str = sys.executable
    source: Path = HERE
    inherit_path: bool = True
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set, compare=False)

    def stop(self) -> None:
        """See `Launcher.stop`."""
        for process in tuple(self._running):
            _end(process)

    def run(self, plan: Plan, hash_seed: int) -> list[Message]:
        """See `Launcher.run`."""
        if plan.action != "count":
            return self._run(plan, hash_seed, [])
        with tempfile.TemporaryDirectory(prefix="callgrind-") as folder:
            messages = self._run(plan, hash_seed, callgrind.build_command(Path(folder)))
            return list(callgrind.insert_counts(messages, Path(folder)))

    def _run(self, plan: Plan, hash_seed: int, wrapper: list[str]) -> list[Message]:
        # -P keeps the current directory, and whatever lies in it, out of the worker's imports.
        command = [*wrapper, self.python, "-P", "-m", "resilience_bench.worker"]
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(hash_seed),
            start_new_session=True,
        )
        self._running.add(process)
        try:
            out, err = process.communicate(plan.to_json().encode(), plan.time_limit_s + GRACE_S)
        except subprocess.TimeoutExpired as error:
            lines = (error.stdout or b"").decode(errors="replace").splitlines()
            message = f"hung past its time limit of {plan.time_limit_s:g} s"
            raise WorkerFailedError(message, _find_suspect(lines), is_hung=True) from None
        finally:
            self._running.discard(process)
            _end(process)
        lines = out.decode(errors="replace").splitlines()
        return _read(lines, err.decode(errors="replace"), process.returncode, plan)

    def _environment(self, hash_seed: int) -> dict[str, str]:
        inherited = os.environ.get("PYTHONPATH") if self.inherit_path else None
        path = os.pathsep.join([str(self.source), *filter(None, [inherited])])
        # Its length moves the stack, so that each pass of counting meets another memory layout.
        layout = "x" * (LAYOUT_STEP * hash_seed % LAYOUTS)
        return {
            **os.environ,
            "PYTHONPATH": path,
            "PYTHONHASHSEED": str(hash_seed),
            "RESILIENCE_BENCH_LAYOUT": layout,
        }


def _end(process: subprocess.Popen[bytes]) -> None:
    # The worker leads a session of its own, so this reaches whatever it started as well.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(lines: list[str], err: str, returncode: int, plan: Plan) -> list[Message]:
    try:
        messages = [decode(line) for line in lines]
    except InvalidMessageError as error:
        if returncode == 0:
            message = f"printed something that is no message: {error}"
            raise WorkerFailedError(message, _find_suspect(lines)) from error
        messages = []
    if messages and isinstance(messages[-1], EndMessage):
        return messages
    suspect = _find_suspect(lines)
    if "Timeout (" in err and "most recent call first" in err:
        limit_s = plan.case_limit_s or plan.time_limit_s
        reason = f"hung past its time limit of {limit_s:g} s; {_describe_threads(err)}"
        raise WorkerFailedError(reason, suspect, is_hung=True)
    raise WorkerFailedError(_describe_exit(err, returncode), suspect)


def _find_suspect(lines: list[str]) -> str:
    suspect = ""
    for line in lines:
        with contextlib.suppress(InvalidMessageError):
            message = decode(line)
            suspect = message.case if isinstance(message, protocol.StartMessage) else suspect
    return suspect


def _describe_threads(err: str) -> str:
    """Say where the threads stood, from faulthandler's output; one entry a place."""
    stacks = _THREAD.split(err)[1:]
    places = collections.Counter(
        # File names without folders: there may be many threads.
        " < ".join(r"{}:{} in {}".format(*frame) for frame in _FRAME.findall(stack)[:SHOWN_FRAMES])
        for stack in stacks
    )
    return "; ".join(
        f"{count} thread{'s' if count > 1 else ''} stood at {place}"
        for place, count in places.items()
    )


def _describe_exit(err: str, returncode: int) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()][-SHOWN_LINES:]
    quoted = f"; it said: {' | '.join(lines)}" if lines else ""
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}{quoted}"
    return f"ended with exit code {returncode} before it was done{quoted}"


@dataclass(slots=True)
class ScriptedLauncher:
    """A launcher for tests: a script answers each plan with messages, or raises a failure."""

    script: Callable[[Plan, int], Iterable[Message]]
    plans: list[tuple[Plan, int]] = field(default_factory=list)

    def run(self, plan: Plan, hash_seed: int) -> list[Message]:
        """See `Launcher.run`."""
        self.plans.append((plan, hash_seed))
        return [*self.script(plan, hash_seed), EndMessage(clock_resolution_ns=1.0)]

    def stop(self) -> None:
        """Do nothing: there is no process to end."""
