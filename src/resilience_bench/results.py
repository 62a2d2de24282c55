"""The results file: written atomically, read with every doubt, never touched by reading."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from resilience_bench._model import Counts, Result, Samples, Weight, WorkerRecord
from resilience_bench.errors import UnreadableResultError, UnwritableOutputError
from resilience_bench.jsonfile import Source, brief, shown

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
LARGEST: Final = 2**63 - 1
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
            message = f"cannot write {shown(path)}: it is {kind}, not a file; {ANOTHER_OUTPUT}"
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


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot write {shown(path)}: {reason}; {ANOTHER_OUTPUT}"
        raise UnwritableOutputError(message) from error


def read(path: Path) -> Result:
    """Read a results file.

    Raises:
        UnreadableResultError: If it is missing, not JSON, of another schema, or makes no sense;
            the text names the file and the key, what was found, what was expected, what to type.
    """
    source = _source(path)
    stored = source.parsed(source.content())
    source.check_schema(stored, SCHEMA)
    result = source.converted(stored, Result)
    _check_sense(path, result)
    return result


def _source(path: Path) -> Source:
    return Source(path, "a results file", UnreadableResultError, MEASURE_AGAIN)


def _refuse(path: Path, key: str, complaint: str) -> NoReturn:
    _source(path).refuse(key, complaint)


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
    for position, counting in enumerate(result.instructions):
        key = f"instructions[{position}]"
        _check_names(path, key, counting.operations, controls)
        for kind, counted in (("controls", counting.controls), ("operations", counting.operations)):
            for name, counts in counted.items():
                _check_counts(path, f"{key}.{kind}.{name}", counts)
    for position, weighing in enumerate(result.allocations):
        key = f"allocations[{position}]"
        _check_names(path, key, weighing.operations, controls)
        for name, weight in weighing.operations.items():
            _check_weight(path, f"{key}.operations.{name}", weight)


def _check_names(path: Path, key: str, names: Iterable[str], known: Container[str]) -> None:
    for name in names:
        if name not in known:
            where = f"{key}.operations.{name}"
            _refuse(path, where, "expected one of the names in cases, found another")


def _check_counts(path: Path, key: str, counts: Counts) -> None:
    for field in ("calls", "instructions"):
        fewer, more = getattr(counts, field)
        if not 0 <= fewer < more <= LARGEST:
            expected = "expected two numbers from 0, the second the larger one"
            _refuse(path, f"{key}.{field}", f"{expected}, found {fewer} and {more}")


def _check_weight(path: Path, key: str, weight: Weight) -> None:
    for field, value in dataclasses.asdict(weight).items():
        if value < 0:
            _refuse(path, f"{key}.{field}", f"expected 0 or more, found {value}")


def _check_worker(path: Path, key: str, worker: WorkerRecord, controls: dict[str, str]) -> None:
    if worker.clock_resolution_ns <= 0:
        found = worker.clock_resolution_ns
        _refuse(path, f"{key}.clock_resolution_ns", f"expected more than 0, found {found}")
    _check_names(path, key, worker.operations, controls)
    _check_samples(path, f"{key}.reference", worker.reference, least=1)
    for name, samples in worker.controls.items():
        _check_samples(path, f"{key}.controls.{name}", samples)
        _check_beside(path, f"{key}.controls.{name}", samples, len(worker.reference.elapsed_ns))
    for name, samples in worker.operations.items():
        where = f"{key}.operations.{name}"
        _check_samples(path, where, samples)
        _check_beside(path, where, samples, len(worker.reference.elapsed_ns))
        if controls[name] not in worker.controls:
            _refuse(path, f"{key}.controls", f"expected {controls[name]!r}, the control of {name}")


def _check_samples(path: Path, key: str, samples: Samples, *, least: int = 0) -> None:
    if not 1 <= samples.calls <= LARGEST:
        _refuse(path, f"{key}.calls", f"expected 1 or more, found {brief(samples.calls)}")
    if not samples.elapsed_ns:
        _refuse(path, f"{key}.elapsed_ns", "expected samples, found none")
    for position, elapsed in enumerate(samples.elapsed_ns):
        if not least <= elapsed <= LARGEST:
            complaint = f"expected {least} or more nanoseconds, found {brief(elapsed)}"
            _refuse(path, f"{key}.elapsed_ns[{position}]", complaint)


def _check_beside(path: Path, key: str, samples: Samples, references: int) -> None:
    if samples.beside and len(samples.beside) != len(samples.elapsed_ns):
        found = f"found {len(samples.beside)} for {len(samples.elapsed_ns)} samples"
        _refuse(path, f"{key}.beside", f"expected as many numbers as there are samples, {found}")
    for position, beside in enumerate(samples.beside):
        if not 0 <= beside < references:
            expected = f"expected a sample of the reference, from 0 to {references - 1}"
            _refuse(path, f"{key}.beside[{position}]", f"{expected}, found {brief(beside)}")
