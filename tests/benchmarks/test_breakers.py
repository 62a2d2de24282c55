"""The breakers behind the suite open, probe and close alike."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from benchmarks import vocabulary
from benchmarks.vocabulary import FAILURES_TO_OPEN
from resilience_bench import PayloadError, Unsupported
from tests.benchmarks.families import BREAKERS, Dependency, adapter_of, built, discovery


def breakers_of(library: str) -> vocabulary.Breakers:
    """The breakers of a library."""
    return adapter_of(discovery().bound[f"breaker.closed_success[{library}]"])


def fail(guarded: Callable[[], object], rejection: type[BaseException], times: int) -> None:
    """Call what fails, so many times."""
    for _ in range(times):
        with pytest.raises((PayloadError, rejection)):
            guarded()


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
