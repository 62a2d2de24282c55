"""The fallbacks, limits and pipelines behind the suite do what their scenarios measure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from benchmarks.vocabulary import FAILURES_TO_OPEN
from resilience_bench import RESULT, PayloadError, Unsupported
from tests.benchmarks.families import Dependency, adapter_of, built, discovery

CALLERS = 16
SLOTS = 8


def cases_of(*groups: str) -> list[str]:
    """The cases of some scenarios."""
    return [name for name in discovery().bound if name.partition("[")[0] in groups]


def library_of(name: str) -> Any:
    """The adapter of a case; skips the test where the library is missing."""
    return adapter_of(discovery().bound[name])


def make(build: Callable[[], Any]) -> Any:
    """What the adapter builds; skips the test where the library cannot do it."""
    try:
        return build()
    except Unsupported as error:
        pytest.skip(str(error))


def algorithm_of(name: str) -> str:
    """The algorithm in the name of a case, if there is one."""
    return str(discovery().bound[name].parameters.get("algorithm", ""))


@pytest.mark.parametrize("name", cases_of("fallback.rejection"))
def test_open_breaker_is_asked_before_the_fallback_answers(name: str) -> None:
    """Once the breaker is open, the payload is not called, and every answer is the fallback's."""
    library, dependency = library_of(name), Dependency(fails=False)
    source = str(discovery().bound[name].parameters["source"])
    call = dependency.payload()

    def answer() -> str:
        call()
        return RESULT

    guarded = make(lambda: library.guard(answer, source, FAILURES_TO_OPEN)).operation
    assert guarded() == RESULT
    dependency.fails = True
    for _ in range(FAILURES_TO_OPEN):
        try:
            guarded()
        except PayloadError:
            assert "circuitbreaker" in name
    calls = dependency.calls

    assert guarded() == RESULT
    assert dependency.calls == calls


@pytest.mark.parametrize("name", cases_of("timeout.async_within"))
def test_limit_cuts_a_coroutine_off(name: str) -> None:
    """What takes too long is cancelled, and the exception is the one that the adapter names."""
    library, ended = library_of(name), []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def main() -> None:
        with pytest.raises(library.rejection):
            await library.limit_async(hang, 0.01)()

    asyncio.run(main())
    assert ended == ["cancelled"]


@pytest.mark.parametrize("name", cases_of("timeout.async_deadline_and_attempt"))
def test_limited_attempts_are_three(name: str) -> None:
    """A failing coroutine is tried three times inside both limits, and its own exception comes out.

    (hyx raises an exception of its own when it gives up.)
    """
    library, calls = library_of(name), 0

    async def fail() -> None:
        nonlocal calls
        calls += 1
        raise PayloadError

    async def main() -> None:
        expected = Exception if "hyx" in name else PayloadError
        with pytest.raises(expected):
            await library.limit_attempts_async(fail)()

    asyncio.run(main())
    assert calls == 3


@pytest.mark.parametrize("name", cases_of("bulkhead.queue"))
def test_bulkhead_never_has_more_threads_inside_than_slots(name: str) -> None:
    """16 threads all get through eight slots, eight of them at once at the most."""
    library, inside, most, lock = library_of(name), 0, 0, threading.Lock()

    def count(step: int) -> None:
        nonlocal inside, most
        with lock:
            inside += step
            most = max(most, inside)

    def work() -> str:
        count(1)
        threading.Event().wait(0.001)
        count(-1)
        return RESULT

    guarded = library.guard(work, SLOTS, 60)
    with ThreadPoolExecutor(CALLERS) as pool:
        results = list(pool.map(lambda _: guarded(), range(CALLERS * 5)))

    assert results == [RESULT] * CALLERS * 5
    assert most <= SLOTS


@pytest.mark.parametrize("name", cases_of("bulkhead.async_queue"))
def test_bulkhead_never_has_more_tasks_inside_than_slots(name: str) -> None:
    """100 tasks all get through eight slots, eight of them at once at the most."""
    library, inside, most = library_of(name), 0, 0

    async def work() -> str:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return RESULT

    async def main() -> list[str]:
        guarded = library.guard_async(work, SLOTS, 60)
        return await asyncio.gather(*(guarded() for _ in range(100)))

    assert asyncio.run(main()) == [RESULT] * 100
    assert most == SLOTS


@pytest.mark.parametrize("name", cases_of("bulkhead.full"))
def test_refused_call_leaves_the_slot_to_its_holder(name: str) -> None:
    """After a refusal the slot is still taken, so that every call of the operation is refused."""
    with built(name) as operation:
        for _ in range(3):
            with pytest.raises(operation.raises):
                operation.call()


@pytest.mark.parametrize("name", cases_of("ratelimit.permitted"))
def test_rate_limit_permits_exactly_so_many_calls(name: str) -> None:
    """Of ten calls in an hour three are made; the others do not reach the payload."""
    library, dependency = library_of(name), Dependency(fails=False)
    guarded = library.guard(dependency.payload(), 3, 3600, algorithm_of(name))
    refused = 0
    for _ in range(10):
        try:
            guarded()
        except library.rejection:
            refused += 1
    library.close()

    assert (dependency.calls, refused) == (3, 7)


@pytest.mark.parametrize("name", cases_of("ratelimit.async_permitted"))
def test_async_rate_limit_permits_exactly_so_many_calls(name: str) -> None:
    """Of ten awaited calls in an hour three are made."""
    library, calls, refused = library_of(name), 0, 0

    async def call() -> None:
        nonlocal calls
        calls += 1

    async def main() -> None:
        nonlocal refused
        guarded = library.guard_async(call, 3, 3600, algorithm_of(name))
        for _ in range(10):
            try:
                await guarded()
            except library.rejection:
                refused += 1
        library.close()

    asyncio.run(main())
    assert (calls, refused) == (3, 7)


@pytest.mark.parametrize(
    "library", ["pybreaker", "interlock_cb", "pyresilience", "resilience_stack"]
)
def test_every_layer_of_a_pipeline_is_there(library: str) -> None:
    """Each layer adds a function of the library to those that the payload is called from."""
    pipelines = library_of(f"pipeline.success[{library},depth=1]")

    def count_frames() -> int:
        return len(list(iterate_frames()))

    assert pipelines.nest(count_frames, 5)() - pipelines.nest(count_frames, 1)() >= 4


def iterate_frames() -> Any:
    """Walk up the stack of calls."""
    import sys

    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back
