"""The results file: written atomically, read with every doubt, never touched by reading."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from resilience_bench._model import Result
from resilience_bench.errors import UnreadableResultError, WrongFileKindError
from resilience_bench.files.atomic import write_text
from resilience_bench.files.checked_json import CheckedFile, format_names, format_path
from resilience_bench.files.validation import validate_result

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
MEASURE_AGAIN: Final = "type 'resilience-bench run' to measure again"
WRITERS: Final = {"head.json": "compare", "run-1.json": "baseline learn", "learn-1.json": "prove"}
"""Which command wrote a folder, by a file that it holds."""


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


def read(path: Path) -> Result:
    """Read a results file.

    Raises:
        UnreadableResultError: If it is missing, not JSON, of another schema, or makes no sense;
            the text names the file and the key, what was found, what was expected, what to type.
    """
    source = _create_checked_file(path)
    _refuse_folder(source)
    stored = source.parse(source.read_content())
    _refuse_other_files(source, stored)
    source.check_schema(stored, SCHEMA)
    result = source.convert(stored, Result)
    validate_result(source, result)
    return result


def _refuse_folder(source: CheckedFile) -> None:
    if not source.path.is_dir():
        return
    held = sorted(each.name for each in source.path.glob("*.json"))
    writer = next((name for last, name in WRITERS.items() if last in held), "")
    found = f"found the folder of a '{writer}'" if writer else "found a folder"
    files = format_names([format_path(source.path / name) for name in held], " or ")
    remedy = f"name one of its files instead: {files}" if held else MEASURE_AGAIN
    source.refuse("", f"expected {source.kind}, {found}", remedy)


def _refuse_other_files(known: CheckedFile, stored: Mapping[str, object]) -> None:
    path = format_path(known.path)
    source = dataclasses.replace(known, error=WrongFileKindError)
    if "ranges" in stored:
        remedy = f"type 'resilience-bench check --baseline {path}' to hold measurements against it"
        source.refuse("", f"expected {source.kind}, found a baseline", remedy)
    if "rates" in stored:
        remedy = f"type 'resilience-bench prove --from {path}' to draw builds from it"
        source.refuse("", f"expected {source.kind}, found what 'prove' wrote", remedy)


def _create_checked_file(path: Path) -> CheckedFile:
    return CheckedFile(path, "a results file", UnreadableResultError, MEASURE_AGAIN)
