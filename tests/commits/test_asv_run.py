"""asv is ended as Ctrl-C ends it, with whatever it has started."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from resilience_bench.commits import asv_run

LINGERING = "import time; print('ready', flush=True); time.sleep(3600)"
STUBBORN = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {LINGERING}"


def started(code: str) -> subprocess.Popen[str]:
    """A process that got all its input and has begun, as asv has when it measures."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("code", "grace_s", "ended_by"),
    [(LINGERING, 300.0, signal.SIGINT), (STUBBORN, 0.1, signal.SIGKILL)],
)
def test_it_is_interrupted_and_killed_if_that_does_not_do(
    monkeypatch: pytest.MonkeyPatch, code: str, grace_s: float, ended_by: signal.Signals
) -> None:
    """Its input is closed by then: that is no reason to leave it running."""
    monkeypatch.setattr(asv_run, "GRACE_S", grace_s)
    process = started(code)
    asv_run._interrupt(process)
    assert process.returncode == -ended_by
