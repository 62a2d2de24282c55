"""Results files: written atomically, checked thoroughly when read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from resilience_bench._model import Result
from resilience_bench.errors import UnreadableResultError, WrongFileKindError, format_names
from resilience_bench.files.atomic import write_text
from resilience_bench.files.checked_json import CheckedFile, format_path
from resilience_bench.files.validation import validate_result

SCHEMA: Final = 1
"""Increased whenever an older version could misread what this version writes."""
MEASURE_AGAIN: Final = "type 'resilience-bench run' to measure again"
WRITERS: Final = {"head.json": "compare", "run-1.json": "baseline learn", "learn-1.json": "prove"}
"""The command that wrote a folder, by a file in it."""


def write(result: Result, path: Path) -> None:
    """Write a results file with `write_text`."""
    stored = msgspec.to_builtins(result)
    for entry, record in zip(stored["cases"], result.cases, strict=True):
        entry["name"] = record.case.name  # for people who search the file; not read back
    try:
        text = msgspec.json.encode(stored).decode()
    except UnicodeEncodeError:  # half a surrogate pair in a name; slow, but nothing is lost
        text = json.dumps(stored, ensure_ascii=False)
    write_text(text + "\n", path)


def read(path: Path) -> Result:
    """Read a results file; UnreadableResultError if it is missing, or no sound results file."""
    source = CheckedFile(path, "a results file", UnreadableResultError, MEASURE_AGAIN)
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
    names = sorted(path.name for path in source.path.glob("*.json"))
    writer = next((command for name, command in WRITERS.items() if name in names), "")
    found = f"found the folder of a '{writer}'" if writer else "found a folder"
    files = format_names([format_path(source.path / name) for name in names], " or ")
    remedy = f"name one of its files instead: {files}" if names else MEASURE_AGAIN
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
