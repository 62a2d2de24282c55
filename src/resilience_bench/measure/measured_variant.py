"""One variant that is measured: its sessions and their recording."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from resilience_bench._model import Signal
from resilience_bench.measure.counting import prepare_counting_session
from resilience_bench.measure.load_session import LoadSession
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import FinishedBlock, Session
from resilience_bench.quantities import COUNT_SIGNALS


@dataclass(slots=True, eq=False)
class MeasuredVariant:
    """One variant that is measured, and the recording of what was measured.

    ``is_null`` marks the null control: BASE, measured once more.
    """

    session: Session
    recording: Recording
    loaded: LoadSession | None = None
    name: str = ""
    is_null: bool = False

    def measure(
        self, signals: Collection[Signal], index: int, cases: Collection[str] | None = None
    ) -> Iterator[FinishedBlock]:
        """Measure like `visit`, and record each block before it is yielded."""
        for block in self.visit(signals, index, cases):
            self.recording.add(block)
            yield block

    def visit(
        self, signals: Collection[Signal], index: int, cases: Collection[str] | None = None
    ) -> Iterator[FinishedBlock]:
        """Measure with the workers of one number, which is their hash seed; yields each block."""
        if "latency" in signals:
            yield from self.session.visit(index, cases)
        if counted := [signal for signal in signals if signal in COUNT_SIGNALS]:
            yield from prepare_counting_session(self.session).run(counted, index, cases)
        if "scaling" in signals and self.loaded:
            yield from self.loaded.visit(index, cases)

    def count_visits(self, signals: Sequence[Signal]) -> int:
        """Return how many measurements of a case a run makes, all workers and signals together."""
        alone = sum(
            self.session.workers if signal == "latency" else 1
            for signal in signals
            if signal != "scaling"
        )
        visits = alone * len(self.session.cases)
        if self.loaded and "scaling" in signals:
            visits += self.loaded.workers * len(self.loaded.cases)
        return visits
