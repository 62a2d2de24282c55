"""Measures the works of a suite's tests one after the other: time, instructions, allocations."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from resilience_bench._model import Samples
from resilience_bench.worker import children, instructions, protocol, timing
from resilience_bench.worker.allocations import measure_allocations
from resilience_bench.worker.benchmark_fixture import Work
from resilience_bench.worker.operations import Operation
from resilience_bench.worker.payloads import return_result
from resilience_bench.worker.reference import Reference

CONTROL: Final = "empty call"
"""The control of every test: a function that does nothing."""
Kind = Literal["control", "operation"]
Send = Callable[[protocol.Message], None]


class UnmeasurableError(Exception):
    """A signal that a work cannot have; the text says why."""


@dataclass(slots=True)
class _Times:
    """Samples of a test, beside those of the reference and of the control."""

    subject: timing.Subject
    reference: timing.Subject
    control: timing.Subject


@dataclass(slots=True)
class WorkMeasurement:
    """Measures each work while its test runs, because its fixtures last no longer.

    Samples of the reference, the control and the work take turns. What a test gave counts once it
    is kept, when the test has passed.
    """

    plan: protocol.Plan
    send: Send
    between: Callable[[], None]
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    _yardsticks: tuple[timing.Subject, timing.Subject] | None = None
    _times: _Times | None = None
    _weight: protocol.WeightMessage | None = None
    _kept: dict[str, _Times] = field(default_factory=dict)

    def measure(self, name: str, work: Work) -> Any:
        """Measure a work, and return what it returned; UnmeasurableError if it cannot be."""
        self._times = self._weight = None
        if self.plan.action == "count":
            return self._count(name, work)
        if self.plan.action == "weigh":
            return self._weigh(name, work)
        return self._time(name, work)

    def keep(self, name: str) -> None:
        """Keep what the last work gave."""
        if self._times:
            self._kept[name] = self._times
        if self._weight:
            self.send(self._weight)

    def begin(self) -> None:
        """Prepare counting, once all files were imported."""
        if self.plan.action != "count":
            return
        instructions.prepare_forking()
        control = self._make_sampler(Operation(return_result, is_async=False))
        instructions.start_counting([control])
        self._mark_in_child("control", CONTROL, control, is_heavy=False)

    def end(self) -> None:
        """Send what was kept of the times."""
        if self.plan.action != "measure":
            return
        reference, control = self._get_yardsticks()
        if not self._kept:
            timing.run_rounds([reference, control], self.plan.samples, self.between)
            self._kept[""] = _Times(reference, reference, control)
        merged = [_merge(times.reference for times in self._kept.values())]
        merged += [_merge(times.control for times in self._kept.values())]
        self.send(protocol.SamplesMessage("reference", "reference", merged[0]))
        self.send(protocol.SamplesMessage("control", CONTROL, merged[1]))
        earlier = 0
        for name, times in self._kept.items():
            subject = times.subject
            if name:
                beside = tuple(place + earlier for place in subject.beside)
                samples = replace(subject.samples(), beside=beside)
                self.send(protocol.SamplesMessage("operation", name, samples))
            earlier += len(times.reference.elapsed_ns)

    def _time(self, name: str, work: Work) -> Any:
        result, plan = None, self.plan
        reference, control = (self._copy(one) for one in self._get_yardsticks())
        if work.rounds is None:
            result = work.call()
            subject = timing.Subject(name, work.sample or self._make_sampler(work.operation))
            timing.calibrate(subject, plan.sample_ns, plan.samples, plan.case_ns, 1)
            subject.wanted = max(subject.wanted, min(plan.samples, plan.fewest_samples))
        else:
            last = _LastResult(work.call)
            operation = Operation(last, is_async=False)
            subject = timing.Subject(name, work.sample or self._make_sampler(operation))
            subject.calls, subject.warm = work.iterations, 0
            subject.wanted = min(work.rounds, plan.samples)
            for _ in range(work.warmup_rounds):
                subject.sample(subject.calls, 0)
        order = [reference, control, subject]
        timing.run_rounds(order, plan.samples, self.between, [reference])
        self._times = _Times(subject, reference, control)
        return result if work.rounds is None else last.result

    def _count(self, name: str, work: Work) -> Any:
        """Count in a process of its own; this one goes on with the test."""
        result = work.call() if work.rounds is None else None
        sampler = work.sample or self._make_sampler(work.operation)
        is_heavy = work.rounds is not None or name in self.plan.heavy
        self._mark_in_child("operation", name, sampler, is_heavy=is_heavy)
        return result if work.rounds is None else work.call_all()

    def _mark_in_child(
        self, kind: Kind, name: str, sample: timing.Sampler, *, is_heavy: bool
    ) -> None:
        def mark(*, heavy: bool) -> bool:
            calls = instructions.mark(sample, heavy=heavy)
            if calls is not None:
                self.send(protocol.MarkMessage(kind, name, os.getpid(), calls))
            return calls is not None

        [(_, code)] = children.run_in_children([children.Work(name, mark, is_heavy)], 1)
        if failure := children.explain_exit_code(code):
            raise UnmeasurableError(failure)

    def _weigh(self, name: str, work: Work) -> Any:
        """Weigh; what may be called only a few times is weighed in a process of its own."""
        if work.rounds is None:
            result = work.call()
            weight = measure_allocations(work.operation, self._runner)
            self._weight = protocol.WeightMessage(name, weight)
            return result

        def weigh() -> bool:
            weight = measure_allocations(work.operation, self._runner)
            self.send(protocol.WeightMessage(name, weight))
            return True

        if children.run_in_child(weigh) != children.DONE:
            raise UnmeasurableError("it cannot be called more often than benchmark.pedantic says")
        return work.call_all()

    def _get_yardsticks(self) -> tuple[timing.Subject, timing.Subject]:
        """Return the reference and the control, calibrated once."""
        if self._yardsticks is None:
            plan = self.plan
            reference, control = (
                timing.Subject(name, self._make_sampler(Operation(call, is_async=False)))
                for name, call in (("reference", Reference()), (CONTROL, return_result))
            )
            for one in (reference, control):
                timing.calibrate(one, plan.sample_ns, plan.samples, plan.case_ns, plan.samples)
            self._yardsticks = reference, control
        return self._yardsticks

    def _make_sampler(self, operation: Operation) -> timing.Sampler:
        return timing.make_sampler(operation, self._runner)

    def _copy(self, subject: timing.Subject) -> timing.Subject:
        return replace(subject, elapsed_ns=[], beside=[])


@dataclass(slots=True)
class _LastResult:
    """A call that keeps what it returned last."""

    call: Callable[[], Any]
    result: Any = None

    def __call__(self) -> None:
        self.result = self.call()


def _merge(subjects: Iterable[timing.Subject]) -> Samples:
    """Return the samples of copies of one subject, in the order of time."""
    found = list(subjects)
    elapsed = [ns for subject in found for ns in subject.elapsed_ns]
    return Samples(found[0].calls, tuple(elapsed))
