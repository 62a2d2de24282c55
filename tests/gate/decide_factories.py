"""Questions, samples and draws for the tests of deciding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from resilience_bench._verdicts import Outcome, Verdict
from resilience_bench.gate.decide import decide
from resilience_bench.gate.decide_counts import decide_counts
from resilience_bench.gate.trial import Criterion, Evidence, Key, Observations, Policy

POLICY = Policy()


def spread(value: float, workers: int, share: float = 0.01) -> Observations:
    """Numbers around a value, evenly spread, so that each test sees the same ones."""
    return Observations(tuple((value * (1 + share * np.linspace(-1, 1, workers))).tolist()))


def pair(head: float, base: float, workers: int, share: float = 0.01) -> Observations:
    """The numbers of two variants."""
    return Observations(spread(head, workers, share).heads, spread(base, workers, share).heads)


def ranged(case: str = "a", quantity: str = "ratio", width: float = 0.1) -> Criterion:
    """Whether a case that is expected to be 1 still is."""
    return Criterion(case, "latency", quantity, 1 + width, 1 - width, 1.0)


def compared(case: str, *, is_null: bool = False, most: float = 1.03) -> Criterion:
    """Whether HEAD, or BASE itself, is as dear as BASE."""
    return Criterion(case, "latency", "ratio", most, 1 / most, 1.0, is_null=is_null)


@dataclass(slots=True)
class Drawing:
    """Draws what a script says, for each draw the numbers by key, and notes what was asked."""

    script: Sequence[Mapping[Key, Callable[[int], Observations]]]
    asked: list[tuple[int, set[str]]] = field(default_factory=list)

    def __call__(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of the next draw, for the cases that are asked for."""
        reported = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append((workers, set(cases)))
        return {key: made(workers) for key, made in reported.items() if key[0] in cases}


def around(
    value: float, share: float = 0.01, case: str = "a", quantity: str = "ratio"
) -> dict[Key, Callable[[int], Observations]]:
    """A draw in which a case has numbers around a value."""
    return {(case, quantity, False): lambda workers: spread(value, workers, share)}


def decided(
    questions: Sequence[Criterion], *draws: Mapping[Key, Callable[[int], Observations]]
) -> tuple[list[Verdict], list[tuple[int, set[str]]]]:
    """The verdicts, and what was drawn for them."""
    drawing = Drawing(draws)
    return decide(questions, drawing, POLICY), drawing.asked


def outcomes(verdicts: Sequence[Verdict]) -> list[Outcome]:
    """The outcomes alone."""
    return [verdict.outcome for verdict in verdicts]


def relative(case: str = "a", *, is_null: bool = False) -> Criterion:
    """Whether HEAD takes as many instructions as BASE."""
    return Criterion(case, "instructions", "instructions", 1.005, 1 / 1.005, 1.0, is_null=is_null)


def counted(
    questions: Sequence[Criterion], *draws: Mapping[tuple[str, bool], Observations]
) -> tuple[list[Verdict], list[tuple[int, set[str]]]]:
    """The verdicts on counts, and what was drawn for them."""
    drawing = Drawing(
        [
            {
                (case, "instructions", is_null): lambda _, numbers=numbers: numbers
                for (case, is_null), numbers in draw.items()
            }
            for draw in draws
        ]
    )
    return decide_counts(questions, drawing, POLICY), drawing.asked
