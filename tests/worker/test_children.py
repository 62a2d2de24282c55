"""Forked processes of a worker: how they end, and how many there are at a time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from resilience_bench.worker import children
from resilience_bench.worker.children import (
    DONE,
    HEAVY,
    HUNG,
    Work,
    explain_exit_code,
    run_in_child,
    run_in_children,
)

# CPython 3.12 and newer warn of every fork while numpy's threads are there.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def _raising() -> bool:
    raise OSError


def _killed() -> bool:
    os.kill(os.getpid(), signal.SIGUSR2)
    return True


def _leaving() -> bool:
    os._exit(7)


@pytest.mark.parametrize(
    ("work", "code", "text"),
    [
        (lambda: True, DONE, ""),
        (lambda: False, HEAVY, "SIGUSR1"),
        (_raising, 1, "its process under valgrind ended with exit code 1"),
        (_leaving, 7, "its process under valgrind ended with exit code 7"),
        (_killed, -signal.SIGUSR2, "its process under valgrind was ended by SIGUSR2"),
    ],
    ids=["done", "heavy", "raises", "exits", "crashes"],
)
def test_the_status_of_a_child_is_reported(work: Callable[[], bool], code: int, text: str) -> None:
    """However the child ends, the parent goes on, and knows how."""
    assert run_in_child(work) == code
    assert explain_exit_code(code).endswith(text)
    assert bool(explain_exit_code(code)) == bool(text)


def test_a_child_that_hangs_is_given_up_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Past its time limit the child is killed and reaped."""
    monkeypatch.setattr(children, "LIMIT_S", 0.05)

    forked: list[int] = []
    fork = os.fork

    def noted() -> int:
        forked.append(fork())
        return forked[-1]

    monkeypatch.setattr(os, "fork", noted)

    def hanging() -> bool:
        while True:
            time.sleep(1)

    assert run_in_child(hanging) == HUNG
    assert "hung past its time limit of 0.05 s" in explain_exit_code(HUNG)
    (child,) = forked
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def test_a_work_that_turns_out_to_be_heavy_is_done_once_more(tmp_path: Path) -> None:
    """In a fresh process, and once only; a work that is known to be heavy has no other try."""
    log = tmp_path / "log"

    def make(name: str, is_done: Callable[[bool], bool]) -> Callable[..., bool]:
        def do(*, heavy: bool) -> bool:
            with log.open("a") as file:
                file.write(f"{name} {heavy}\n")
            return is_done(heavy)

        return do

    works = [
        Work("light", make("light", lambda _: True)),
        Work("heavier", make("heavier", lambda heavy: heavy)),
        Work("heavy", make("heavy", lambda _: True), is_heavy=True),
        Work("never", make("never", lambda _: False)),
    ]
    assert dict(run_in_children(works, 2)) == {
        "light": DONE,
        "heavier": DONE,
        "heavy": DONE,
        "never": HEAVY,
    }
    assert sorted(log.read_text().splitlines()) == [
        "heavier False",
        "heavier True",
        "heavy True",
        "light False",
        "never False",
        "never True",
    ]


@pytest.mark.parametrize("at_a_time", [1, 2, 8])
def test_several_children_run_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at_a_time: int
) -> None:
    """None ends before so many of them began, and there are never more."""
    most = 0

    def make(number: int) -> Callable[..., bool]:
        def do(**_: bool) -> bool:
            (tmp_path / str(number)).touch()
            while len(list(tmp_path.iterdir())) < at_a_time:
                time.sleep(0.005)
            return True

        return do

    fork, wait = os.fork, os.waitpid
    running: set[int] = set()

    def count_fork() -> int:
        nonlocal most
        running.add(child := fork())
        most = max(most, len(running))
        return child

    def count_wait(child: int, options: int) -> tuple[int, int]:
        ended = wait(child, options)
        running.discard(child)
        return ended

    monkeypatch.setattr(os, "fork", count_fork)
    monkeypatch.setattr(os, "waitpid", count_wait)
    works = [Work(str(number), make(number)) for number in range(12)]
    codes = list(run_in_children(works, at_a_time))
    assert codes == [(str(number), DONE) for number in range(12)]
    assert most == at_a_time


def test_what_follows_a_child_that_crashed_is_done() -> None:
    """Each work has an exit code of its own."""
    works = [Work("crashes", lambda **_: _killed()), Work("goes on", lambda **_: True)]
    assert list(run_in_children(works, 1)) == [("crashes", -signal.SIGUSR2), ("goes on", DONE)]
