"""Fallback: where an answer comes from when the live call fails, and what is counted of it."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_stack import Answer, Bulkhead, CircuitBreakerError, Fallback, matching
from resilience_stack.core import fallback as fallback_module
from tests.stack.bench import Bench, Flaky


def sources(bench: Bench) -> dict[str, float | None]:
    """Fallback answers by source."""
    return {
        source: bench.sample("fallbacks_total", source=source)
        for source in ("stale", "default", "other")
    }


@pytest.fixture
def clock(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The bench, whose clock the ages of values go by."""
    monkeypatch.setattr(fallback_module, "perf_counter", lambda: bench.now_s)
    return bench


def test_a_live_answer_says_so(bench: Bench) -> None:
    """A call that succeeds is answered live, and nothing counts as a fallback."""
    guard = bench.guard(fallback=Fallback(default=lambda: "default"))
    assert guard.answer(lambda: "value") == Answer("value", "live", 0.0)
    assert sources(bench) == {"stale": 0, "default": 0, "other": 0}


def test_the_last_good_value_is_answered_while_it_is_fresh(clock: Bench) -> None:
    """A stale value comes with its age, up to the bound and not beyond it."""
    guard = clock.guard(fallback=Fallback(stale_s=30), retries=())
    works = [True]

    def load(key: str) -> str:
        if not works[0]:
            raise ConnectionError(key)
        return key.upper()

    assert guard.answer(load, "a") == Answer("A", "live", 0.0)
    works[0] = False
    clock.now_s += 30
    assert guard.answer(load, "a") == Answer("A", "stale", 30.0)
    with pytest.raises(ConnectionError):
        guard.call(load, "b")
    clock.now_s += 0.001
    with pytest.raises(ConnectionError):
        guard.call(load, "a")
    assert sources(clock) == {"stale": 1, "default": 0, "other": 0}


def test_a_decorated_function_has_its_fallback(bench: Bench) -> None:
    """The decorator answers by the chain: stale, then a default, of the call's own arguments."""
    works = [True]

    @bench.guard(fallback=Fallback(stale_s=60, default=lambda key: f"no {key}"), retries=())
    def load(key: str) -> str:
        if not works[0]:
            raise ConnectionError(key)
        return key.upper()

    assert load("a") == "A"
    works[0] = False
    assert (load("a"), load("b")) == ("A", "no b")
    assert sources(bench) == {"stale": 1, "default": 1, "other": 0}


def test_another_guarded_call_comes_last(bench: Bench) -> None:
    """The chain goes on to the next one when one of it raises."""
    replica = bench.guard("replica")

    def refuse() -> str:
        raise ValueError("no default")

    guard = bench.guard(fallback=Fallback(default=refuse, other=replica(lambda: "replica")))
    assert guard.answer(Flaky(9, KeyError)).source == "other"
    assert bench.sample("fallback_failures_total") == 1
    assert sources(bench) == {"stale": 0, "default": 0, "other": 1}


def test_a_fallback_that_raises_lets_the_original_out(bench: Bench) -> None:
    """The caller gets the call's own exception, with the fallback's as its context."""

    def refuse() -> str:
        raise ValueError("no default")

    guard = bench.guard(fallback=Fallback(default=refuse), retries=())
    with pytest.raises(ConnectionError) as caught:
        guard.call(Flaky(1))
    assert isinstance(caught.value.__context__, ValueError)
    assert caught.value.__context__.__context__ is None
    assert "no default" in "".join(traceback.format_exception(caught.value))
    assert bench.sample("fallback_failures_total") == 1


def test_coroutines_have_their_fallback(bench: Bench) -> None:
    """A coroutine's default may be a coroutine function or a plain one."""

    async def make(key: str) -> str:
        await asyncio.sleep(0)
        return f"made for {key}"

    async def load(key: str) -> str:
        raise ConnectionError(key)

    guard = bench.guard(fallback=Fallback(default=make), retries=())
    assert asyncio.run(guard.answer_async(load, "a")) == Answer("made for a", "default", 0.0)
    assert asyncio.run(guard(load)("a")) == "made for a"


def test_a_plain_function_cannot_have_a_coroutine_as_fallback(bench: Bench) -> None:
    """It is refused when the guard is put around the function, with the guard's name."""

    async def make() -> str:
        return "made"

    guard = bench.guard(fallback=Fallback(default=make))
    with pytest.raises(TypeError, match="guard 'database' has the coroutine function"):
        guard(lambda: "value")


def test_a_rejection_is_answered_too(bench: Bench) -> None:
    """An open breaker does not call the function, and the fallback answers."""
    guard = bench.guard(fail_max=1, retries=(), fallback=Fallback(default=lambda: "default"))
    function = Flaky(9)
    assert [guard.call(function) for _ in range(3)] == ["default"] * 3
    assert function.calls == 1
    assert bench.calls() == (0, 1, 2)


def test_what_is_excluded_or_ignored_goes_to_the_caller(bench: Bench) -> None:
    """Answers of a healthy dependency, and types in ``unless``, have no fallback."""
    fallback = Fallback(default=lambda: "default", unless=(ValueError,))
    guard = bench.guard(ignored=(KeyError,), retries=(), fallback=fallback)
    for kind in (KeyError, ValueError):
        with pytest.raises(kind):
            guard.call(Flaky(1, kind))
    assert sources(bench) == {"stale": 0, "default": 0, "other": 0}


def test_what_the_guard_itself_refuses_is_answered_whatever_is_ignored(bench: Bench) -> None:
    """An open breaker, a forced guard and a full bulkhead are no answers of the dependency."""
    everything = matching(lambda _error: True)
    policy = {"ignored": (everything,), "retries": (), "bulkhead": Bulkhead(1)}
    guard = bench.guard(fallback=Fallback(default=lambda: "default"), **policy)
    for mode in ("open", "degraded"):
        guard.force(mode)
        assert guard.call(lambda: "live") == "default"
        guard.release()
    assert guard.call(lambda: guard.call(lambda: "live")) == "default"
    with pytest.raises(ZeroDivisionError):
        guard.call(lambda: 1 // 0)
    assert bench.calls() == (2, 0, 3)


def test_what_an_inner_guard_refuses_may_be_ignored(bench: Bench) -> None:
    """It is an exception of the function like any other one, and goes to the caller."""
    inner = bench.guard("inner")
    inner.force("open")
    policy = {"ignored": (CircuitBreakerError,), "retries": ()}
    outer = bench.guard(fallback=Fallback(default=lambda: "default"), **policy)
    with pytest.raises(CircuitBreakerError):
        outer.call(lambda: inner.call(lambda: "live"))
    assert bench.calls() == (1, 0, 0)


def test_a_refusal_goes_to_the_caller_if_the_fallback_says_so(bench: Bench) -> None:
    """What stands in ``unless`` has no fallback, the guard's own refusals included."""
    unless = Fallback(default=lambda: "default", unless=(CircuitBreakerError,))
    guard = bench.guard(fallback=unless, retries=())
    guard.force("open")
    with pytest.raises(CircuitBreakerError):
        guard.call(lambda: "live")


def test_kept_values_are_bounded(bench: Bench) -> None:
    """No more values are kept than the fallback says; what cannot be hashed is not kept."""
    guard = bench.guard(fallback=Fallback(stale_s=60, entries=2), retries=())
    works = [True]

    def load(key: object) -> object:
        if not works[0]:
            raise ConnectionError
        return key

    for key in (1, 2, 3, ["unhashable"]):
        guard.call(load, key)
    works[0] = False
    assert (guard.call(load, 2), guard.call(load, 3)) == (2, 3)
    for key in (1, ["unhashable"]):
        with pytest.raises(ConnectionError):
            guard.call(load, key)


def test_the_guard_says_since_when_it_is_degraded(bench: Bench) -> None:
    """From the first fallback answer to the next live one."""
    guard = bench.guard(fallback=Fallback(default=lambda: "default"), retries=())
    assert bench.manager.degraded() == {}
    guard.call(Flaky(1))
    assert list(bench.manager.degraded()) == ["database"]
    assert bench.sample("guard_degraded") == 1
    guard.call(Flaky(0))
    assert bench.manager.degraded() == {}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "nothing in it"),
        ({"stale_s": 0}, "Fallback.stale_s is 0"),
        ({"stale_s": float("nan")}, "Fallback.stale_s is nan"),
        ({"default": 3}, "Fallback.default is 3"),
        ({"stale_s": 1, "entries": 0}, "Fallback.entries is 0"),
        ({"stale_s": 1, "unless": KeyError}, "Fallback.unless is"),
    ],
)
def test_a_fallback_that_makes_no_sense_is_refused(
    settings: dict[str, object], expected: str
) -> None:
    """When it is made, with field and value."""
    with pytest.raises((TypeError, ValueError), match=expected):
        Fallback(**settings)  # type: ignore[arg-type]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.booleans()), st.tuples(st.just("pass"), st.integers(1, 40))
    ),
    max_size=40,
)


@given(STEPS)
def test_a_stale_value_is_never_older_than_its_bound(steps: list[tuple[str, int]]) -> None:
    """Whatever succeeds and fails when: a stale answer's age is right, and within the bound."""
    bench = Bench()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fallback_module, "perf_counter", lambda: bench.now_s)
        guard = bench.guard(fallback=Fallback(stale_s=30), retries=(), fail_max=10**9)
        works, kept_s = [True], None

        def load() -> float:
            if not works[0]:
                raise ConnectionError
            return bench.now_s

        for step, value in steps:
            if step == "pass":
                bench.now_s += value
                continue
            works[0] = bool(value)
            try:
                answer = guard.answer(load)
            except (ConnectionError, CircuitBreakerError):
                assert kept_s is None or bench.now_s - kept_s > 30
            else:
                if answer.source == "live":
                    kept_s = bench.now_s
                assert answer.age_s == bench.now_s - answer.value <= 30


@pytest.mark.parametrize("is_decorated", [True, False])
def test_a_key_that_raises_costs_no_answer(bench: Bench, *, is_decorated: bool) -> None:
    """A live answer goes to the caller all the same, and the failure is counted."""
    guard = bench.guard(fallback=Fallback(stale_s=60, key=lambda user: user.id))

    def load(user: str) -> str:
        return user

    answered = guard(load)("ann") if is_decorated else guard.call(load, "ann")
    assert answered == "ann"
    assert bench.calls() == (1, 0, 0)
    assert bench.sample("fallback_failures_total") == 1


def test_a_key_that_raises_lets_the_original_error_out(bench: Bench) -> None:
    """With the key's error as its context; where there is a default, that answers."""

    def load(_user: str) -> str:
        raise ConnectionError("gone")

    guard = bench.guard(retries=(), fallback=Fallback(stale_s=60, key=lambda user: user.id))
    with pytest.raises(ConnectionError, match="gone") as caught:
        guard.call(load, "ann")
    assert isinstance(caught.value.__context__, AttributeError)
    assert bench.sample("fallback_failures_total") == 1
    more = Fallback(stale_s=60, key=lambda user: user.id, default=lambda _user: "nobody")
    assert bench.guard("other", retries=(), fallback=more).answer(load, "ann") == (
        "nobody",
        "default",
        0.0,
    )


def test_arguments_by_name_are_not_taken_for_positional_ones(bench: Bench) -> None:
    """A stale value belongs to the call as it was made, whatever its arguments look like."""
    down: list[int] = []

    @bench.guard(retries=(), fallback=Fallback(stale_s=60))
    def load(*args: object, **settings: object) -> tuple[object, ...]:
        if down:
            raise ConnectionError
        return args, settings

    load(1, size=2)
    down.append(1)
    with pytest.raises(ConnectionError):
        load((1,), ("size", 2))


class Later:
    """An object whose call has to be awaited."""

    async def __call__(self) -> str:
        """Return an answer, later."""
        return "later"


def test_a_plain_function_is_never_answered_by_a_coroutine(bench: Bench) -> None:
    """An object that makes one is refused at once; a function that does has failed."""
    with pytest.raises(TypeError, match="expected a plain function"):
        bench.guard(fallback=Fallback(default=Later()))(Flaky(1))
    guard = bench.guard("other", retries=(), fallback=Fallback(default=lambda *_: Later()()))
    with pytest.raises(ConnectionError) as caught:
        guard.call(Flaky(1))
    assert isinstance(caught.value.__context__, TypeError)
    assert bench.sample("fallback_failures_total", "other") == 1
