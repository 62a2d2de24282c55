"""Results files: written, read, found, and what else is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilience_bench.errors import UnreadableResultError, UnwritableOutputError
from resilience_bench.files import atomic, results
from tests.factories import (
    make_case,
    make_record,
    make_result,
    sample_result,
)
from tests.files.results_factories import full_result, refusal
from tests.load_factories import (
    concurrency_result,
)


@pytest.mark.parametrize(
    "result",
    [
        sample_result(),
        make_result(),
        make_result(commit=None),
        full_result(),
        concurrency_result(workers=2),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, result: Any) -> None:
    """Everything survives the way to the disk and back."""
    results.write(result, tmp_path / "out.json")
    assert results.read(tmp_path / "out.json") == result


def test_names_can_be_searched_for_in_the_file(tmp_path: Path) -> None:
    """Every case stands in the file under its full name."""
    results.write(make_result([make_record(make_case("x"))]), tmp_path / "out.json")
    assert '"name":"breaker.closed_success[x]"' in (tmp_path / "out.json").read_text()


def test_text_that_is_no_utf8_does_not_stop_the_writing(tmp_path: Path) -> None:
    """A reason that quotes a strange file name is written all the same."""
    odd = make_result([make_record(make_case(), "failed", "file \udcff is odd")])
    results.write(odd, tmp_path / "out.json")
    assert results.read(tmp_path / "out.json").cases[0].status == "failed"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the new file, not the old one."""
    path = tmp_path / "out.json"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(UnwritableOutputError, match=r"out\.json: No space left on device; give"):
        results.write(make_result(), path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


def test_ensure_writable_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    """A path in a folder that does not exist yet can be written."""
    atomic.ensure_writable(tmp_path / "a" / "b" / "out.json")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_ensure_writable_keeps_what_is_there(tmp_path: Path) -> None:
    """Asking does not change the file, and a symbolic link stays one."""
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    atomic.ensure_writable(tmp_path / "link.json")
    results.write(make_result(), tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert results.read(tmp_path / "real.json") == make_result()


@pytest.mark.parametrize(
    "place", ["folder", "file/out.json", "/proc/out.json", "/dev/null", "a\0b", "x" * 300]
)
def test_ensure_writable_refuses_what_cannot_be_written(tmp_path: Path, place: str) -> None:
    """A folder, a file for a folder, a device, an impossible name: one line with what to type."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableOutputError, match=r"(?s)^cannot write .*--output$") as caught:
        atomic.ensure_writable(tmp_path / place)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    """What is not there, or is no file, is said so."""
    assert "No such file" in refusal(tmp_path / "nothing.json")
    assert "found a folder" in refusal(tmp_path)
    with pytest.raises(UnreadableResultError, match="found a device"):
        results.read(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("names", "found", "file"),
    [
        (("base", "head", "null"), "the folder of a 'compare'", "base.json"),
        (("run-1", "run-2"), "the folder of a 'baseline learn'", "run-1.json"),
        (("check-1", "learn-1"), "the folder of a 'prove'", "check-1.json"),
        (("mine",), "a folder", "mine.json"),
    ],
)
def test_a_folder_of_results_names_its_files(
    tmp_path: Path, names: tuple[str, ...], found: str, file: str
) -> None:
    """The message says which command wrote a file, and which files to type instead."""
    for name in names:
        results.write(make_result(), tmp_path / f"{name}.json")
    with pytest.raises(UnreadableResultError) as caught:
        results.read(tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}: expected a results file, found {found}; name one of its")
    assert f"instead: {tmp_path / file}" in said


@pytest.mark.parametrize(
    ("content", "found", "typed"),
    [
        ('{"schema": 1, "ranges": {}}', "a baseline", "check --baseline"),
        ('{"schema": 1, "rates": []}', "what 'prove' wrote", "prove --from"),
    ],
)
def test_another_file_of_ours_says_what_it_is(
    tmp_path: Path, content: str, found: str, typed: str
) -> None:
    """What it is, and which command takes it."""
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(UnreadableResultError) as caught:
        results.read(path)
    assert f"expected a results file, found {found}; " in str(caught.value)
    assert f"type 'resilience-bench {typed} {path}'" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        (b'{"schema": 1, "cas', "cut short at line 1"),
        (b'{"schema": 1,', "cut short"),
        (b"not json", "found none"),
        (b'{"schema": 1} x', "found none"),
        (b"\xff\xfe{", "UTF-8"),
        (b'{"a": "\xc3', "UTF-8"),
        (b"[1, 2]", "found a list"),
        (b"null", "found null"),
        (b'"text"', 'found "text"'),
        (b"5", "found 5"),
        (b"{}", "key schema: expected the number 1 of a results file, found no such key"),
        (b'{"schema": 99}', "key schema: expected at most 1, found 99"),
        (b'{"schema": 0}', "found 0"),
        (b'{"schema": true}', "found true"),
        (b'{"schema": "1"}', 'found "1"'),
        (b'{"schema": 1.0}', "found 1.0"),
        (b'{"schema": NaN}', "key schema: expected a finite number, found nan"),
        (b'{"schema": 1e999}', "found inf"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5_000, "found Infinity"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "key a: expected a finite number"),
        (b'{"schema": 1, "complete": tr', "cut short"),
        (b'{"benchmarks": [], "metadata": {}, "version": "1.0"}', "no such key"),
    ],
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    """Whatever the bytes, the answer is one line."""
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert part in refusal(path)
