"""Operations and guards that threads and tasks share."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.vocabulary import ATTEMPTS, NEVER
from resilience_bench import PayloadError
from resilience_bench.scenarios.definition import RESULT
from tests.benchmarks.families import BREAKERS, RETRIES, adapter_of, built, discovery

LOST_KEYS = {"start_time", "attempt_number", "idle_for", "delay_since_first_attempt"}
"""Of the one dictionary of statistics that tenacity's threads share: see its open issue 701."""
GUARDS = ("tenacity+pybreaker", "stamina+pybreaker", "pyresilience", "resilience_stack")


@pytest.mark.parametrize(
    "name",
    [
        *(f"breaker.closed_success[{library}]" for library in BREAKERS),
        *(f"retry.first_try[{library}]" for library in RETRIES),
        "metrics.counter_inc[prometheus_client]",
        "metrics.multiprocess_counter_inc[prometheus_client]",
        "metrics.histogram_observe[opentelemetry_sdk,attributes=2]",
        *(f"composed.guarded[{library}]" for library in GUARDS),
    ],
)
def test_threads_may_share_an_operation(name: str) -> None:
    """Four threads that call one operation disturb neither each other nor its counter."""
    errors: list[Exception] = []
    with built(name) as operation:

        def call_often() -> None:
            try:
                for _ in range(100):
                    operation.call()
            except Exception as error:  # noqa: BLE001 - whatever the library raises
                errors.append(error)

        threads = [threading.Thread(target=call_often) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counted = operation.count() if operation.count else 400

    assert errors == []
    assert counted == 400


@pytest.mark.parametrize("library", GUARDS)
def test_threads_may_share_a_guard_that_fails(library: str) -> None:
    """Four threads whose guarded calls fail each make three attempts, and all are counted."""
    with built(f"composed.guarded_failing[{library}]") as operation:

        def call_often() -> None:
            for _ in range(50):
                with pytest.raises((*operation.raises, KeyError)) as raised:
                    operation.call()
                if raised.type is KeyError:
                    assert library == "tenacity+pybreaker"
                    assert raised.value.args[0] in LOST_KEYS

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(call_often) for _ in range(4)]:
                future.result(60)

        assert operation.count is not None
        assert operation.count() == 200


@pytest.mark.parametrize("library", GUARDS)
def test_tasks_may_share_a_guard(library: str) -> None:
    """A hundred tasks that await one operation each get its result, and all are counted."""
    with built(f"composed.async_guarded[{library}]") as operation:

        async def gathered() -> list[object]:
            return await asyncio.gather(*(operation.call() for _ in range(100)))

        results = asyncio.run(gathered())

        assert results == [RESULT] * 100
        assert operation.count is not None
        assert operation.count() == 100


@pytest.mark.parametrize("library", GUARDS[:2])
def test_async_guards_have_a_retry_and_a_breaker(library: str) -> None:
    """Coroutines that are composed by hand are retried, and their failures seen by the breaker."""
    layers = adapter_of(discovery().bound[f"composed.async_guarded[{library}]"])
    breaker, calls = layers[1].breaker(fail_max=NEVER), 0

    async def fails() -> None:
        nonlocal calls
        calls += 1
        raise PayloadError

    with pytest.raises(PayloadError):
        asyncio.run(layers[0].retrying().decorated_async(breaker.block_async(fails))())
    assert calls == breaker.failures() == ATTEMPTS
