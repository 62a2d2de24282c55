"""The worker's program: ``python -m resilience_bench.worker`` with a plan on standard input."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import sys
import time
from pathlib import Path
from typing import Final, TextIO

from resilience_bench.scenario import BoundCase, Discovery, Unsupported, discover
from resilience_bench.worker import protocol
from resilience_bench.worker.honesty import BrokenCaseError, check, check_outcome
from resilience_bench.worker.operations import (
    NotInstalledError,
    Operation,
    control_key,
    make_control,
    opened,
)
from resilience_bench.worker.reference import Reference
from resilience_bench.worker.timing import (
    Subject,
    calibrate,
    make_sampler,
    merged,
    run_rounds,
    spread,
)

REFERENCE_EVERY: Final = 8
"""The reference is sampled once for so many other subjects: every ratio rests on it."""


def main() -> None:
    """Read a plan, carry it out, write messages; end when the parent has ended."""
    # Whatever the measured code prints goes to stderr: stdout is for messages only.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    plan = protocol.Plan.from_json(sys.stdin.read())
    # Ends a hung worker by itself, with the place where it stood, even if the parent was killed.
    faulthandler.dump_traceback_later(plan.time_limit_s, exit=True)
    _Worker(plan, channel).run()
    # Everything is torn down and said; the interpreter's own end would take as long as a block's
    # samples, and may wait for threads that a library left behind.
    os._exit(0)


class _Worker:
    def __init__(self, plan: protocol.Plan, channel: TextIO) -> None:
        self._plan = plan
        self._channel = channel
        self._parent = os.getppid()

    def run(self) -> None:
        discovery = discover(map(Path, self._plan.paths))
        for problem in discovery.problems:
            self._say(protocol.Problem(str(problem)))
        if self._plan.action == "discover":
            for info in discovery.cases:
                self._say(protocol.Declared(info))
        else:
            with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
                self._work(discovery, runner, stack)
        resolution = time.get_clock_info("perf_counter").resolution
        self._say(protocol.Done(clock_resolution_ns=resolution * 1e9))

    def _work(
        self, discovery: Discovery, runner: asyncio.Runner, stack: contextlib.ExitStack
    ) -> None:
        ready: list[tuple[BoundCase, Operation]] = []
        for name in self._plan.cases:
            bound = discovery.bound.get(name)
            if bound is None:
                self._say(protocol.Status(name, "failed", "its file no longer defines it"))
                continue
            self._say(protocol.Starting(name))
            if operation := self._prepare(bound, runner, stack):
                ready.append((bound, operation))
        if self._plan.action == "measure":
            self._measure(ready, runner)

    def _prepare(
        self, bound: BoundCase, runner: asyncio.Runner, stack: contextlib.ExitStack
    ) -> Operation | None:
        status, reason = "ready", ""
        operation = None
        try:
            if self._plan.check and self._plan.action == "measure":
                check(bound, runner)
            operation = stack.enter_context(opened(bound, runner))
        except NotInstalledError as error:
            status, reason = "not installed", str(error)
        except Unsupported as error:
            status, reason = "not available", str(error)
        except BrokenCaseError as error:
            status, reason = "broken", str(error)
        except Exception as error:  # noqa: BLE001 - measured code may raise anything
            status, reason = "broken", f"building it raised {type(error).__name__}: {error}"
        key = control_key(bound.scenario)
        self._say(protocol.Status(bound.name, status, reason, key))  # type: ignore[arg-type]
        return operation if status == "ready" else None

    def _measure(self, ready: list[tuple[BoundCase, Operation]], runner: asyncio.Runner) -> None:
        plan = self._plan
        controls: dict[str, Subject] = {}
        operations: list[Subject] = []
        subjects: list[Subject] = []
        for bound, operation in ready:
            key = control_key(bound.scenario)
            if key not in controls:
                controls[key] = Subject(key, make_sampler(make_control(bound.scenario), runner))
                subjects.append(controls[key])
            operations.append(Subject(bound.name, make_sampler(operation, runner)))
            subjects.append(operations[-1])
        for subject in subjects:
            self._say(protocol.Starting(subject.name if subject in operations else ""))
            calibrate(subject, plan.sample_ns, plan.samples, plan.case_ns, plan.fewest_samples)
        self._say(protocol.Starting(""))
        references = self._references(len(subjects), runner)
        order = spread(references, subjects)
        run_rounds(order, plan.samples, self._end_if_orphaned, references)
        self._say(protocol.Sampled("reference", "reference", merged(references)))
        for key, control in controls.items():
            self._say(protocol.Sampled("control", key, control.samples()))
        for (bound, operation), subject in zip(ready, operations, strict=True):
            self._say(self._verdict(bound, operation, subject, runner))

    def _references(self, subjects: int, runner: asyncio.Runner) -> list[Subject]:
        plan = self._plan
        sampler = make_sampler(Operation(Reference(), is_async=False), runner)
        first = Subject("reference", sampler)
        calibrate(first, plan.sample_ns, plan.samples, plan.case_ns, plan.fewest_samples)
        count = -(-subjects // REFERENCE_EVERY) or 1
        return [
            Subject("reference", sampler, first.calls, first.warm, first.wanted)
            for _ in range(count)
        ]

    def _verdict(
        self, bound: BoundCase, operation: Operation, subject: Subject, runner: asyncio.Runner
    ) -> protocol.Message:
        try:
            check_outcome(bound, operation, runner)
        except BrokenCaseError as error:
            return protocol.Status(bound.name, "broken", f"after timing it {error}")
        return protocol.Sampled("operation", subject.name, subject.samples())

    def _end_if_orphaned(self) -> None:
        if os.getppid() != self._parent:
            os._exit(1)

    def _say(self, message: protocol.Message) -> None:
        self._channel.write(protocol.encode(message) + "\n")
        self._channel.flush()


if __name__ == "__main__":
    main()
