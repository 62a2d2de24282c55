"""What is measured of one case after the other: allocations, a long run, an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from resilience_bench.scenarios.definition import BoundCase, Unsupported
from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.worker import protocol
from resilience_bench.worker.allocations import measure_allocations
from resilience_bench.worker.drift import LongRun
from resilience_bench.worker.operations import Operation
from resilience_bench.worker.outage import Control, OutageRun, Watch
from resilience_bench.worker.verification import BrokenCaseError, check_outcome

ASYNC: Final = "an outage is for plain functions: its callers are threads, not coroutines"


@dataclass(slots=True)
class OneByOne:
    """Measures as a plan says; ``between`` is called several times a second."""

    plan: protocol.Plan
    runner: asyncio.Runner
    between: Callable[[], None]
    _watch: Watch | None = field(default=None, init=False)

    def measure(self, bound: BoundCase, operation: Operation) -> Iterator[protocol.Message]:
        """Measure a case; yields what is known of it, also before it raises something."""
        if self.plan.action == "weigh":
            weight = measure_allocations(operation, self.runner)
            yield protocol.WeightMessage(bound.name, weight)
        elif self.plan.action == "drift":
            yield from self._measure_drift(bound, operation)
        else:
            yield from self._measure_outage(bound, operation)

    def _measure_drift(self, bound: BoundCase, operation: Operation) -> Iterator[protocol.Message]:
        long_run = LongRun(operation, self.runner, self.plan.sample_ns)
        try:
            long_run.keep_going(self.plan.drift_s, self.between)
            check_outcome(bound, operation, self.runner)
        except BrokenCaseError as error:
            reason = f"after {long_run.calls:,} calls it {error}"
            yield protocol.StatusMessage(bound.name, "broken", reason)
        finally:
            if (points := long_run.points()).calls:
                yield protocol.DriftMessage(bound.name, points)

    def watch(self, bound: BoundCase) -> BoundCase:
        """Return a case whose payload is watched during an outage; Unsupported if it is async."""
        if self.plan.action != "outage" or bound.work is None:
            return bound
        if bound.scenario.is_async:
            raise Unsupported(ASYNC)
        self._watch = Watch(bound.work, bound.answer)
        return replace(bound, work=self._watch.make_payload())

    def _measure_outage(self, bound: BoundCase, operation: Operation) -> Iterator[protocol.Message]:
        schedule, watch, payload = self.plan.outage, self._watch, bound.real_payload
        if schedule is None or watch is None or payload is None:
            raise ValueError("an outage needs a schedule, and a payload that calls what goes down")
        control = Control(ServerAddress.from_json(dict(self.plan.servers)[payload.server]))
        try:
            run = OutageRun(schedule, watch, control, self.between)
            outage = run.measure(operation.call, run.measure_bare())
        finally:
            control.close()
        yield protocol.OutageMessage(bound.name, outage)
