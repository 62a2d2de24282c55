"""Calls that overlap in every order, in one thread: the breaker does what a model of it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from resilience_stack import CircuitBreakerError
from resilience_stack.core import breaker
from tests.stack.bench import Bench

RESET_S = 60.0
STATES = ("open", "half-open", "closed")
OUTCOMES: dict[str, BaseException | None] = {
    "succeeds": None,
    "fails": ConnectionError(),
    "is ignored": KeyError(),
    "is cancelled": KeyboardInterrupt(),
}
BEGIN = st.just(("begin", 0))
END = st.tuples(st.sampled_from(sorted(OUTCOMES)), st.integers(0, 9))
ELAPSE = st.tuples(st.just("elapse"), st.integers(1, 90))
STEPS = st.lists(st.one_of(BEGIN, BEGIN, END, END, ELAPSE), max_size=60)
"""What happens: a call begins, one of those in flight ends in some way, or seconds pass."""


@dataclass
class Model:
    """A breaker as its description has it: slow, plain, and for one thread."""

    fail_max: int
    state: str = "closed"
    failures: int = 0
    epoch: int = 0
    probing: bool = False
    opened_s: float = 0.0
    transitions: Counter[str] = field(default_factory=Counter)

    def go(self, state: str, now_s: float) -> None:
        """Change the state."""
        self.state, self.failures, self.probing, self.opened_s = state, 0, False, now_s
        self.epoch += 1
        self.transitions[state] += 1

    def begin(self, now_s: float) -> int | None:
        """Return the epoch of a call that may go ahead, or None."""
        if self.state == "open" and now_s >= self.opened_s + RESET_S:
            self.go("half-open", now_s)
        if self.state == "open" or self.probing:
            return None
        self.probing = self.state == "half-open"
        return self.epoch

    def end(self, epoch: int, outcome: str, now_s: float) -> None:
        """Take the outcome of a call in."""
        if epoch != self.epoch:
            return
        self.probing = False
        if outcome == "fails":
            self.failures += 1
            if self.state == "half-open" or self.failures >= self.fail_max:
                self.go("open", now_s)
        elif outcome != "is cancelled":
            self.failures = 0
            if self.state == "half-open":
                self.go("closed", now_s)


@contextmanager
def benched() -> Iterator[Bench]:
    """A bench whose clock the breakers go by."""
    bench = Bench()
    with patch.object(breaker, "monotonic", lambda: bench.now_s):
        yield bench


@given(STEPS, st.integers(1, 3))
def test_breaker_is_that_of_the_model(steps: list[tuple[str, int]], fail_max: int) -> None:
    """Whatever overlaps, calls are let through, rejected and counted as the model says."""
    with benched() as bench:
        guard = bench.guard(fail_max=fail_max, reset_timeout_s=RESET_S, ignored=(KeyError,))
        model, flying, ended = Model(fail_max), [], Counter[str]()
        for step, number in steps:
            if step == "elapse":
                bench.now_s += number
            elif step == "begin":
                block, epoch = guard.context(), model.begin(bench.now_s)
                try:
                    block.__enter__()
                except CircuitBreakerError:
                    assert epoch is None
                    ended["rejected"] += 1
                else:
                    assert epoch is not None
                    flying.append((block, epoch))
            elif flying:
                block, epoch = flying.pop(number % len(flying))
                error = OUTCOMES[step]
                block.__exit__(type(error), error, None)
                model.end(epoch, step, bench.now_s)
                ended["failure" if step in {"fails", "is cancelled"} else "success"] += 1
            assert guard.state == model.state
        assert bench.calls() == (ended["success"], ended["failure"], ended["rejected"])
        assert bench.transitions() == {state: model.transitions[state] for state in STATES}


@given(STEPS, st.integers(1, 3))
def test_promises_hold_whatever_overlaps(steps: list[tuple[str, int]], fail_max: int) -> None:
    """One probe at a time, and after an opening nothing fails but what was in flight or probes."""
    with benched() as bench:
        guard = bench.guard(fail_max=fail_max, reset_timeout_s=RESET_S, ignored=(KeyError,))
        flying: list[tuple[object, bool]] = []
        for step, number in steps:
            if step == "elapse":
                bench.now_s += number
            elif step == "begin":
                block = guard.context()
                try:
                    block.__enter__()
                except CircuitBreakerError:
                    assert guard.state != "closed"
                else:
                    assert guard.state != "open"
                    flying.append((block, guard.state == "half-open"))
            elif flying:
                block, _is_probe = flying.pop(number % len(flying))
                block.__exit__(None, OUTCOMES[step], None)
            assert sum(is_probe for _block, is_probe in flying) <= 1
