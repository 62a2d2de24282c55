"""The worker's program: ``python -m resilience_bench.worker`` with a plan on standard input."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import functools
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TextIO

from resilience_bench.scenarios.definition import BoundCase, Unsupported
from resilience_bench.scenarios.discovery import Discovery, discover
from resilience_bench.scenarios.loads import MIXED, NOOP, SINGLE, Load
from resilience_bench.worker import instructions, operations, protocol, tallies, throughput, timing
from resilience_bench.worker.callers import make_callers
from resilience_bench.worker.children import Work, explain_exit_code, run_in_children
from resilience_bench.worker.gil import explain_gil, is_gil_enabled
from resilience_bench.worker.inspection import look_at
from resilience_bench.worker.one_by_one import OneByOne
from resilience_bench.worker.pytest_cases import run_suite
from resilience_bench.worker.real_payloads import (
    DishonestPayloadError,
    PayloadFailedError,
    RealPayloads,
    find_builtin_payloads,
)
from resilience_bench.worker.reference import Reference
from resilience_bench.worker.verification import BrokenCaseError, check, check_outcome

REFERENCE_EVERY: Final = 8
"""Subjects per sample of the reference, on which every ratio rests."""

LONGEST_REASON: Final = 300
"""Of a forked process: they share a pipe, which keeps a line of up to 4,096 bytes whole."""
UNUSABLE: Final = (BrokenCaseError, DishonestPayloadError, operations.NotCallableError)
"""The errors that say by themselves why a case is broken."""
Ready = tuple[BoundCase, operations.Operation]
Kind = Literal["control", "operation"]
Status = Literal["ready", "not installed", "not available", "broken", "failed"]


def main() -> None:
    """Read a plan, carry it out, write messages; end when the parent has ended."""
    # Whatever the measured code prints goes to stderr: stdout is for messages only.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    plan = protocol.Plan.from_json(sys.stdin.read())
    # Ends a hung worker by itself, with a traceback, even if the parent was killed.
    faulthandler.dump_traceback_later(plan.time_limit_s, exit=True)
    _Worker(plan, channel).run()
    # The interpreter's own end would take as long as a block's samples, and may wait for threads
    # that a library left behind.
    os._exit(0)


class _Worker:
    def __init__(self, plan: protocol.Plan, channel: TextIO) -> None:
        self._plan = plan
        self._channel = channel
        self._parent = os.getppid()
        self._plants, self._waits = dict(plan.plants), dict(plan.waits)
        self._runner = asyncio.Runner()
        self._real = RealPayloads(dict(plan.servers), self._runner)
        self._one_by_one = OneByOne(plan, self._runner, self._end_if_orphaned)

    def run(self) -> None:
        if self._plan.suite:
            run_suite(self._plan, self._plan.suite, self._send, self._end_if_orphaned)
        else:
            self._run_scenarios()
        resolution_s = time.get_clock_info("perf_counter").resolution
        self._send(protocol.EndMessage(resolution_s * 1e9, is_gil_enabled()))

    def _run_scenarios(self) -> None:
        discovery = discover(map(Path, self._plan.paths), find_builtin_payloads(self._plan))
        for problem in discovery.problems:
            self._send(protocol.ProblemMessage(str(problem)))
        if self._plan.action == "discover":
            for info in discovery.cases:
                self._send(protocol.DeclarationMessage(info))
        elif self._plan.action == "count":
            self._count(self._select(discovery))
        else:
            with self._runner, self._real, contextlib.ExitStack() as stack:
                self._measure(self._select(discovery), stack)

    def _select(self, discovery: Discovery) -> list[BoundCase]:
        loaded = {name: (base, load, payload) for name, base, load, payload in self._plan.under}
        chosen = []
        for name in self._plan.cases:
            base, load, payload = loaded.get(name, (name, SINGLE, NOOP))
            if base in discovery.bound:
                chosen.append(discovery.bound[base].with_load(load, payload))
            else:
                self._send_status(name, "failed", "its file no longer defines it")
        return chosen

    def _measure(self, chosen: Sequence[BoundCase], stack: contextlib.ExitStack) -> None:
        if self._plan.action == "load":
            for load, payload, bounds in throughput.group_by_control(chosen):
                with contextlib.ExitStack() as group_stack:
                    self._measure_load(load, payload, bounds, group_stack)
            return
        ready: list[Ready] = []
        for bound in chosen:
            self._send(protocol.StartMessage(bound.name))
            if prepared := self._prepare(bound, stack):
                ready.append(prepared)
        if self._plan.action == "measure":
            self._measure_latencies(ready)
        elif self._plan.action != "inspect":
            for bound, operation in ready:
                self._send(protocol.StartMessage(bound.name))
                with self._report_failure(bound.name):
                    for message in self._one_by_one.measure(bound, operation):
                        self._send(message)

    def _prepare(self, bound: BoundCase, stack: contextlib.ExitStack) -> Ready | None:
        """Check a case and build its operation; report its status, and return it if it is ready."""
        status: Status = "ready"
        reason = ""
        ready = None
        was_locked = is_gil_enabled()
        try:
            if self._plan.action == "inspect":
                stack.enter_context(look_at(bound, self._runner))
            else:
                ready = self._check_and_open(bound, stack)
        except operations.NotInstalledError as error:
            status, reason = "not installed", str(error)
        except Unsupported as error:
            status, reason = "not available", str(error)
        except UNUSABLE as error:
            status, reason = "broken", str(error)
        except PayloadFailedError as error:
            status, reason = "failed", str(error)
        except Exception as error:  # noqa: BLE001 - measured code may raise anything
            status, reason = "broken", f"building it raised {type(error).__name__}: {error}"
        if is_gil_enabled() and not was_locked:  # its figures would not be what was asked for
            status, reason, ready = "not available", explain_gil(), None
        self._send_status(bound.name, status, reason, operations.make_control_key(bound))
        return ready

    def _check_and_open(self, bound: BoundCase, stack: contextlib.ExitStack) -> Ready:
        bound = self._real.attach(bound)
        if self._plan.check:
            check(bound, self._runner)
        bound = self._one_by_one.watch(bound)
        operation = stack.enter_context(operations.open_operation(bound, self._runner))
        if bound.name in self._plants:
            operation = operations.add_empty_loop(operation, self._plants[bound.name])
        if bound.name in self._waits:
            operation = operations.add_wait(operation, self._waits[bound.name])
        return bound, operation

    @contextlib.contextmanager
    def _report_failure(self, case: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - measured code may raise anything
            if case:  # without its control a case only lacks its overhead
                reason = f"measuring it raised {type(error).__name__}: {error}"
                self._send_status(case, "failed", reason)

    def _measure_latencies(self, ready: Sequence[Ready]) -> None:
        plan = self._plan
        controls: dict[str, timing.Subject] = {}
        timed: list[timing.Subject] = []
        subjects: list[timing.Subject] = []
        for bound, operation in ready:
            key = operations.make_control_key(bound)
            if key not in controls:
                controls[key] = self._make_subject(key, operations.make_control(bound))
                subjects.append(controls[key])
            timed.append(self._make_subject(bound.name, operation))
            subjects.append(timed[-1])
        for subject in subjects:
            self._send(protocol.StartMessage(subject.name if subject in timed else ""))
            self._calibrate(subject)
        self._send(protocol.StartMessage(""))
        references = self._make_references(-(-len(subjects) // REFERENCE_EVERY) or 1)
        order = timing.interleave_references(references, subjects)
        timing.run_rounds(order, plan.samples, self._end_if_orphaned, references)
        merged = timing.merge_samples(references)
        self._send(protocol.SamplesMessage("reference", "reference", merged))
        for key, control in controls.items():
            self._send(protocol.SamplesMessage("control", key, control.samples()))
        for (bound, operation), subject in zip(ready, timed, strict=True):
            try:
                check_outcome(bound, operation, self._runner)
            except BrokenCaseError as error:
                self._send_status(bound.name, "broken", f"after timing it {error}")
            else:
                samples = subject.samples()
                self._send(protocol.SamplesMessage("operation", bound.name, samples))

    def _make_subject(self, name: str, operation: operations.Operation) -> timing.Subject:
        return timing.Subject(name, timing.make_sampler(operation, self._runner))

    def _calibrate(self, subject: timing.Subject) -> None:
        plan = self._plan
        timing.calibrate(subject, plan.sample_ns, plan.samples, plan.case_ns, plan.fewest_samples)

    def _make_references(self, count: int) -> list[timing.Subject]:
        first = self._make_subject("reference", operations.Operation(Reference(), is_async=False))
        self._calibrate(first)
        # Each with lists of its own.
        return [replace(first, elapsed_ns=[], beside=[]) for _ in range(count)]

    def _count(self, chosen: Sequence[BoundCase]) -> None:
        """Mark every case, each in a process forked off after everything was imported."""
        for bound in chosen:
            with contextlib.suppress(Exception):  # its own process says what is wrong with it
                operations.load_library(bound)
        instructions.prepare_forking()
        heavy = self._plan.heavy
        self._mark_all((bound, bound.name) for bound in chosen if bound.name in heavy)
        controls = {operations.make_control_key(bound): bound for bound in chosen}.values()
        with asyncio.Runner() as runner:
            bare = [operations.make_control(bound) for bound in controls]
            instructions.start_counting([timing.make_sampler(control, runner) for control in bare])
        self._mark_all((bound, "") for bound in controls)
        self._mark_all((bound, bound.name) for bound in chosen if bound.name not in heavy)

    def _mark_all(self, marked: Iterable[tuple[BoundCase, str]]) -> None:
        """Mark cases, or the controls of those without a name, each in a process of its own."""
        works = (
            Work(case, functools.partial(self._mark, bound, case), case in self._plan.heavy)
            for bound, case in marked
        )
        for case, code in run_in_children(works, self._plan.children):
            if case and (failure := explain_exit_code(code)):
                self._send_status(case, "failed", failure)

    def _mark(self, bound: BoundCase, case: str, *, heavy: bool) -> bool:
        """Return False if the case is heavy, and another process has to count it."""
        self._send(protocol.StartMessage(case))
        # Makes its event loop when it is first used, and ends with this process.
        self._runner = asyncio.Runner()
        with self._report_failure(case), contextlib.ExitStack() as stack:
            if not case:
                operation = operations.make_control(bound)
            elif prepared := self._prepare(bound, stack):
                operation = prepared[1]
            else:
                return True
            calls = instructions.mark(timing.make_sampler(operation, self._runner), heavy=heavy)
            if calls is None:
                return False
            name = case or operations.make_control_key(bound)
            kind: Kind = "operation" if case else "control"
            self._send(protocol.MarkMessage(kind, name, os.getpid(), calls))
        return True

    def _measure_load(
        self, load: Load, payload: str, bounds: Sequence[BoundCase], stack: contextlib.ExitStack
    ) -> None:
        """Measure cases that share a control, in turns, and count what they did."""
        plan = self._plan
        try:
            callers = make_callers(load, self._runner, plan.case_limit_s)
        except RuntimeError as error:
            for bound in bounds:
                reason = f"{bound.info.case.load}: {error}"
                self._send_status(bound.name, "not available", reason)
            return
        stack.callback(callers.close)
        window_ns = throughput.choose_window_ns(load, plan.window_ns)
        group = throughput.LoadGroup(
            load, payload, callers, self._runner, window_ns, plan.case_limit_s, self._announce_start
        )
        subjects = self._prepare_subjects(group, bounds, stack)
        if not subjects:
            return
        controlled = next(iter(subjects.values()))[0]
        control = throughput.LoadSubject("", operations.make_control(controlled))
        everything = [control, *(subject for _, subject in subjects.values())]
        failed = group.measure(everything, plan.rounds)
        if control.name in failed:  # without it nothing can be said of any
            failed |= dict.fromkeys(subjects, f"its control: {failed[control.name]}")
        else:
            samples = group.samples(control, timed_ns=plan.timed * plan.window_ns)
            key = operations.make_control_key(controlled)
            self._send(protocol.LoadMessage("control", key, samples))
        for name, (bound, subject) in subjects.items():
            if name in failed:
                self._send_status(name, "failed", failed[name])
            else:
                self._report_load(group, bound, subject)
        self._announce_start("")

    def _prepare_subjects(
        self, group: throughput.LoadGroup, bounds: Sequence[BoundCase], stack: contextlib.ExitStack
    ) -> dict[str, tuple[BoundCase, throughput.LoadSubject]]:
        """Build the operations of cases, by the name of the case; report those that cannot be."""
        subjects: dict[str, tuple[BoundCase, throughput.LoadSubject]] = {}
        for bound in bounds:
            group.watch(bound.name)
            prepared = self._prepare(bound, stack)
            if prepared is None:
                continue
            attached, operation = prepared
            if group.load.kind == MIXED and operation.count is None:
                reason = "it has no counter that readers could read"
                self._send_status(bound.name, "not available", reason)
            else:
                subjects[bound.name] = attached, throughput.LoadSubject(bound.name, operation)
        return subjects

    def _report_load(
        self, group: throughput.LoadGroup, bound: BoundCase, subject: throughput.LoadSubject
    ) -> None:
        try:
            samples = group.samples(subject, timed_ns=self._plan.timed * self._plan.window_ns)
            tally = tallies.count_runs(group, bound, subject)
            if bound.work is not None:  # a server may answer otherwise than when it started
                check_outcome(bound, subject.operation, self._runner)
        except BrokenCaseError as error:
            self._send_status(bound.name, "failed", f"after timing it {error}")
        except Exception as error:  # noqa: BLE001 - measured code may raise anything
            self._send_status(bound.name, "failed", throughput.explain_failure(error))
        else:
            self._send(protocol.LoadMessage("operation", bound.name, samples))
            self._send(protocol.TallyMessage(bound.name, tally))

    def _announce_start(self, case: str) -> None:
        self._end_if_orphaned()
        self._send(protocol.StartMessage(case))

    def _end_if_orphaned(self) -> None:
        if os.getppid() != self._parent:
            os._exit(1)

    def _send_status(self, case: str, status: Status, reason: str, control: str = "") -> None:
        longest = LONGEST_REASON if self._plan.action == "count" else None
        self._send(protocol.StatusMessage(case, status, reason[:longest], control))

    def _send(self, message: protocol.Message) -> None:
        self._channel.write(protocol.encode(message) + "\n")
        self._channel.flush()


if __name__ == "__main__":
    main()
