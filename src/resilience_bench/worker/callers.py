"""Callers that start together: threads, asyncio tasks or processes."""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NoReturn, Protocol

from resilience_bench.scenarios.loads import PROCESSES, SINGLE, TASKS, Load

Job = Callable[[int, int], Any]
"""``job(caller, released_ns)`` is run by each caller; tasks get a coroutine function."""
TICK_S: Final = 0.001
STDERR: Final = 2
ENDING_S: Final = 5.0
"""How long it may take to end processes that hang, one after another."""
_INT64: Final = struct.Struct("q")

clock = time.perf_counter_ns


class CallerFailedError(Exception):
    """A process did not do its job; the text follows "under this load"."""


class Callers(Protocol):
    """Callers that can run one job after another."""

    def run_together(self, job: Job) -> tuple[int, list[Any]]:
        """Run a job in all callers; return when they were released, and their results."""

    def close(self) -> None:
        """End the callers."""


def make_callers(load: Load, runner: asyncio.Runner, limit_s: float) -> Callers:
    """Make the callers of a load; RuntimeError if the machine cannot start so many."""
    if load.kind == SINGLE:
        return _SingleCaller(runner)
    if load.kind == TASKS:
        return Tasks(load.callers, runner)
    if load.kind == PROCESSES:
        return _Processes(load.callers, limit_s)
    return _Threads(load.callers + load.readers)


class _SingleCaller:
    """This thread as the one caller."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def run_together(self, job: Job) -> tuple[int, list[Any]]:
        released_ns = clock()
        made = job(0, released_ns)
        done = self._runner.run(made) if asyncio.iscoroutine(made) else made
        return released_ns, [done]

    def close(self) -> None:
        pass


class _Threads:
    """Threads that wait for a lock each; releasing the locks costs less than a barrier."""

    def __init__(self, count: int) -> None:
        self._job: Job | None = None
        self._released_ns = 0
        self._results: list[Any] = [None] * count
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._gates = [threading.Lock() for _ in range(count)]
        self._dones = [threading.Lock() for _ in range(count)]
        for lock in (*self._gates, *self._dones):
            lock.acquire()
        for caller in range(count):
            thread = threading.Thread(
                target=self._serve, args=(caller,), name=f"caller-{caller + 1}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                self.close()
                raise
            self._threads.append(thread)

    def _serve(self, caller: int) -> None:
        gate, done = self._gates[caller], self._dones[caller]
        while True:
            gate.acquire()
            if self._job is None:
                return
            try:
                self._results[caller] = self._job(caller, self._released_ns)
            except BaseException as error:  # noqa: BLE001 - raised again in the main thread
                self._errors.append(error)
            done.release()

    def run_together(self, job: Job) -> tuple[int, list[Any]]:
        self._job = job
        self._released_ns = clock()
        for gate in self._gates:
            gate.release()
        for done in self._dones:
            done.acquire()
        if self._errors:
            error, self._errors = self._errors[0], []
            raise error
        return self._released_ns, list(self._results)

    def close(self) -> None:
        self._job = None
        for gate in self._gates:
            gate.release()
        for thread in self._threads:
            thread.join()


class Tasks:
    """Tasks of one event loop."""

    def __init__(self, count: int, runner: asyncio.Runner) -> None:
        self._count = count
        self._runner = runner

    def run_together(self, job: Job) -> tuple[int, list[Any]]:
        """See `Callers`."""
        return self._runner.run(self._gather(job))

    def run_with_ticks(self, job: Job) -> tuple[tuple[int, list[Any]], tuple[int, ...]]:
        """Do the same beside a ticking task; also return how late each tick was, in ns."""
        return self._runner.run(self._gather_with_ticks(job))

    async def _gather(self, job: Callable[[int, int], Awaitable[Any]]) -> tuple[int, list[Any]]:
        released_ns = clock()
        jobs = (job(caller, released_ns) for caller in range(self._count))
        # All of them end, so that none goes on calling beside the next subject.
        results = await asyncio.gather(*jobs, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return released_ns, results

    async def _gather_with_ticks(self, job: Job) -> tuple[tuple[int, list[Any]], tuple[int, ...]]:
        lags_ns: list[int] = []
        ticking = asyncio.ensure_future(_tick(lags_ns))
        await asyncio.sleep(0)
        try:
            done = await self._gather(job)
            await asyncio.sleep(0)  # a tick that is due by now was held up to the end
        finally:
            ticking.cancel()
        return done, tuple(lags_ns)

    def close(self) -> None:
        """See `Callers`; the loop is the runner's."""


async def _tick(lags_ns: list[int]) -> None:
    while True:
        due_ns = clock() + int(TICK_S * 1e9)
        await asyncio.sleep(TICK_S)
        lags_ns.append(max(clock() - due_ns, 0))


class _Processes:
    """Processes that are forked off for each job, and wait for a message to start."""

    def __init__(self, count: int, limit_s: float) -> None:
        self._count = count
        self._limit_s = limit_s
        try:
            self.run_together(lambda _caller, _released_ns: None)
        except OSError as error:
            raise RuntimeError(f"can't start new process: {error}") from error

    def run_together(self, job: Job) -> tuple[int, list[Any]]:
        children: list[tuple[int, socket.socket]] = []
        try:
            # One by one: those that were forked off are ended also if the next one cannot be.
            for caller in range(self._count):
                children.append(self._fork(caller, job))  # noqa: PERF401
            ends_s = time.monotonic() + self._limit_s
            for _, channel in children:
                _receive(channel, ends_s)  # it is ready
            released_ns = clock()
            for _, channel in children:
                channel.sendall(_INT64.pack(released_ns))
            answers = [json.loads(_receive(channel, ends_s)) for _, channel in children]
        except TimeoutError:
            _end_hung([child for child, _ in children])
        finally:
            for child, channel in children:
                channel.close()
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        for answer in answers:
            if "error" in answer:
                raise CallerFailedError(f"it raised {answer['error']}")
        return released_ns, [answer["result"] for answer in answers]

    def _fork(self, caller: int, job: Job) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair()
        try:
            child = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if child:
            theirs.close()
            return child, ours
        try:
            ours.close()
            # Not by `faulthandler.dump_traceback_later`: it would wait for the parent's watching
            # thread, which is not in this process.
            faulthandler.register(signal.SIGALRM, file=STDERR, chain=True)
            # The parent ends it sooner, unless the parent is gone.
            signal.setitimer(signal.ITIMER_REAL, self._limit_s + ENDING_S)
            _send(theirs, b"{}")
            (released_ns,) = _INT64.unpack(theirs.recv(_INT64.size))
            try:
                answer = {"result": job(caller, released_ns)}
            except Exception as error:  # noqa: BLE001 - measured code may raise anything
                answer = {"error": f"{type(error).__name__}: {error}"}
            _send(theirs, json.dumps(answer).encode())
            theirs.recv(1)  # the parent ends it
        finally:
            os._exit(1)

    def close(self) -> None:
        pass


def _send(channel: socket.socket, data: bytes) -> None:
    channel.sendall(_INT64.pack(len(data)) + data)


def _end_hung(children: Sequence[int]) -> NoReturn:
    """End processes that hang, then this one; each writes where it stands.

    One after another: faulthandler writes piece by piece, and nobody could read mixed tracebacks.
    """
    for child in children:
        os.kill(child, signal.SIGALRM)
        os.waitpid(child, 0)
    faulthandler.dump_traceback_later(1e-6, exit=True)
    while True:
        signal.pause()


def _receive(channel: socket.socket, ends_s: float) -> bytes:
    """Receive a message; TimeoutError if none has begun to arrive by then."""
    waiting = select.poll()  # unlike `select.select` for any number of open files
    waiting.register(channel, select.POLLIN)
    if not waiting.poll(max(ends_s - time.monotonic(), 0) * 1000):
        raise TimeoutError
    (size,) = _INT64.unpack(_receive_exactly(channel, _INT64.size))
    return _receive_exactly(channel, size)


def _receive_exactly(channel: socket.socket, size: int) -> bytes:
    data = channel.recv(size, socket.MSG_WAITALL)
    if len(data) < size:
        raise CallerFailedError("a process ended before it reported its result")
    return data


def run_and_measure_lag(
    callers: Callers, job: Job
) -> tuple[tuple[int, Sequence[Any]], tuple[int, ...]]:
    """Run a job in all callers; beside tasks, also measure how late a ticking task is."""
    if isinstance(callers, Tasks):
        return callers.run_with_ticks(job)
    return callers.run_together(job), ()
