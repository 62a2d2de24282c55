"""The worker's program: ``python -m resilience_bench.worker`` with a plan on standard input."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TextIO

from resilience_bench.scenarios.definition import BoundCase, Unsupported
from resilience_bench.scenarios.discovery import Discovery, discover
from resilience_bench.scenarios.loads import MIXED, NOOP, SINGLE, Load
from resilience_bench.worker import instructions, protocol, throughput
from resilience_bench.worker.allocations import measure_allocations
from resilience_bench.worker.callers import make_callers
from resilience_bench.worker.drift import LongRun
from resilience_bench.worker.gil import is_gil_enabled
from resilience_bench.worker.operations import (
    NotInstalledError,
    Operation,
    add_empty_loop,
    add_wait,
    load_library,
    make_control,
    make_control_key,
    open_operation,
)
from resilience_bench.worker.reference import Reference
from resilience_bench.worker.timing import (
    Sampler,
    Subject,
    calibrate,
    interleave_references,
    make_sampler,
    merge_samples,
    run_rounds,
)
from resilience_bench.worker.verification import BrokenCaseError, check, check_outcome

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
        self._plants, self._waits = dict(plan.plants), dict(plan.waits)

    def run(self) -> None:
        discovery = discover(map(Path, self._plan.paths))
        for problem in discovery.problems:
            self._send(protocol.ProblemMessage(str(problem)))
        if self._plan.action == "discover":
            for info in discovery.cases:
                self._send(protocol.DeclarationMessage(info))
        elif self._plan.action == "count":
            self._count(discovery)
        else:
            with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
                self._work(discovery, runner, stack)
        resolution = time.get_clock_info("perf_counter").resolution
        self._send(protocol.EndMessage(resolution * 1e9, is_gil_enabled()))

    def _work(
        self, discovery: Discovery, runner: asyncio.Runner, stack: contextlib.ExitStack
    ) -> None:
        ready: list[tuple[BoundCase, Operation]] = []
        chosen = self._chosen(discovery)
        if self._plan.action == "load":
            for load, payload, bounds in throughput.group_by_control(chosen):
                with contextlib.ExitStack() as group:
                    self._measure_load(load, payload, bounds, runner, group)
            return
        for bound in chosen:
            self._send(protocol.StartMessage(bound.name))
            if operation := self._prepare(bound, runner, stack):
                ready.append((bound, operation))
        if self._plan.action == "measure":
            self._measure(ready, runner)
        elif self._plan.action == "weigh":
            for bound, operation in ready:
                self._send(protocol.StartMessage(bound.name))
                self._run_guarded(
                    bound.name,
                    functools.partial(self._measure_allocations, bound, operation, runner),
                )
        elif self._plan.action == "drift":
            for bound, operation in ready:
                self._send(protocol.StartMessage(bound.name))
                self._run_guarded(
                    bound.name, functools.partial(self._measure_drift, bound, operation, runner)
                )

    def _chosen(self, discovery: Discovery) -> list[BoundCase]:
        loaded = {name: (base, load, payload) for name, base, load, payload in self._plan.under}
        chosen = []
        for name in self._plan.cases:
            base, load, payload = loaded.get(name, (name, SINGLE, NOOP))
            if base in discovery.bound:
                chosen.append(discovery.bound[base].with_load(load, payload))
            else:
                self._send(protocol.StatusMessage(name, "failed", "its file no longer defines it"))
        return chosen

    def _run_guarded(self, case: str, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - measured code may raise anything
            reason = f"measuring it raised {type(error).__name__}: {error}"
            if case:  # a control without counts costs an overhead, nothing else
                self._send(protocol.StatusMessage(case, "failed", reason))
            return True

    def _measure_allocations(
        self, bound: BoundCase, operation: Operation, runner: asyncio.Runner
    ) -> bool:
        self._send(protocol.WeightMessage(bound.name, measure_allocations(operation, runner)))
        return True

    def _measure_drift(
        self, bound: BoundCase, operation: Operation, runner: asyncio.Runner
    ) -> bool:
        """Keep a case going; what was seen until it failed is told as well."""
        long_run = LongRun(operation, runner, self._plan.sample_ns)
        try:
            long_run.keep_going(self._plan.drift_s, self._end_if_orphaned)
            check_outcome(bound, operation, runner)
        except BrokenCaseError as error:
            reason = f"after {long_run.calls:,} calls it {error}"
            self._send(protocol.StatusMessage(bound.name, "broken", reason))
        finally:
            if (points := long_run.points()).calls:
                self._send(protocol.DriftMessage(bound.name, points))
        return True

    def _count(self, discovery: Discovery) -> None:
        """Mark every case, each in a process forked off after everything was imported."""
        chosen = self._chosen(discovery)
        for bound in chosen:
            with contextlib.suppress(Exception):  # its own process says what is wrong with it
                load_library(bound)
        instructions.prepare_forking()
        for bound in chosen:
            if bound.name in self._plan.heavy:
                self._mark_in_child(bound.name, functools.partial(self._mark_operation, bound))
        controls = {make_control_key(bound): bound for bound in chosen}
        with asyncio.Runner() as runner:
            bare = [make_control(bound) for bound in controls.values()]
            instructions.start_counting([make_sampler(each, runner) for each in bare])
        for key, bound in controls.items():
            self._mark_in_child("", functools.partial(self._mark_control, key, bound))
        for bound in chosen:
            if bound.name not in self._plan.heavy:
                self._mark_in_child(bound.name, functools.partial(self._mark_operation, bound))

    def _mark_in_child(self, case: str, work: Callable[[asyncio.Runner, bool], bool]) -> None:
        """Mark in a process of its own; a second one counts what the first finds to be heavy."""
        self._send(protocol.StartMessage(case))
        for heavy in (False, True)[case in self._plan.heavy :]:
            code = instructions.run_in_child(
                functools.partial(self._mark_guarded, case, work, heavy)
            )
            if code != instructions.HEAVY:
                break
        if case and (failure := instructions.explain_exit_code(code)):
            self._send(protocol.StatusMessage(case, "failed", failure))

    def _mark_guarded(
        self,
        case: str,
        work: Callable[[asyncio.Runner, bool], bool],
        heavy: bool,  # noqa: FBT001 - functools.partial passes it on
    ) -> bool:
        # The runner makes its event loop when it is first used, and ends with the process.
        return self._run_guarded(case, lambda: work(asyncio.Runner(), heavy))

    def _mark_control(
        self,
        key: str,
        bound: BoundCase,
        runner: asyncio.Runner,
        heavy: bool,  # noqa: FBT001 - likewise
    ) -> bool:
        sampler = make_sampler(make_control(bound), runner)
        return self._mark("control", key, sampler, heavy=heavy)

    def _mark_operation(self, bound: BoundCase, runner: asyncio.Runner, heavy: bool) -> bool:  # noqa: FBT001
        with contextlib.ExitStack() as stack:
            operation = self._prepare(bound, runner, stack)
            if operation is None:
                return True
            return self._mark("operation", bound.name, make_sampler(operation, runner), heavy=heavy)

    def _mark(
        self, kind: Literal["control", "operation"], name: str, sampler: Sampler, *, heavy: bool
    ) -> bool:
        calls = instructions.mark(sampler, heavy=heavy)
        if calls is not None:
            self._send(protocol.MarkMessage(kind, name, os.getpid(), calls))
        return calls is not None

    def _prepare(
        self, bound: BoundCase, runner: asyncio.Runner, stack: contextlib.ExitStack
    ) -> Operation | None:
        status, reason = "ready", ""
        operation = None
        try:
            if self._plan.check and self._plan.action != "inspect":
                check(bound, runner)
            operation = stack.enter_context(open_operation(bound, runner))
            if bound.name in self._plants:
                operation = add_empty_loop(operation, self._plants[bound.name])
            if bound.name in self._waits:
                operation = add_wait(operation, self._waits[bound.name])
        except NotInstalledError as error:
            status, reason = "not installed", str(error)
        except Unsupported as error:
            status, reason = "not available", str(error)
        except BrokenCaseError as error:
            status, reason = "broken", str(error)
        except Exception as error:  # noqa: BLE001 - measured code may raise anything
            status, reason = "broken", f"building it raised {type(error).__name__}: {error}"
        key = make_control_key(bound)
        self._send(protocol.StatusMessage(bound.name, status, reason, key))  # type: ignore[arg-type]
        return operation if status == "ready" else None

    def _measure(self, ready: list[tuple[BoundCase, Operation]], runner: asyncio.Runner) -> None:
        plan = self._plan
        controls: dict[str, Subject] = {}
        operations: list[Subject] = []
        subjects: list[Subject] = []
        for bound, operation in ready:
            key = make_control_key(bound)
            if key not in controls:
                controls[key] = Subject(key, make_sampler(make_control(bound), runner))
                subjects.append(controls[key])
            operations.append(Subject(bound.name, make_sampler(operation, runner)))
            subjects.append(operations[-1])
        for subject in subjects:
            self._send(protocol.StartMessage(subject.name if subject in operations else ""))
            calibrate(subject, plan.sample_ns, plan.samples, plan.case_ns, plan.fewest_samples)
        self._send(protocol.StartMessage(""))
        references = self._references(len(subjects), runner)
        order = interleave_references(references, subjects)
        run_rounds(order, plan.samples, self._end_if_orphaned, references)
        self._send(protocol.SamplesMessage("reference", "reference", merge_samples(references)))
        for key, control in controls.items():
            self._send(protocol.SamplesMessage("control", key, control.samples()))
        for (bound, operation), subject in zip(ready, operations, strict=True):
            self._send(self._make_result_message(bound, operation, subject, runner))

    def _measure_load(
        self,
        load: Load,
        payload: str,
        bounds: list[BoundCase],
        runner: asyncio.Runner,
        stack: contextlib.ExitStack,
    ) -> None:
        """Measure cases that share a control, in turns, and count what they did."""
        plan = self._plan
        try:
            callers = make_callers(load, runner, plan.case_limit_s)
        except RuntimeError as error:
            for bound in bounds:
                reason = f"{bound.info.case.load}: {error}"
                self._send(protocol.StatusMessage(bound.name, "not available", reason))
            return
        stack.callback(callers.close)
        window_ns = throughput.choose_window_ns(load, plan.window_ns)
        group = throughput.LoadGroup(
            load, payload, callers, runner, window_ns, plan.case_limit_s, self._announce_start
        )
        subjects: dict[str, tuple[BoundCase, throughput.LoadSubject]] = {}
        for bound in bounds:
            group.watch(bound.name)
            operation = self._prepare(bound, runner, stack)
            if operation is not None and load.kind == MIXED and operation.count is None:
                reason = "it has no counter that readers could read"
                self._send(protocol.StatusMessage(bound.name, "not available", reason))
            elif operation is not None:
                subjects[bound.name] = bound, throughput.LoadSubject(bound.name, operation)
        if not subjects:
            return
        key = make_control_key(bounds[0])
        control = throughput.LoadSubject("", make_control(bounds[0]))
        failed = group.measure([control, *(each for _, each in subjects.values())], plan.rounds)
        if control.name in failed:  # without it nothing can be said of any
            failed |= dict.fromkeys(subjects, f"its control: {failed[control.name]}")
        else:
            self._send(
                protocol.LoadMessage(
                    "control", key, group.samples(control, timed_ns=plan.timed * plan.window_ns)
                )
            )
        for bound, subject in subjects.values():
            self._report_load(group, bound, subject, failed)
        self._announce_start("")

    def _report_load(
        self,
        group: throughput.LoadGroup,
        bound: BoundCase,
        subject: throughput.LoadSubject,
        failed: dict[str, str],
    ) -> None:
        if bound.name in failed:
            self._send(protocol.StatusMessage(bound.name, "failed", failed[bound.name]))
            return
        try:
            timed_ns = self._plan.timed * self._plan.window_ns
            samples = group.samples(subject, timed_ns=timed_ns)
            tally = throughput.count_runs(group, bound, subject)
        except Exception as error:  # noqa: BLE001 - measured code may raise anything
            self._send(
                protocol.StatusMessage(bound.name, "failed", throughput.explain_failure(error))
            )
            return
        self._send(protocol.LoadMessage("operation", bound.name, samples))
        self._send(protocol.TallyMessage(bound.name, tally))

    def _announce_start(self, case: str) -> None:
        self._end_if_orphaned()
        self._send(protocol.StartMessage(case))

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

    def _make_result_message(
        self, bound: BoundCase, operation: Operation, subject: Subject, runner: asyncio.Runner
    ) -> protocol.Message:
        try:
            check_outcome(bound, operation, runner)
        except BrokenCaseError as error:
            return protocol.StatusMessage(bound.name, "broken", f"after timing it {error}")
        return protocol.SamplesMessage("operation", subject.name, subject.samples())

    def _end_if_orphaned(self) -> None:
        if os.getppid() != self._parent:
            os._exit(1)

    def _send(self, message: protocol.Message) -> None:
        self._channel.write(protocol.encode(message) + "\n")
        self._channel.flush()


if __name__ == "__main__":
    main()
