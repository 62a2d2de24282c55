"""The results file: written atomically, read with every doubt, never touched by reading."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn, get_args

import msgspec

from resilience_bench._model import Result, Samples, Status, WorkerRecord
from resilience_bench.errors import UnreadableResultError, UnwritableOutputError

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
LARGEST: Final = 2**63 - 1
MOST_DIGITS: Final = 400
MEASURE_AGAIN: Final = "type 'resilience-bench run' to measure again"
ANOTHER_OUTPUT: Final = "give the name of another file with --output"


def ensure_writable(path: Path) -> None:
    """Find out, before anything is measured, whether a file can be written; make its folder.

    Raises:
        UnwritableOutputError: If it cannot.
    """
    with _explained(path):
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            # A rename would put a plain file in the place of /dev/null.
            kind = "a folder" if target.is_dir() else "a device or a pipe"
            message = f"cannot write {_shown(path)}: it is {kind}, not a file; {ANOTHER_OUTPUT}"
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
    write_text(json.dumps(stored, separators=(",", ":"), ensure_ascii=False) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a text to a file beside the named one, which then takes its place.

    Raises:
        UnwritableOutputError: If it cannot be written; what was there stays.
    """
    with _explained(path):
        target = path.resolve()
        temporary = _beside(target)
        try:
            with temporary.open("w", encoding="utf-8", errors="replace") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _beside(target: Path) -> Path:
    return target.with_name(f".{os.getpid()}.tmp")


def _shown(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() else repr(text)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot write {_shown(path)}: {reason}; {ANOTHER_OUTPUT}"
        raise UnwritableOutputError(message) from error


def read(path: Path) -> Result:
    """Read a results file.

    Raises:
        UnreadableResultError: If it is missing, not JSON, of another schema, or makes no sense;
            the text names the file and the key, what was found, what was expected, what to type.
    """
    stored = _parsed(path, _content(path))
    _check_schema(path, stored)
    try:
        result = msgspec.convert(stored, Result)
    except msgspec.ValidationError as error:
        complaint, _, key = str(error).partition(" - at `$")
        allowed = f"; expected one of {', '.join(get_args(Status))}" if "enum" in complaint else ""
        _refuse(path, _full_key(stored, key.rstrip("`").lstrip(".")), complaint + allowed)
    except UnicodeEncodeError:
        _refuse(path, "", "expected Unicode text, found half a surrogate pair")
    _check_sense(path, result)
    return result


def _full_key(stored: dict[str, Any], key: str) -> str:
    """The key with the name that msgspec leaves out of a mapping: ``packages[...]``."""
    if "[...]" not in key:
        return key
    before, _, after = key.partition("[...]")
    mapping: Any = stored
    for name, position in re.findall(r"(\w+)|\[(\d+)\]", before):
        mapping = mapping[name or int(position)]
    wanted: Any = str if before.endswith("packages") else Samples
    for name, value in mapping.items():
        try:
            msgspec.convert(value, wanted)
        except msgspec.ValidationError:
            return f"{before}.{name}{after}"
    return key


def _refuse(path: Path, key: str, complaint: str, remedy: str = MEASURE_AGAIN) -> NoReturn:
    where = f"key {key}: " if key else ""
    message = f"{_shown(path)}: {where}{complaint}; {remedy}"
    raise UnreadableResultError(" ".join(message.split()))


def _content(path: Path) -> str:
    try:
        if path.exists() and not (path.is_file() or path.is_fifo() or path.is_dir()):
            _refuse(path, "", "expected a results file, found a device")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, "", f"expected JSON in UTF-8, found something else at byte {error.start}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _refuse(path, "", f"expected a results file, found: {reason}")


def _parsed(path: Path, content: str) -> dict[str, Any]:
    if not content.strip():
        _refuse(path, "", "expected a results file, found an empty file")
    try:
        # Python's own parser: it reads NaN, so that its place can be named.
        stored = json.loads(content, parse_int=_whole_number)
    except json.JSONDecodeError as error:
        open_end = content.lstrip().startswith("{") and not content.rstrip().endswith("}")
        cut = open_end and error.msg != "Extra data"
        found = "a file that is cut short" if cut else f"none ({error.msg})"
        where = f"line {error.lineno} column {error.colno}"
        _refuse(path, "", f"expected JSON, found {found} at {where}")
    except RecursionError:
        _refuse(path, "", "expected a results file, found something nested too deeply")
    if not isinstance(stored, dict):
        _refuse(path, "", f"expected an object with the key schema, found {_brief(stored)}")
    for key, number in _numbers(stored):
        if not math.isfinite(number):
            _refuse(path, key, f"expected a finite number, found {number}")
    return stored


def _whole_number(digits: str) -> int | float:
    # Python refuses to read numbers of thousands of digits; infinity is refused with its key.
    return int(digits) if len(digits) <= MOST_DIGITS else math.inf


def _brief(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value)[:40]


def _numbers(value: object, key: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _numbers(each, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for position, each in enumerate(value):
            yield from _numbers(each, f"{key}[{position}]")
    elif isinstance(value, float):
        yield key, value


def _check_schema(path: Path, stored: dict[str, Any]) -> None:
    schema = stored.get("schema")
    if type(schema) is int and schema > SCHEMA:
        complaint = f"expected at most {SCHEMA}, found {schema}, which a newer version wrote"
        _refuse(path, "schema", complaint, "type 'pip install --upgrade resilience-bench'")
    if type(schema) is not int or schema < 1:
        found = _brief(schema) if "schema" in stored else "no such key"
        _refuse(path, "schema", f"expected the number {SCHEMA} of a results file, found {found}")


def _check_sense(path: Path, result: Result) -> None:
    controls: dict[str, str] = {}
    for position, record in enumerate(result.cases):
        if record.case.name in controls:
            _refuse(
                path, f"cases[{position}]", f"expected each case once, found {record.case.name}"
            )
        controls[record.case.name] = record.control
    for position, worker in enumerate(result.workers):
        _check_worker(path, f"workers[{position}]", worker, controls)


def _check_worker(path: Path, key: str, worker: WorkerRecord, controls: dict[str, str]) -> None:
    if worker.clock_resolution_ns <= 0:
        found = worker.clock_resolution_ns
        _refuse(path, f"{key}.clock_resolution_ns", f"expected more than 0, found {found}")
    _check_samples(path, f"{key}.reference", worker.reference, least=1)
    for name, samples in worker.controls.items():
        _check_samples(path, f"{key}.controls.{name}", samples)
        _check_beside(path, f"{key}.controls.{name}", samples, len(worker.reference.elapsed_ns))
    for name, samples in worker.operations.items():
        where = f"{key}.operations.{name}"
        _check_samples(path, where, samples)
        _check_beside(path, where, samples, len(worker.reference.elapsed_ns))
        if name not in controls:
            _refuse(path, where, "expected one of the names in cases, found another")
        if controls[name] not in worker.controls:
            _refuse(path, f"{key}.controls", f"expected {controls[name]!r}, the control of {name}")


def _check_samples(path: Path, key: str, samples: Samples, *, least: int = 0) -> None:
    if not 1 <= samples.calls <= LARGEST:
        _refuse(path, f"{key}.calls", f"expected 1 or more, found {_brief(samples.calls)}")
    if not samples.elapsed_ns:
        _refuse(path, f"{key}.elapsed_ns", "expected samples, found none")
    for position, elapsed in enumerate(samples.elapsed_ns):
        if not least <= elapsed <= LARGEST:
            complaint = f"expected {least} or more nanoseconds, found {_brief(elapsed)}"
            _refuse(path, f"{key}.elapsed_ns[{position}]", complaint)


def _check_beside(path: Path, key: str, samples: Samples, references: int) -> None:
    if samples.beside and len(samples.beside) != len(samples.elapsed_ns):
        found = f"found {len(samples.beside)} for {len(samples.elapsed_ns)} samples"
        _refuse(path, f"{key}.beside", f"expected as many numbers as there are samples, {found}")
    for position, beside in enumerate(samples.beside):
        if not 0 <= beside < references:
            expected = f"expected a sample of the reference, from 0 to {references - 1}"
            _refuse(path, f"{key}.beside[{position}]", f"{expected}, found {_brief(beside)}")
