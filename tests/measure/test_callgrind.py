"""valgrind's dumps, and what is said where valgrind is missing or does not work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience_bench._model import Counts
from resilience_bench.measure import callgrind
from resilience_bench.measure.callgrind import ValgrindFailedError
from resilience_bench.worker.protocol import CountsMessage, EndMessage, MarkMessage, StatusMessage

MARKED = MarkMessage("operation", "f.s", 42, (10, 30))
DUMP = "# callgrind format\nversion: 1\nevents: Ir\n{total}\nfn=(1) main\n3 totals: 7\n"


def dump(folder: Path, **totals: str) -> None:
    """Write dumps of process 42: ``second="summary: 5"`` is the second one."""
    for name, total in totals.items():
        number = {"second": 2, "third": 3}[name]
        (folder / f"42.{number}").write_text(DUMP.format(total=total))


@pytest.mark.parametrize("word", ["summary", "totals"])
def test_counts_take_the_place_of_marks(tmp_path: Path, word: str) -> None:
    """The second and the third dump of the process are the counts; other messages stay."""
    dump(tmp_path, second=f"{word}: 5000", third=f"{word}: 14000 0 0")
    status = StatusMessage("f.s", "ready")
    reported = list(callgrind.insert_counts([status, MARKED, EndMessage()], tmp_path))
    counts = Counts((10, 30), (5000, 14000))
    assert reported == [status, CountsMessage("operation", "f.s", counts), EndMessage()]
    assert counts.per_call == 450.0


def test_a_missing_dump_is_valgrinds_failure(tmp_path: Path) -> None:
    """The message names the dump, and what to type."""
    dump(tmp_path, second="summary: 5000")
    with pytest.raises(ValgrindFailedError, match=r"42\.3 \(No such file.*valgrind --version"):
        list(callgrind.insert_counts([MARKED], tmp_path))


def test_a_dump_without_a_total_is_valgrinds_failure(tmp_path: Path) -> None:
    """A format that a future valgrind may have is reported as such."""
    dump(tmp_path, second="sum: 5000", third="sum: 6000")
    with pytest.raises(ValgrindFailedError, match=r"without a total to 42\.2; type 'valgrind"):
        list(callgrind.insert_counts([MARKED], tmp_path))


def test_command_dumps_into_the_folder(tmp_path: Path) -> None:
    """Every process, forked ones too, has a file of its own, and getppid makes a dump."""
    command = callgrind.build_command(tmp_path)
    assert command[0] == "valgrind"
    assert f"--callgrind-out-file={tmp_path}/%p" in command
    assert {"--tool=callgrind", "--trace-children=yes", "--dump-before=getppid"} <= set(command)


def test_without_valgrind_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason says what to type; there is none where valgrind is on PATH."""
    monkeypatch.setattr(callgrind.sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    expected = "valgrind is not installed; type: apt-get install valgrind"
    assert callgrind.explain_unavailability() == expected
    program = tmp_path / "valgrind"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert callgrind.explain_unavailability() == ""


def test_elsewhere_than_on_linux_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not valgrind is there, the reason names the platform."""
    monkeypatch.setattr(callgrind.sys, "platform", "darwin")
    assert callgrind.explain_unavailability().endswith("on darwin")


@pytest.fixture
def valgrind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where to put a fake valgrind; what was found out of another one is forgotten."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    callgrind.ensure_working.cache_clear()
    yield tmp_path / "valgrind"
    callgrind.ensure_working.cache_clear()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo one >&2; echo two >&2; echo three >&2; exit 1", "two | three; "),
        ("exit 3", "exit code 3; "),
    ],
)
def test_a_valgrind_that_fails_is_quoted(valgrind: Path, script: str, said: str) -> None:
    """The error has the last lines, and how to do without."""
    valgrind.write_text(f"#!/bin/sh\n{script}\n")
    valgrind.chmod(0o755)
    with pytest.raises(ValgrindFailedError, match=r"^valgrind failed: .*--signals$") as caught:
        callgrind.ensure_working()
    assert f"valgrind failed: {said}" in str(caught.value)


def test_a_valgrind_that_cannot_be_started_is_one_that_fails(
    valgrind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken file on PATH is no traceback."""
    monkeypatch.setenv("PATH", str(valgrind.parent))
    valgrind.write_text("#!/nowhere/sh\n")
    valgrind.chmod(0o755)
    with pytest.raises(ValgrindFailedError, match=r"^valgrind failed: .*--signals$"):
        callgrind.ensure_working()


def test_a_valgrind_that_works_is_tried_once(valgrind: Path) -> None:
    """Trying takes a second, so what was found out is remembered."""
    valgrind.write_text(f"#!/bin/sh\necho tried >> {valgrind.parent}/tries\n")
    valgrind.chmod(0o755)
    callgrind.ensure_working()
    callgrind.ensure_working()
    assert (valgrind.parent / "tries").read_text() == "tried\n"
