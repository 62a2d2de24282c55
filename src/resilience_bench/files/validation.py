"""Whether a results file makes sense: numbers that nobody can have measured are refused."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Container, Iterable
from typing import Final

from resilience_bench._model import (
    BUCKET,
    Counts,
    DriftRecord,
    LoadRecord,
    LoadSamples,
    Result,
    Samples,
    Tally,
    Weight,
    WorkerRecord,
)
from resilience_bench.files.checked_json import CheckedFile, describe_value

LARGEST: Final = 2**63 - 1
LARGEST_BUCKET: Final = int(math.log(LARGEST) / math.log(BUCKET))
OPTIONAL_FIELDS: Final = ("blocks", "resident_bytes")
"""What not every interpreter and system tells."""


def validate_result(source: CheckedFile, result: Result) -> None:
    """Refuse a result that nobody can have measured, with the key that says so.

    Raises:
        UnreadableResultError: As the source has it.
    """
    controls = _collect_controls(source, result)
    for position, worker in enumerate(result.workers):
        _check_worker(source, f"workers[{position}]", worker, controls)
    for position, counting in enumerate(result.instructions):
        key = f"instructions[{position}]"
        _check_names(source, key, counting.operations, controls)
        for kind, counted in (("controls", counting.controls), ("operations", counting.operations)):
            for name, counts in counted.items():
                _check_counts(source, f"{key}.{kind}.{name}", counts)
    for position, weighing in enumerate(result.allocations):
        key = f"allocations[{position}]"
        _check_names(source, key, weighing.operations, controls)
        for name, weight in weighing.operations.items():
            _check_weight(source, f"{key}.operations.{name}", weight)
    for position, loading in enumerate(result.loads):
        _check_load(source, f"loads[{position}]", loading, controls)
    for position, drifting in enumerate(result.drifts):
        _check_drift(source, f"drifts[{position}]", drifting, controls)


def _collect_controls(source: CheckedFile, result: Result) -> dict[str, str]:
    controls: dict[str, str] = {}
    for position, record in enumerate(result.cases):
        if record.case.name in controls:
            source.refuse(
                f"cases[{position}]", f"expected each case once, found {record.case.name}"
            )
        controls[record.case.name] = record.control
    return controls


def _check_names(
    source: CheckedFile,
    key: str,
    names: Iterable[str],
    known: Container[str],
    kind: str = "operations",
) -> None:
    for name in names:
        if name not in known:
            where = f"{key}.{kind}.{name}"
            source.refuse(where, "expected one of the names in cases, found another")


def _check_counts(source: CheckedFile, key: str, counts: Counts) -> None:
    for field in ("calls", "instructions"):
        fewer, more = getattr(counts, field)
        if not 0 <= fewer < more <= LARGEST:
            expected = "expected two numbers from 0, the second the larger one"
            source.refuse(f"{key}.{field}", f"{expected}, found {fewer} and {more}")


def _check_weight(source: CheckedFile, key: str, weight: Weight) -> None:
    for field, value in dataclasses.asdict(weight).items():
        if value < 0:
            source.refuse(f"{key}.{field}", f"expected 0 or more, found {value}")


def _check_worker(
    source: CheckedFile, key: str, worker: WorkerRecord, controls: dict[str, str]
) -> None:
    if worker.clock_resolution_ns <= 0:
        found = worker.clock_resolution_ns
        source.refuse(f"{key}.clock_resolution_ns", f"expected more than 0, found {found}")
    _check_names(source, key, worker.operations, controls)
    _check_samples(source, f"{key}.reference", worker.reference, least=1)
    for name, samples in worker.controls.items():
        _check_samples(source, f"{key}.controls.{name}", samples)
        _check_beside(source, f"{key}.controls.{name}", samples, len(worker.reference.elapsed_ns))
    for name, samples in worker.operations.items():
        where = f"{key}.operations.{name}"
        _check_samples(source, where, samples)
        _check_beside(source, where, samples, len(worker.reference.elapsed_ns))
        if controls[name] not in worker.controls:
            source.refuse(f"{key}.controls", f"expected {controls[name]!r}, the control of {name}")


def _check_samples(source: CheckedFile, key: str, samples: Samples, *, least: int = 0) -> None:
    if not 1 <= samples.calls <= LARGEST:
        source.refuse(f"{key}.calls", f"expected 1 or more, found {describe_value(samples.calls)}")
    if not samples.elapsed_ns:
        source.refuse(f"{key}.elapsed_ns", "expected samples, found none")
    for position, elapsed in enumerate(samples.elapsed_ns):
        if not least <= elapsed <= LARGEST:
            complaint = f"expected {least} or more nanoseconds, found {describe_value(elapsed)}"
            source.refuse(f"{key}.elapsed_ns[{position}]", complaint)


def _check_beside(source: CheckedFile, key: str, samples: Samples, references: int) -> None:
    if samples.beside and len(samples.beside) != len(samples.elapsed_ns):
        found = f"found {len(samples.beside)} for {len(samples.elapsed_ns)} samples"
        source.refuse(f"{key}.beside", f"expected as many numbers as there are samples, {found}")
    for position, beside in enumerate(samples.beside):
        if not 0 <= beside < references:
            expected = f"expected a sample of the reference, from 0 to {references - 1}"
            source.refuse(
                f"{key}.beside[{position}]", f"{expected}, found {describe_value(beside)}"
            )


def _check_load(
    source: CheckedFile, key: str, loading: LoadRecord, controls: dict[str, str]
) -> None:
    _check_names(source, key, loading.operations, controls)
    _check_names(source, key, loading.tallies, controls, "tallies")
    for kind, measured in (("controls", loading.controls), ("operations", loading.operations)):
        for name, samples in measured.items():
            _check_rates(source, f"{key}.{kind}.{name}", samples)
            _check_single_calls(source, f"{key}.{kind}.{name}", samples)
    for name in loading.operations:
        if controls[name] not in loading.controls:
            source.refuse(f"{key}.controls", f"expected {controls[name]!r}, the control of {name}")
    for name, tally in loading.tallies.items():
        _check_tally(source, f"{key}.tallies.{name}", tally)


def _check_rates(source: CheckedFile, key: str, samples: LoadSamples) -> None:
    _check_range(source, f"{key}.callers", samples.callers, least=1)
    _check_range(source, f"{key}.release_ns", samples.release_ns)
    count = len(samples.calls)
    if not count:
        source.refuse(f"{key}.calls", "expected samples, found none")
    for field in ("calls", "elapsed_ns", "fewest", "most", "reads"):
        numbers = getattr(samples, field)
        if len(numbers) != count and (field != "reads" or numbers):
            expected = f"expected as many numbers as there are of calls, {count}"
            source.refuse(f"{key}.{field}", f"{expected}, found {len(numbers)}")
        for position, number in enumerate(numbers):
            least = 1 if field == "elapsed_ns" else 0
            _check_range(source, f"{key}.{field}[{position}]", number, least=least)
    for position, (fewest, most) in enumerate(zip(samples.fewest, samples.most, strict=True)):
        if fewest > most:
            expected = f"expected at most {most}, the calls of the fastest caller"
            source.refuse(f"{key}.fewest[{position}]", f"{expected}, found {fewest}")


def _check_single_calls(source: CheckedFile, key: str, samples: LoadSamples) -> None:
    for bucket, count in samples.latencies.items():
        where = f"{key}.latencies.{bucket}"
        if not 0 <= bucket <= LARGEST_BUCKET:
            expected = f"expected a power of {BUCKET} as its name, from 0 to {LARGEST_BUCKET}"
            source.refuse(where, f"{expected}, found {describe_value(bucket)}")
        _check_range(source, where, count)
    _check_range(source, f"{key}.longest_ns", samples.longest_ns)
    _check_range(source, f"{key}.clock_ns", samples.clock_ns)
    for position, lag_ns in enumerate(samples.lags_ns):
        _check_range(source, f"{key}.lags_ns[{position}]", lag_ns)


def _check_tally(source: CheckedFile, key: str, tally: Tally) -> None:
    for field, value in dataclasses.asdict(tally).items():
        if value is not None:
            # A library's counter may have been reset meanwhile.
            least = -LARGEST if field == "counted" else 0
            _check_range(source, f"{key}.{field}", value, least=least)


def _check_drift(
    source: CheckedFile, key: str, drifting: DriftRecord, known: Container[str]
) -> None:
    if drifting.case not in known:
        source.refuse(f"{key}.case", "expected one of the names in cases, found another")
    points = drifting.points
    count = len(points.calls)
    if not count:
        source.refuse(f"{key}.points.calls", "expected points, found none")
    for field in dataclasses.fields(points):
        numbers = getattr(points, field.name)
        if len(numbers) != count and (field.name not in OPTIONAL_FIELDS or numbers):
            expected = f"expected as many numbers as there are of calls, {count}"
            source.refuse(f"{key}.points.{field.name}", f"{expected}, found {len(numbers)}")
        for position, number in enumerate(numbers):
            _check_range(source, f"{key}.points.{field.name}[{position}]", number)
    for position, (fewer, more) in enumerate(itertools.pairwise(points.calls), 1):
        if more <= fewer:
            where = f"{key}.points.calls[{position}]"
            source.refuse(where, f"expected more than the {fewer} before, found {more}")


def _check_range(source: CheckedFile, key: str, number: float, *, least: int = 0) -> None:
    if not least <= number <= LARGEST:
        source.refuse(key, f"expected {least} or more, found {describe_value(number)}")
