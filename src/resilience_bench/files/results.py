"""The results file: written atomically, read with every doubt, never touched by reading."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from resilience_bench._model import Result
from resilience_bench.errors import OtherFileError, UnreadableResultError, UnwritableOutputError
from resilience_bench.files.checked_json import Source, listed, shown
from resilience_bench.files.validation import check_sense

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
MEASURE_AGAIN: Final = "type 'resilience-bench run' to measure again"
WRITERS: Final = {"head.json": "compare", "run-1.json": "baseline learn", "learn-1.json": "prove"}
"""Which command wrote a folder, by a file that it holds."""
ANOTHER_OUTPUT: Final = "give the name of another file with --output"


def ensure_writable(path: Path, remedy: str = ANOTHER_OUTPUT) -> None:
    """Find out, before anything is measured, whether a file can be written; make its folder.

    Args:
        path: Which file.
        remedy: What to do if it cannot be written, for the error.

    Raises:
        UnwritableOutputError: If it cannot.
    """
    with _explained(path, remedy):
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            # A rename would put a plain file in the place of /dev/null.
            kind = "a folder" if target.is_dir() else "a device or a pipe"
            message = f"cannot write {shown(path)}: it is {kind}, not a file; {remedy}"
            raise UnwritableOutputError(message)
        probe = _beside(target)
        probe.write_bytes(b"\n")
        probe.unlink()


def write(result: Result, path: Path) -> None:
    """Write a results file so that at every moment either the old or the new one is whole.

    Raises:
        UnwritableOutputError: If it cannot be written; what was there stays.
    """
    stored = msgspec.to_builtins(result)
    for entry, record in zip(stored["cases"], result.cases, strict=True):
        entry["name"] = record.case.name  # for people who search the file; not read back
    try:
        text = msgspec.json.encode(stored).decode()
    except UnicodeEncodeError:  # half a surrogate pair in a name; slow, but nothing is lost
        text = json.dumps(stored, ensure_ascii=False)
    write_text(text + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a text to a file beside the named one, which then takes its place.

    Raises:
        UnwritableOutputError: If it cannot be written; what was there stays.
    """
    write_bytes(text.encode("utf-8", errors="replace"), path)


def write_bytes(content: bytes, path: Path, remedy: str = ANOTHER_OUTPUT) -> None:
    """Write a content as `write_text` does; for ``remedy`` see `ensure_writable`.

    Raises:
        UnwritableOutputError: If it cannot be written; what was there stays.
    """
    with _explained(path, remedy):
        target = path.resolve()
        temporary = _beside(target)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _beside(target: Path) -> Path:
    return target.with_name(f".{os.getpid()}.tmp")


@contextlib.contextmanager
def _explained(path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot write {shown(path)}: {reason}; {remedy}"
        raise UnwritableOutputError(message) from error


def read(path: Path) -> Result:
    """Read a results file.

    Raises:
        UnreadableResultError: If it is missing, not JSON, of another schema, or makes no sense;
            the text names the file and the key, what was found, what was expected, what to type.
    """
    source = _source(path)
    _refuse_folder(source)
    stored = source.parsed(source.content())
    _refuse_other_files(source, stored)
    source.check_schema(stored, SCHEMA)
    result = source.converted(stored, Result)
    check_sense(source, result)
    return result


def _refuse_folder(source: Source) -> None:
    if not source.path.is_dir():
        return
    held = sorted(each.name for each in source.path.glob("*.json"))
    writer = next((name for last, name in WRITERS.items() if last in held), "")
    found = f"found the folder of a '{writer}'" if writer else "found a folder"
    files = listed([shown(source.path / name) for name in held], " or ")
    remedy = f"name one of its files instead: {files}" if held else MEASURE_AGAIN
    source.refuse("", f"expected {source.kind}, {found}", remedy)


def _refuse_other_files(known: Source, stored: Mapping[str, object]) -> None:
    path = shown(known.path)
    source = dataclasses.replace(known, error=OtherFileError)
    if "ranges" in stored:
        remedy = f"type 'resilience-bench check --baseline {path}' to hold measurements against it"
        source.refuse("", f"expected {source.kind}, found a baseline", remedy)
    if "rates" in stored:
        remedy = f"type 'resilience-bench prove --from {path}' to draw builds from it"
        source.refuse("", f"expected {source.kind}, found what 'prove' wrote", remedy)


def _source(path: Path) -> Source:
    return Source(path, "a results file", UnreadableResultError, MEASURE_AGAIN)
