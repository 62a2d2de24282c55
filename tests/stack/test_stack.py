"""The reference stack: what comes out of a guard, what it counts, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
import threading
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import FrozenInstanceError
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from resilience_stack import CircuitBreakerError, Guard, Policy, ResilienceManager

ROOT = Path(__file__).resolve().parents[2]


class Flaky:
    """A function that fails the first so many times, and counts its calls."""

    def __init__(self, failures: int, error: type[BaseException] = ConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        """Fail while there are failures left."""
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(self.calls)
        return "done"


class Bench:
    """A manager with a registry of its own, whose sleeps are noted and not slept."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.slept: list[float] = []
        self.manager = ResilienceManager(self.registry, sleep=self.slept.append)

    def guard(self, name: str = "database", **settings: Any) -> Guard:
        """Make a guard."""
        return self.manager.guard(name, Policy(**settings))

    def sample(self, name: str, guard: str = "database", **labels: str) -> float | None:
        """Read one value from the registry."""
        return self.registry.get_sample_value(f"resilience_{name}", {"guard": guard, **labels})

    def calls(self, guard: str = "database") -> dict[str, float | None]:
        """Calls by outcome."""
        return {
            outcome: self.sample("calls_total", guard, outcome=outcome)
            for outcome in ("success", "failure", "rejected")
        }


@pytest.fixture
def bench() -> Bench:
    """A fresh manager."""
    return Bench()


def exhaust(guarded: Callable[[], object], times: int = 1) -> None:
    """Call what fails, so many times."""
    for _ in range(times):
        with pytest.raises(ConnectionError):
            guarded()


def test_success_needs_one_attempt(bench: Bench) -> None:
    """A call that succeeds is made once, and waits for nothing."""
    function = Flaky(0)
    assert bench.guard().call(function) == "done"
    assert function.calls == 1
    assert bench.slept == []
    assert bench.calls() == {"success": 1, "failure": 0, "rejected": 0}
    assert bench.sample("retries_total") == 0


def test_failure_is_retried_until_success(bench: Bench) -> None:
    """Two failures and a success are one successful call with two retries."""
    function = Flaky(2)
    assert bench.guard().call(function) == "done"
    assert function.calls == 3
    assert bench.calls() == {"success": 1, "failure": 0, "rejected": 0}
    assert bench.sample("retries_total") == 2


@pytest.mark.parametrize("attempts", [1, 2, 3, 4])
def test_attempts_are_exact_and_the_last_exception_comes_out(bench: Bench, attempts: int) -> None:
    """A call that always fails is made as often as the policy says, the first call included."""
    function = Flaky(99)
    with pytest.raises(ConnectionError) as caught:
        bench.guard(attempts=attempts).call(function)
    assert caught.value.args == (attempts,)
    assert caught.value.__context__ is None
    assert function.calls == attempts
    assert len(bench.slept) == bench.sample("retries_total") == attempts - 1
    assert bench.calls() == {"success": 0, "failure": 1, "rejected": 0}


def test_waits_double_up_to_the_limit(bench: Bench) -> None:
    """Without jitter the waits are exactly those of the policy, the first one initial."""
    guard = bench.guard(attempts=5, wait_initial_s=0.5, wait_max_s=3, jitter_s=0, fail_max=9)
    exhaust(lambda: guard.call(Flaky(99)))
    assert bench.slept == [0.5, 1, 2, 3]


def test_jitter_is_added_to_the_wait(bench: Bench) -> None:
    """With jitter the waits lie between the plain wait and the jitter above it."""
    guard = bench.guard(attempts=2, wait_initial_s=0.5, jitter_s=0.25)
    assert guard.call(Flaky(1)) == "done"
    assert 0.5 <= bench.slept[0] <= 0.75


def test_other_exceptions_are_not_retried(bench: Bench) -> None:
    """What retry_on does not name comes out of the first attempt, and is a failure."""
    function = Flaky(1, error=KeyError)
    with pytest.raises(KeyError):
        bench.guard(retry_on=(ConnectionError,)).call(function)
    assert function.calls == 1
    assert bench.calls() == {"success": 0, "failure": 1, "rejected": 0}


def test_other_exception_ends_a_retry(bench: Bench) -> None:
    """What retry_on does not name also ends a retry that has begun."""
    errors = iter([ConnectionError, KeyError, ConnectionError])

    def function() -> None:
        raise next(errors)

    with pytest.raises(KeyError):
        bench.guard(retry_on=(ConnectionError,)).call(function)
    assert bench.sample("retries_total") == 1


def test_interrupt_is_never_retried(bench: Bench) -> None:
    """Ctrl-C goes straight through, and the call is counted as a failure."""
    function = Flaky(9, error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.guard().call(function)
    assert function.calls == 1
    assert bench.calls() == {"success": 0, "failure": 1, "rejected": 0}


def test_call_of_which_the_sleep_is_interrupted_is_counted(bench: Bench) -> None:
    """A call that ends between two attempts has an outcome too."""

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    registry = CollectorRegistry()
    guard = ResilienceManager(registry, sleep=interrupt).guard("database")
    with pytest.raises(KeyboardInterrupt):
        guard.call(Flaky(1))
    labels = {"guard": "database", "outcome": "failure"}
    assert registry.get_sample_value("resilience_calls_total", labels) == 1


def test_open_breaker_rejects_without_calling(bench: Bench) -> None:
    """After fail_max failures in a row the function is not called, nor is the rejection retried."""
    function = Flaky(99)
    guarded = bench.guard(attempts=1, fail_max=3)(function)
    exhaust(guarded, times=3)
    for _ in range(2):
        with pytest.raises(CircuitBreakerError):
            guarded()
    assert function.calls == 3
    assert bench.slept == []
    assert bench.calls() == {"success": 0, "failure": 3, "rejected": 2}
    assert bench.sample("retries_total") == 0


def test_retry_stops_when_the_breaker_opens(bench: Bench) -> None:
    """The failure that opens the breaker comes out at once: no wait, no further attempt."""
    function = Flaky(99)
    guard = bench.guard(attempts=9, fail_max=2)
    with pytest.raises(ConnectionError) as caught:
        guard.call(function)
    assert caught.value.args == (2,)
    assert function.calls == 2
    assert len(bench.slept) == 1
    assert guard.state == "open"
    assert bench.calls() == {"success": 0, "failure": 1, "rejected": 0}


def test_call_whose_breaker_opens_while_it_waits_is_rejected(bench: Bench) -> None:
    """When others open the breaker during a wait, the next attempt is a rejection, the last."""

    def open_it(_seconds: float) -> None:
        exhaust(lambda: guard.call(other))

    function, other = Flaky(99), Flaky(99)
    registry = CollectorRegistry()
    guard = ResilienceManager(registry, sleep=open_it).guard("database", Policy(fail_max=2))
    with pytest.raises(CircuitBreakerError):
        guard.call(function)
    assert (function.calls, other.calls) == (1, 1)
    labels = {"guard": "database", "outcome": "rejected"}
    assert registry.get_sample_value("resilience_calls_total", labels) == 1


def test_success_between_failures_keeps_the_breaker_closed(bench: Bench) -> None:
    """Only failures in a row open the breaker."""
    guard = bench.guard(attempts=1, fail_max=2)
    for _ in range(3):
        exhaust(lambda: guard.call(Flaky(1)))
        guard.call(Flaky(0))
    assert guard.state == "closed"


def test_breaker_recovers_and_its_way_is_counted(bench: Bench) -> None:
    """After its time a failed probe opens the breaker again, and one that succeeds closes it."""
    function = Flaky(3)
    guarded = bench.guard(attempts=1, fail_max=2, reset_timeout_s=0)(function)
    assert bench.sample("breaker_state") == 0
    exhaust(guarded, times=2)
    assert bench.sample("breaker_state") == 2
    exhaust(guarded)
    assert bench.sample("breaker_state") == 2
    assert guarded() == "done"
    assert bench.sample("breaker_state") == 0
    transitions = {
        state: bench.sample("breaker_transitions_total", state=state)
        for state in ("open", "half-open", "closed")
    }
    assert transitions == {"open": 2, "half-open": 2, "closed": 1}


def test_probe_is_seen_in_the_gauge(bench: Bench) -> None:
    """While a probe runs the gauge says half-open."""
    guard = bench.guard(attempts=1, fail_max=1, reset_timeout_s=0)
    exhaust(lambda: guard.call(Flaky(1)))
    assert guard.call(bench.sample, "breaker_state") == 1


def test_metrics_are_there_before_the_first_call(bench: Bench) -> None:
    """Every series of a guard is scraped as zero from the beginning."""
    bench.guard()
    lines = generate_latest(bench.registry).decode().splitlines()
    values = {line for line in lines if not line.startswith("#") and "_created" not in line}
    assert len(values) == 8
    assert {line.rpartition(" ")[2] for line in values} == {"0.0"}


def test_rejection_by_an_inner_guard_is_a_failure_of_the_outer_one(bench: Bench) -> None:
    """Who was rejected is told apart, and the outer guard does not retry it either."""
    inner = bench.guard("inner", attempts=1, fail_max=1)
    exhaust(lambda: inner.call(Flaky(1)))
    outer = bench.guard("outer")
    with pytest.raises(CircuitBreakerError):
        outer.call(inner.call, Flaky(0))
    assert bench.calls("inner") == {"success": 0, "failure": 1, "rejected": 1}
    assert bench.calls("outer") == {"success": 0, "failure": 1, "rejected": 0}
    assert bench.sample("retries_total", "outer") == 0


def test_guarded_function_may_call_itself(bench: Bench) -> None:
    """A guard that is entered again inside its own retry counts both calls."""
    tried: list[int] = []

    @bench.guard(fail_max=99)
    def count_down(number: int) -> int:
        tried.append(number)
        if tried.count(number) == 1:
            raise ConnectionError
        return number and count_down(number - 1)

    assert count_down(2) == 0
    assert tried == [2, 2, 1, 1, 0, 0]
    assert bench.calls() == {"success": 3, "failure": 0, "rejected": 0}
    assert bench.sample("retries_total") == 3


def test_arguments_reach_the_function_whatever_their_names(bench: Bench) -> None:
    """Keywords that pybreaker and tenacity use themselves still belong to the function."""

    def function(*args: object, **kwargs: object) -> object:
        return args, kwargs

    keywords = {"func": 1, "cb": 2, "fn": 3, "self": 4, "function": 5}
    guard = bench.guard()
    assert guard.call(function, 1, 2, **keywords) == ((1, 2), keywords)
    assert guard(function)(1, 2, **keywords) == ((1, 2), keywords)


def test_arguments_are_the_same_at_each_attempt(bench: Bench) -> None:
    """A retry calls with the arguments of the first attempt."""
    seen: list[object] = []

    @bench.guard()
    def function(*args: int, **kwargs: int) -> None:
        seen.append((args, kwargs))
        raise ConnectionError

    exhaust(lambda: function(1, two=2))
    assert seen == [((1,), {"two": 2})] * 3


def test_decorated_function_keeps_its_name(bench: Bench) -> None:
    """The decorator keeps what describes the function."""

    @bench.guard()
    def load() -> None:
        """Load."""

    assert (load.__name__, load.__doc__) == ("load", "Load.")


async def _coroutine() -> None:
    pass


def _generator() -> Iterator[int]:
    yield 1


async def _asynchronous_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [_coroutine, _generator, _asynchronous_generator])
def test_function_that_works_after_it_returned_is_refused(
    bench: Bench, function: Callable[[], object]
) -> None:
    """A guard that would end before the work begins is an error, and not a success."""
    with pytest.raises(TypeError, match=r"guard 'database' .* expected a plain function"):
        bench.guard()(function)


def test_one_name_is_one_guard(bench: Bench) -> None:
    """Two functions under one name share the breaker; another name has its own."""
    exhaust(bench.guard(attempts=1, fail_max=1)(Flaky(1)))
    with pytest.raises(CircuitBreakerError):
        bench.guard(attempts=1, fail_max=1)(Flaky(0))()
    assert bench.guard("cache").call(Flaky(0)) == "done"


def test_one_name_with_two_policies_is_refused(bench: Bench) -> None:
    """A second policy for the same name is an error that shows both."""
    bench.guard(attempts=2)
    with pytest.raises(ValueError, match=r"'database' has .*attempts=2.* with .*attempts=4"):
        bench.guard(attempts=4)


def test_two_managers_cannot_share_a_registry(bench: Bench) -> None:
    """A second manager would count into metrics that exist: refused."""
    with pytest.raises(ValueError, match="resilience_calls"):
        ResilienceManager(bench.registry)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempts", 0),
        ("attempts", -1),
        ("fail_max", 0),
        ("reset_timeout_s", -1),
        ("reset_timeout_s", float("inf")),
        ("wait_initial_s", -0.1),
        ("wait_max_s", -5),
        ("wait_max_s", 0.01),
        ("jitter_s", -1),
        ("jitter_s", float("nan")),
    ],
)
def test_policy_refuses_numbers_out_of_range(field: str, value: float) -> None:
    """The error names the field and quotes the value."""
    with pytest.raises(ValueError, match=rf"Policy\.{field} is {value!r}, expected "):
        Policy(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempts", 2.5),
        ("attempts", True),
        ("fail_max", "5"),
        ("wait_initial_s", None),
        ("jitter_s", False),
        ("retry_on", ConnectionError),
        ("retry_on", (KeyboardInterrupt,)),
        ("retry_on", ("ConnectionError",)),
    ],
)
def test_policy_refuses_other_types(field: str, value: object) -> None:
    """A value of another type is refused when the policy is made, not when a call fails."""
    with pytest.raises(TypeError, match=rf"Policy\.{field} is .*, expected "):
        Policy(**{field: value})  # type: ignore[arg-type]


def test_policy_is_frozen() -> None:
    """A policy cannot be changed under a guard."""
    with pytest.raises(FrozenInstanceError):
        Policy().attempts = 2  # type: ignore[misc]


@pytest.mark.parametrize("failures", [0, 1])
def test_counts_are_right_under_eight_threads(bench: Bench, failures: int) -> None:
    """Eight threads that share a guard lose no call and no retry, whether or not calls fail."""
    guard = bench.guard(fail_max=10**9)
    barrier = threading.Barrier(8)
    errors: list[BaseException] = []

    def work() -> None:
        barrier.wait()
        try:
            for _ in range(100):
                guard.call(Flaky(failures))
        except BaseException as error:  # noqa: BLE001 - whatever goes wrong in the thread
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert bench.calls() == {"success": 800, "failure": 0, "rejected": 0}
    assert bench.sample("retries_total") == 800 * failures


def test_threads_that_ask_for_a_name_get_one_guard(bench: Bench) -> None:
    """Eight threads that ask for the same name at once share one guard."""
    barrier = threading.Barrier(8)
    guards: list[Guard] = []

    def ask() -> None:
        barrier.wait()
        guards.append(bench.guard())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(guards) == 8
    assert len(set(map(id, guards))) == 1


def test_pins_are_those_of_the_lock() -> None:
    """The stack depends on three exact versions, which are the ones that the checkout uses."""
    project = tomllib.loads((ROOT / "stack" / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    names = {pin.partition("==")[0] for pin in project["dependencies"]}
    assert names == {"pybreaker", "tenacity", "prometheus-client"}
    assert set(project["dependencies"]) <= set(locked)
    assert sorted(requires("resilience-stack") or []) == sorted(project["dependencies"])


def test_stack_imports_nothing_of_the_tool() -> None:
    """The stack is a distribution of its own: importing it loads nothing of resilience_bench."""
    code = "import sys, resilience_stack; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "pybreaker" in modules
    assert not [name for name in modules if name.startswith("resilience_bench")]
