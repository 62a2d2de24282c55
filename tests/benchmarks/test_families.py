"""The scenarios and the adapters: what they promise, and that all libraries are set alike."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks import vocabulary
from benchmarks.vocabulary import ATTEMPTS, FAILURES_TO_OPEN, NEVER
from resilience_bench import PayloadError, Unsupported
from resilience_bench.scenarios.definition import RESULT, BoundCase
from resilience_bench.scenarios.discovery import Discovery, discover
from resilience_bench.worker.operations import (
    NotInstalledError,
    Operation,
    load_library,
    open_operation,
)
from resilience_bench.worker.verification import check

FOLDER = Path(__file__).parents[2] / "benchmarks"
FAMILIES = ("breaker", "composed", "control", "metrics", "retry")
GROUPS = {
    "control": {"call", "call_raising", "async_call", "async_call_raising"},
    "breaker": {
        "closed_success",
        "closed_success_args",
        "closed_failure",
        "open_rejection",
        "state_read",
        "trip_and_recover",
        "excluded_exception",
        "with_listener",
        "decorated",
        "context_manager",
        "construct",
        "async_closed_success",
        "async_open_rejection",
    },
    "retry": {
        "first_try",
        "recovers_after_two",
        "exhausts_three",
        "wrong_exception",
        "result_predicate",
        "backoff_with_jitter",
        "deadline",
        "call_object",
        "construct",
        "async_first_try",
        "async_recovers_after_two",
    },
    "metrics": {
        "counter_inc",
        "labels_positional_inc",
        "labels_keyword_inc",
        "child_inc",
        "gauge_set",
        "histogram_observe",
        "summary_observe",
        "timer",
        "multiprocess_counter_inc",
        "construct_child",
        "scrape_100_series",
        "scrape_10k_series",
    },
    "composed": {
        "breaker_in_retry",
        "retry_in_breaker",
        "breaker_in_retry_failing",
        "retry_in_breaker_failing",
        "guarded",
        "guarded_failing",
        "async_guarded",
    },
}
CASES = {"control": 4, "breaker": 91, "retry": 55, "metrics": 60, "composed": 48}
UNSUPPORTED = {
    "breaker.with_listener": {"circuitbreaker", "resilience_stack"},
    "breaker.context_manager": {"circuitbreaker", "aiobreaker", "pyresilience"},
    "breaker.async_closed_success": {"pybreaker"},
    "breaker.async_open_rejection": {"pybreaker"},
    "retry.result_predicate": {"stamina"},
    "retry.call_object": {"backoff", "pyresilience"},
    "retry.async_first_try": {"retrying"},
    "retry.async_recovers_after_two": {"retrying"},
    "metrics.labels_positional_inc": {"opentelemetry_sdk", "statsd"},
    "metrics.labels_keyword_inc": {"opentelemetry_sdk", "statsd"},
    "metrics.child_inc": {"opentelemetry_sdk", "statsd"},
    "metrics.summary_observe": {"opentelemetry_sdk", "statsd"},
    "metrics.timer": {"opentelemetry_sdk"},
    "metrics.multiprocess_counter_inc": {"opentelemetry_sdk", "statsd"},
    "metrics.construct_child": {"opentelemetry_sdk", "statsd"},
    "metrics.scrape_100_series": {"opentelemetry_sdk", "statsd"},
    "metrics.scrape_10k_series": {"opentelemetry_sdk", "statsd"},
    "composed.retry_in_breaker": {"pyresilience"},
    "composed.retry_in_breaker_failing": {"pyresilience"},
}
BREAKERS = (
    "pybreaker",
    "circuitbreaker",
    "aiobreaker",
    "purgatory",
    "interlock_cb",
    "pyresilience",
    "resilience_stack",
)
RETRIES = ("tenacity", "stamina", "backoff", "retrying", "pyresilience")
GUARDS = ("tenacity+pybreaker", "stamina+pybreaker", "pyresilience", "resilience_stack")
ASYNC_RETRIES = ("tenacity", "stamina", "backoff", "pyresilience")


@functools.cache
def discovery() -> Discovery:
    """The cases below benchmarks/."""
    return discover([FOLDER])


@functools.cache
def outcome(name: str) -> str:
    """Empty when the check passes, else the reason why the case is not available."""
    with asyncio.Runner() as runner:
        try:
            check(discovery().bound[name], runner)
        except (Unsupported, NotInstalledError) as error:
            return str(error) or "no reason given"
    return ""


@contextlib.contextmanager
def built(name: str) -> Iterator[Operation]:
    """The operation of a case; skips the test where its library is missing."""
    bound = discovery().bound[name]
    adapter_of(bound)
    with asyncio.Runner() as runner, open_operation(bound, runner) as operation:
        yield operation


def adapter_of(bound: BoundCase) -> Any:
    """The adapter of a case; skips the test where the library is missing."""
    try:
        return load_library(bound)
    except NotInstalledError as error:
        pytest.skip(str(error))


def breakers_of(library: str) -> vocabulary.Breakers:
    """The breakers of a library."""
    return adapter_of(discovery().bound[f"breaker.closed_success[{library}]"])


def retries_of(library: str) -> vocabulary.Retries:
    """The retries of a library."""
    return adapter_of(discovery().bound[f"retry.first_try[{library}]"])


class Dependency:
    """A payload that fails while ``fails`` is set, and counts its calls."""

    def __init__(self, *, fails: bool = True) -> None:
        self.fails = fails
        self.calls = 0

    def payload(self) -> Callable[[], str]:
        """Return a plain function, which every decorator takes."""

        def call() -> str:
            self.calls += 1
            if self.fails:
                raise PayloadError(self.calls)
            return "done"

        return call


def fail(guarded: Callable[[], object], rejection: type[BaseException], times: int) -> None:
    """Call what fails, so many times."""
    for _ in range(times):
        with pytest.raises((PayloadError, rejection)):
            guarded()


@pytest.mark.parametrize("name", list(discovery().bound))
def test_case_does_what_it_says(name: str) -> None:
    """A case passes the check before timing, or says why its library cannot do it."""
    reason = outcome(name)

    assert reason != "no reason given"


def test_every_file_imports() -> None:
    """No scenario file fails to import."""
    assert discovery().problems == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_family_has_exactly_these_groups(family: str) -> None:
    """A family holds the scenarios that are promised, and no other."""
    cases = [bound.info.case for bound in discovery().bound.values()]

    assert {case.scenario for case in cases if case.family == family} == GROUPS[family]


def test_number_of_cases() -> None:
    """Every scenario is offered for every library of its family."""
    families = Counter(bound.info.case.family for bound in discovery().bound.values())

    assert families == CASES


def test_enough_cases_are_available() -> None:
    """With all libraries installed there are at least 120 cases to measure."""
    reasons = [outcome(name) for name in discovery().bound]
    if any("is not installed; type" in reason for reason in reasons):
        pytest.skip("not every library is installed")

    assert reasons.count("") >= 120


def test_only_known_cases_are_unsupported() -> None:
    """A library can do all scenarios but those that docs/libraries.md names."""
    found: dict[str, set[str]] = {}
    for name, bound in discovery().bound.items():
        case = bound.info.case
        if (reason := outcome(name)) and "is not installed; type" not in reason:
            found.setdefault(case.group, set()).add(case.library)

    missing = {
        group: libraries - UNSUPPORTED.get(group, set()) for group, libraries in found.items()
    }
    assert not {group: libraries for group, libraries in missing.items() if libraries}


def test_every_reason_is_documented() -> None:
    """docs/libraries.md gives the reason of every case that is not available."""
    text = " ".join((FOLDER.parent / "docs" / "libraries.md").read_text().split())
    reasons = {outcome(name) for name in discovery().bound} - {""}

    assert not [
        reason
        for reason in reasons
        if reason not in text and "is not installed; type" not in reason
    ]


def test_every_scenario_is_described() -> None:
    """What the list of cases shows is one sentence."""
    for bound in discovery().bound.values():
        assert bound.info.description.endswith("."), bound.name


@pytest.mark.parametrize("library", BREAKERS)
def test_breaker_opens_after_exactly_five_failures(library: str) -> None:
    """The fifth failure in a row still reaches the payload, the sixth call does not."""
    breakers, dependency = breakers_of(library), Dependency()
    guarded = breakers.breaker().guard(dependency.payload())

    fail(guarded, breakers.rejection, FAILURES_TO_OPEN)
    assert dependency.calls == FAILURES_TO_OPEN

    with pytest.raises(breakers.rejection):
        guarded()
    assert dependency.calls == FAILURES_TO_OPEN


@pytest.mark.parametrize("library", BREAKERS)
def test_success_between_failures_keeps_breaker_closed(library: str) -> None:
    """Only failures in a row open a breaker."""
    breakers, dependency = breakers_of(library), Dependency()
    guarded = breakers.breaker().guard(dependency.payload())

    for _ in range(3):
        dependency.fails = True
        fail(guarded, breakers.rejection, FAILURES_TO_OPEN - 1)
        dependency.fails = False
        assert guarded() == "done"


@pytest.mark.parametrize("library", BREAKERS)
def test_breaker_closes_after_one_success(library: str) -> None:
    """After its time an open breaker lets a probe through, whose success closes it."""
    breakers, dependency = breakers_of(library), Dependency()
    breaker = breakers.breaker(manual_time=True)
    guarded = breaker.guard(dependency.payload())
    fail(guarded, breakers.rejection, FAILURES_TO_OPEN)
    breaker.elapse()
    dependency.fails = False
    assert guarded() == "done"

    dependency.fails = True
    fail(guarded, breakers.rejection, FAILURES_TO_OPEN - 1)
    dependency.fails = False
    assert guarded() == "done"


@pytest.mark.parametrize("library", BREAKERS)
def test_failed_probe_opens_breaker_again(library: str) -> None:
    """A probe that fails sends an open breaker back to rejecting."""
    breakers, dependency = breakers_of(library), Dependency()
    breaker = breakers.breaker(manual_time=True)
    guarded = breaker.guard(dependency.payload())
    fail(guarded, breakers.rejection, FAILURES_TO_OPEN)
    breaker.elapse()
    fail(guarded, breakers.rejection, 1)
    assert dependency.calls == FAILURES_TO_OPEN + 1

    with pytest.raises(breakers.rejection):
        guarded()
    assert dependency.calls == FAILURES_TO_OPEN + 1


@pytest.mark.parametrize("library", BREAKERS)
def test_state_is_that_of_the_guarded_breaker(library: str) -> None:
    """Reading the state tells an open breaker from a closed one."""
    breakers = breakers_of(library)
    breaker = breakers.breaker()
    guarded = breaker.guard(Dependency().payload())
    closed = str(breaker.read_state()()).casefold()
    fail(guarded, breakers.rejection, FAILURES_TO_OPEN)

    assert "closed" in closed
    assert "open" in str(breaker.read_state()()).casefold()


@pytest.mark.parametrize("library", [name for name in BREAKERS if name != "pyresilience"])
def test_every_form_of_call_shares_the_breaker(library: str) -> None:
    """Decorator and with block are rejected by the breaker that the plain call opened.

    (pyresilience makes a breaker for each decorated function.)
    """
    breakers, payload = breakers_of(library), Dependency().payload()
    breaker = breakers.breaker()
    forms = [breaker.decorated(payload)]
    with contextlib.suppress(Unsupported):
        forms.append(breaker.block(payload))
    fail(breaker.guard(payload), breakers.rejection, FAILURES_TO_OPEN)

    for form in forms:
        with pytest.raises(breakers.rejection):
            form()


def test_rejections_of_purgatory_do_not_pile_up() -> None:
    """The traceback of purgatory's one rejection stays short, however often it is raised."""
    with built("breaker.open_rejection[purgatory]") as operation:
        for _ in range(100):
            with pytest.raises(operation.raises) as caught:
                operation.call()

    assert len(caught.traceback) < 20


@pytest.mark.parametrize("library", RETRIES)
def test_retry_makes_three_attempts_and_raises_the_last_exception(library: str) -> None:
    """The payload is called three times, and its third exception comes out."""
    dependency = Dependency()
    decorated = retries_of(library).retrying().decorated(dependency.payload())

    with pytest.raises(PayloadError) as caught:
        decorated()
    assert caught.value.args == (ATTEMPTS,)
    assert dependency.calls == ATTEMPTS


@pytest.mark.parametrize("settings", [{}, {"backoff": True}, {"deadline": True}])
@pytest.mark.parametrize("library", RETRIES)
def test_retry_never_sleeps(
    library: str, settings: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry waits for no time at all, whether or not it computes waits."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    decorated = retries_of(library).retrying(**settings).decorated(Dependency().payload())

    with pytest.raises(PayloadError):
        decorated()
    assert set(slept) <= {0}


@pytest.mark.parametrize("library", ASYNC_RETRIES)
def test_async_retry_never_sleeps(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry of a coroutine waits for no time at all."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def fails() -> None:
        raise PayloadError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(PayloadError):
        asyncio.run(retries_of(library).retrying().decorated_async(fails)())
    assert set(slept) <= {0}


@pytest.mark.parametrize("library", ["stamina", "backoff", "retrying", "pyresilience"])
def test_jitter_is_computed_by_the_library(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the wait is cut to zero, the library still draws a random jitter for each."""
    import random

    drawn: list[str] = []

    def draw(*_bounds: float) -> float:
        drawn.append("draw")
        return 0.5

    monkeypatch.setattr(random, "uniform", draw)
    monkeypatch.setattr(random, "random", draw)
    decorated = retries_of(library).retrying(backoff=True).decorated(Dependency().payload())
    if library == "pyresilience":
        # It keeps random.random under a name of its own.
        monkeypatch.setattr(sys.modules["pyresilience._executor"], "_random", draw)

    with pytest.raises(PayloadError):
        decorated()
    assert len(drawn) >= ATTEMPTS - 1


@pytest.mark.parametrize("library", RETRIES)
def test_retry_prints_nothing(library: str) -> None:
    """No line goes to stderr for a retry, which would be measured with it."""
    name = f"retry.exhausts_three[{library}]"
    with built(name):
        pass
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from resilience_bench.scenarios.definition import discover\n"
        "from resilience_bench.worker.verification import check\n"
        "bound = discover([Path(sys.argv[1])]).bound[sys.argv[2]]\n"
        "check(bound, asyncio.Runner())\n"
    )
    command = [sys.executable, "-c", program, str(FOLDER / "retry.py"), name]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

    assert ended.stdout + ended.stderr == ""


def test_multiprocess_mode_does_not_spread() -> None:
    """While a counter lies in a file, other metrics of the process do not."""
    values = pytest.importorskip("prometheus_client.values")
    before, environment = values.ValueClass, dict(os.environ)
    with built("metrics.multiprocess_counter_inc[prometheus_client]") as operation:
        operation.call()
        assert values.ValueClass is before
        assert dict(os.environ) == environment


def test_forked_process_counts_in_its_own_file() -> None:
    """The operation of a file-backed counter also works in a forked process."""
    with built("metrics.multiprocess_counter_inc[prometheus_client]") as operation:
        operation.call()
        child = os.fork()
        if child == 0:
            try:
                operation.call()
            except BaseException:  # noqa: BLE001 - a forked test must not return to pytest
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)

        assert status == 0
        assert operation.count is not None
        assert operation.count() == 2


def test_scrape_writes_one_line_a_series() -> None:
    """The text of a scrape has as many samples as the case's name says."""
    with built("metrics.scrape_100_series[prometheus_client]") as operation:
        lines = operation.call().decode().splitlines()

    assert len([line for line in lines if not line.startswith("#")]) == 100


def test_scrape_of_opentelemetry_has_every_series() -> None:
    """Ten thousand series are not folded into the overflow series of OpenTelemetry."""
    with built("metrics.scrape_10k_series[opentelemetry_sdk,attributes=2]") as operation:
        [resource] = operation.call().resource_metrics
        [metric] = resource.scope_metrics[0].metrics

    assert len(metric.data.data_points) == 10_000


def test_a_child_that_is_made_is_forgotten() -> None:
    """Every call makes another child, so that none is looked up instead of made."""
    with built("metrics.construct_child[prometheus_client]") as operation:
        first, second = operation.call(), operation.call()

    assert first is not None
    assert first is not second


@pytest.mark.parametrize("attributes", [0, 2, 5])
def test_ten_thousand_series_are_not_collected_with_most_attributes(attributes: int) -> None:
    """Making them would take longer than all other cases together."""
    name = f"metrics.scrape_10k_series[opentelemetry_sdk,attributes={attributes}]"
    reason = "10 000 series are collected with 2 attributes only"

    assert (outcome(name) == reason) is (attributes == 5)


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
                with pytest.raises(operation.raises):
                    operation.call()

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


def imports_of(file: Path) -> Iterator[str]:
    """The dotted names that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("family", [*FAMILIES, "vocabulary"])
def test_family_imports_no_library(family: str) -> None:
    """A family file imports where no library is installed."""
    allowed = {*sys.stdlib_module_names, "resilience_bench"}
    foreign = [
        name
        for name in imports_of(FOLDER / f"{family}.py")
        if name.partition(".")[0] not in allowed and not name.startswith("benchmarks.vocabulary.")
    ]

    assert foreign == []


@pytest.mark.parametrize("file", sorted((FOLDER / "adapters").glob("*.py")), ids=lambda f: f.stem)
def test_adapters_never_import_one_another(file: Path) -> None:
    """An adapter imports its own library, and of this project the vocabulary only."""
    ours = [name for name in imports_of(file) if name.startswith("benchmarks")]

    assert not [name for name in ours if not name.startswith("benchmarks.vocabulary")]


def test_adapters_are_out_of_reach_of_asv() -> None:
    """Asv imports every package below benchmarks/, so the adapters are none."""
    assert not (FOLDER / "adapters" / "__init__.py").exists()


def test_never_is_out_of_reach() -> None:
    """A threshold that is never reached is larger than any number of calls."""
    assert NEVER > 10**15
