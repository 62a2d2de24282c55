"""Validation of stored numbers: those that nobody can have measured are refused."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from resilience_bench import _model, _outages
from resilience_bench._verdicts import Baseline, Range
from resilience_bench.files.checked_json import CheckedFile, describe_value

LARGEST: Final = 2**63 - 1
LARGEST_BUCKET: Final = int(math.log(LARGEST) / math.log(_model.BUCKET))


def _map_fields(kind: type, least: int, **others: int) -> dict[str, int]:
    return dict.fromkeys((field.name for field in dataclasses.fields(kind)), least) | others


LEAST: Final[Mapping[type, Mapping[str, int]]] = {
    _model.Samples: {"calls": 1, "elapsed_ns": 0},
    _model.Weight: _map_fields(_model.Weight, 0),
    _model.LoadSamples: _map_fields(_model.LoadSamples, 0, callers=1, elapsed_ns=1),
    # A library's counter may have been reset meanwhile.
    _model.Tally: _map_fields(_model.Tally, 0, counted=-LARGEST),
    _model.DriftPoints: _map_fields(_model.DriftPoints, 0),
    _outages.PhaseCounts: dict.fromkeys(
        ("starts_us", "ends_us", "cpu_us", "reached", "log_bytes", "threads", "resident_bytes"), 0
    ),
    _outages.Outage: {
        "callers": 1,
        "bare_requests": 0,
        "bare_cpu_us": 0,
        "arrivals_us": 0,
        "latencies_us": 0,
        "opened_us": 0,
    },
    Baseline: {"reference_version": 1},
    _model.Environment: {"cpu_count": 1},
    Range: {"expected": 0, "low": 0, "high": 0, "spread": 0, "runs": 1, "workers": 1},
}
"""The least value of each number, or of each of several numbers, by the field that holds them."""
SAME_LENGTH: Final[Mapping[type, tuple[str, ...]]] = {
    _model.Samples: ("elapsed_ns", "beside"),
    _model.LoadSamples: ("calls", "elapsed_ns", "fewest", "most", "reads"),
    _model.DriftPoints: ("calls", "operation_ns", "reference_ns", "blocks", "resident_bytes"),
    _outages.Outage: ("arrivals_us", "latencies_us", "answers"),
}
"""Fields with as many numbers as the first one, which has at least one."""
COUNTED_IN: Final[Mapping[type, str]] = {
    _model.DriftPoints: "points",
    _outages.Outage: "requests",
}
OF_ONE_CASE: Final[Mapping[type, str]] = {
    _model.DriftRecord: "points",
    _outages.OutageRecord: "outage",
}
"""Records of one case, and the field that holds what was measured."""
MAY_BE_EMPTY: Final = {"beside", "reads", "blocks", "resident_bytes"}
"""Not every case, interpreter and system has these."""


def check_numbers(source: CheckedFile, key: str, record: object) -> None:
    """Refuse a record with a number below that of `LEAST`, or above `LARGEST`."""
    for name, least in LEAST.get(type(record), {}).items():
        value = getattr(record, name)
        entries: Iterable[tuple[str, Any]] = [("", value)]
        if isinstance(value, dict):
            entries = ((f".{entry}", number) for entry, number in value.items())
        elif isinstance(value, tuple):
            # The fast way first: there are hundreds of thousands of samples.
            if not value or (min(value) >= least and max(value) <= LARGEST):
                continue
            entries = ((f"[{position}]", number) for position, number in enumerate(value))
        for entry, number in entries:
            if number is not None and not least <= number <= LARGEST:
                found = describe_value(number)
                where = f"{key}.{name}{entry}".lstrip(".")
                source.refuse(where, f"expected {least} or more, found {found}")


def validate_result(source: CheckedFile, result: _model.Result) -> None:
    """Refuse a result that nobody can have measured, with the key that says so."""
    controls: dict[str, str] = {}
    for position, case in enumerate(result.cases):
        if case.case.name in controls:
            found = f"expected each case once, found {case.case.name}"
            source.refuse(f"cases[{position}]", found)
        controls[case.case.name] = case.control
    for kind in ("workers", "instructions", "allocations", "loads", "drifts", "outages"):
        for position, record in enumerate(getattr(result, kind)):
            _check_record(source, f"{kind}[{position}]", record, controls)


def _check_record(source: CheckedFile, key: str, record: Any, controls: Mapping[str, str]) -> None:
    if type(record) in OF_ONE_CASE:
        content = OF_ONE_CASE[type(record)]
        _check_name(source, f"{key}.case", record.case, controls)
        _check_entry(source, f"{key}.{content}", getattr(record, content))
        return
    if isinstance(record, _model.WorkerRecord):
        _check_worker(source, key, record)
    for kind in ("controls", "operations", "tallies"):
        for name, entry in getattr(record, kind, {}).items():
            if kind != "controls":
                _check_name(source, f"{key}.{kind}.{name}", name, controls)
            _check_entry(source, f"{key}.{kind}.{name}", entry)
            if isinstance(record, _model.WorkerRecord):
                _check_beside(source, f"{key}.{kind}.{name}", entry, record.reference)
    if isinstance(record, _model.WorkerRecord | _model.LoadRecord):
        for name in record.operations:
            if controls[name] not in record.controls:
                expected = f"expected {controls[name]!r}, the control of {name}"
                source.refuse(f"{key}.controls", expected)


def _check_name(source: CheckedFile, key: str, name: str, known: Mapping[str, str]) -> None:
    if name not in known:
        source.refuse(key, "expected one of the names in cases, found another")


def _check_worker(source: CheckedFile, key: str, worker: _model.WorkerRecord) -> None:
    if worker.clock_resolution_ns <= 0:
        found = worker.clock_resolution_ns
        source.refuse(f"{key}.clock_resolution_ns", f"expected more than 0, found {found}")
    _check_entry(source, f"{key}.reference", worker.reference)
    if 0 in worker.reference.elapsed_ns:
        position = worker.reference.elapsed_ns.index(0)
        source.refuse(f"{key}.reference.elapsed_ns[{position}]", "expected 1 or more, found 0")


def _check_entry(source: CheckedFile, key: str, entry: object) -> None:
    _check_lengths(source, key, entry)
    check_numbers(source, key, entry)
    match entry:
        case _model.Counts():
            for name in ("calls", "instructions"):
                fewer, more = getattr(entry, name)
                if not 0 <= fewer < more <= LARGEST:
                    expected = "expected two numbers from 0, the second the larger one"
                    source.refuse(f"{key}.{name}", f"{expected}, found {fewer} and {more}")
        case _model.LoadSamples():
            _check_load(source, key, entry)
        case _model.DriftPoints():
            for position, (fewer, more) in enumerate(itertools.pairwise(entry.calls), 1):
                if more <= fewer:
                    where = f"{key}.calls[{position}]"
                    source.refuse(where, f"expected more than the {fewer} before, found {more}")
        case _outages.Outage():
            _check_outage(source, key, entry)


def _check_lengths(source: CheckedFile, key: str, entry: object) -> None:
    if type(entry) not in SAME_LENGTH:
        return
    first, *others = SAME_LENGTH[type(entry)]
    count = len(getattr(entry, first))
    if not count:
        what = COUNTED_IN.get(type(entry), "samples")
        source.refuse(f"{key}.{first}", f"expected {what}, found none")
    for name in others:
        numbers = getattr(entry, name)
        if len(numbers) != count and (numbers or name not in MAY_BE_EMPTY):
            expected = f"expected as many numbers as there are of {first}, {count}"
            source.refuse(f"{key}.{name}", f"{expected}, found {len(numbers)}")


def _check_beside(source: CheckedFile, key: str, samples: Any, reference: _model.Samples) -> None:
    last = len(reference.elapsed_ns) - 1
    for position, beside in enumerate(samples.beside):
        if not 0 <= beside <= last:
            expected = f"expected a sample of the reference, from 0 to {last}"
            found = describe_value(beside)
            source.refuse(f"{key}.beside[{position}]", f"{expected}, found {found}")


def _check_load(source: CheckedFile, key: str, samples: _model.LoadSamples) -> None:
    for position, (fewest, most) in enumerate(zip(samples.fewest, samples.most, strict=True)):
        if fewest > most:
            expected = f"expected at most {most}, the calls of the fastest caller"
            source.refuse(f"{key}.fewest[{position}]", f"{expected}, found {fewest}")
    for bucket in samples.latencies:
        if not 0 <= bucket <= LARGEST_BUCKET:
            expected = (
                f"expected a power of {_model.BUCKET} as its name, from 0 to {LARGEST_BUCKET}"
            )
            found = describe_value(bucket)
            source.refuse(f"{key}.latencies.{bucket}", f"{expected}, found {found}")


def _check_outage(source: CheckedFile, key: str, outage: _outages.Outage) -> None:
    if not outage.phases:
        source.refuse(f"{key}.phases", "expected phases, found none")
    ends_us = 0
    for position, phase in enumerate(outage.phases):
        check_numbers(source, f"{key}.phases[{position}]", phase)
        if phase.starts_us != ends_us or phase.ends_us <= ends_us:
            expected = f"expected a phase from {ends_us} to a later time"
            found = f"found one from {phase.starts_us} to {phase.ends_us}"
            source.refuse(f"{key}.phases[{position}]", f"{expected}, {found}")
        ends_us = phase.ends_us
    for position, (earlier, later) in enumerate(itertools.pairwise(outage.arrivals_us), 1):
        if later < earlier:
            where = f"{key}.arrivals_us[{position}]"
            source.refuse(where, f"expected {earlier} or more, found {later}")
    if unknown := sorted(set(outage.answers) - set(_outages.ANSWERS)):
        expected = f"expected the letters {', '.join(_outages.ANSWERS)}"
        source.refuse(f"{key}.answers", f"{expected}, found {describe_value(unknown[0])}")
