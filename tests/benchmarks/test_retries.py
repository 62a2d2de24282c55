"""The retries behind the suite make three attempts, and never sleep."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from benchmarks import vocabulary
from benchmarks.vocabulary import ATTEMPTS
from resilience_bench import PayloadError
from tests.benchmarks.families import FOLDER, RETRIES, Dependency, adapter_of, built, discovery
from tests.conftest import ROOT

ASYNC_RETRIES = ("tenacity", "stamina", "backoff", "pyresilience")


def retries_of(library: str) -> vocabulary.Retries:
    """The retries of a library."""
    return adapter_of(discovery().bound[f"retry.first_try[{library}]"])


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
        "from resilience_bench.scenarios.discovery import discover\n"
        "from resilience_bench.worker.verification import check\n"
        "bound = discover([Path(sys.argv[1])]).bound[sys.argv[2]]\n"
        "check(bound, asyncio.Runner())\n"
    )
    command = [sys.executable, "-c", program, str(FOLDER / "retry.py"), name]
    # Nothing of this process counts: other tests may have changed its path and environment.
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )

    assert (ended.stdout + ended.stderr, ended.returncode) == ("", 0)
