"""Baselines: the acceptable ranges of one environment, in a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from resilience_bench._model import Environment
from resilience_bench._verdicts import Baseline, Range
from resilience_bench.errors import ForeignBaselineError, UnreadableBaselineError
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import CheckedFile, describe_value, format_json
from resilience_bench.files.validation import check_numbers
from resilience_bench.quantities import JUDGED, LOAD_SIGNALS, SIGNALS_JUDGED

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
FEWEST_RUNS: Final = 3
"""With fewer runs, a range says little about how much runs differ."""
LEARN: Final = "type 'resilience-bench baseline learn'"
SYSTEMS: Final = ("darwin", "windows", "freebsd", "openbsd", "netbsd")


def make_environment_name(environment: Environment) -> str:
    """Return the file stem of an environment's baseline, in the characters ``a-z0-9._-``."""
    build = "nogil" if environment.free_threaded else ""
    return _tidy(_shorten_version(environment.python), make_machine_name(environment), build)


def make_machine_name(environment: Environment) -> str:
    """Name the machine by system and CPU; in CI, each run has a host name of its own."""
    system = environment.os.partition(" ")[0].lower()
    return _tidy(
        system if system in SYSTEMS else "linux",  # distributions have names of their own
        environment.machine,
        re.sub(r"(?i)\((r|tm|c)\)", " ", environment.cpu_model),
        f"{environment.cpu_count}cpu",
    )


def _tidy(*parts: str) -> str:
    tidy = (re.sub(r"[^a-z0-9._]+", "-", part.lower()).strip("-._") for part in parts)
    return "-".join(filter(None, tidy))


def _shorten_version(python: str) -> str:
    """Return ``CPython 3.11`` of ``CPython 3.11.9``."""
    implementation, _, version = python.partition(" ")
    return f"{implementation} {'.'.join(version.split('.')[:2])}"


def write(baseline: Baseline, path: Path) -> None:
    """Write one range a line, for diffs; UnwritableOutputError leaves what was there."""
    stored = msgspec.to_builtins(baseline)
    stored["ranges"] = {
        case: dict(sorted(ranges.items())) for case, ranges in sorted(stored["ranges"].items())
    }
    atomic.ensure_writable(path)
    atomic.write_text(format_json(stored, depth=3) + "\n", path)


def read(path: Path) -> Baseline:
    """Read a baseline; UnreadableBaselineError says where it makes no sense, and what to type."""
    source = CheckedFile(path, "a baseline", UnreadableBaselineError, f"{LEARN} to learn it again")
    stored = source.parse(source.read_content())
    source.check_schema(stored, SCHEMA)
    baseline = source.convert(stored, Baseline)
    check_numbers(source, "", baseline)
    check_numbers(source, "environment", baseline.environment)
    for name, quantities in baseline.ranges.items():
        for quantity, bounds in quantities.items():
            _check_range(source, f"ranges.{name}.{quantity}", quantity, bounds)
    return baseline


def _check_range(source: CheckedFile, key: str, quantity: str, bounds: Range) -> None:
    if quantity not in JUDGED:
        source.refuse(key, f"expected one of {', '.join(JUDGED)}, found {describe_value(quantity)}")
    below = {name: max(getattr(bounds, name), 0.0) for name in ("expected", "low")}
    may_be_below = JUDGED[quantity].is_difference
    check_numbers(source, key, replace(bounds, **below) if may_be_below else bounds)
    if not bounds.low <= bounds.expected <= bounds.high:
        found = ", ".join(map(describe_value, (bounds.low, bounds.expected, bounds.high)))
        source.refuse(key, f"expected low <= expected <= high, found {found}")


def find_differences(
    baseline: Environment, here: Environment, *, names: tuple[str, str] = ("baseline", "here")
) -> dict[str, tuple[str, ...]]:
    """Find by signal what keeps it from being compared: ``cpu_model: baseline 'X', here 'Y'``."""
    return {
        signal: tuple(
            f"{key}: {names[0]} {was!r}, {names[1]} {now[key]!r}"
            for key, was in _select_decisive(signal, baseline).items()
            if was != now[key]
        )
        for signal in SIGNALS_JUDGED
        for now in [_select_decisive(signal, here)]
    }


def _select_decisive(signal: str, environment: Environment) -> dict[str, object]:
    # Not the packages: they are what is judged.
    names = ["python", "free_threaded", "gil_enabled", "machine"]
    if signal == "instructions":
        names.insert(1, "python_build")
    else:
        environment = replace(environment, python=_shorten_version(environment.python))
    if signal in {"latency", *LOAD_SIGNALS}:
        names = ["cpu_model", "cpu_count", *names]
    return {name: getattr(environment, name) for name in names}


def find(folder: Path, environment: Environment) -> Path:
    """Find the baseline of an environment; UnreadableBaselineError, which names the others."""
    wanted = f"{make_environment_name(environment)}.json"
    names = sorted(path.name for path in folder.glob("*.json"))
    if wanted not in names:
        found = ", ".join(names) or "no baseline at all"
        others = "name another one with --baseline, or judge budgets alone with --baseline none"
        remedy = f"{LEARN} to make it, {others}"
        source = CheckedFile(folder, wanted, UnreadableBaselineError, remedy)
        source.refuse("", f"expected {wanted}, the baseline of this environment, found {found}")
    return folder / wanted


def select_comparable(
    baseline: Baseline,
    here: Environment,
    reference_version: int,
    signals: Sequence[str] | None,
) -> tuple[str, ...]:
    """Return the wanted signals (None for all); ForeignBaselineError if one does not compare."""
    differing = find_differences(baseline.environment, here)
    if baseline.reference_version != reference_version:
        versions = f"baseline {baseline.reference_version}, here {reference_version}"
        differing["latency"] += (f"reference_version: {versions}",)
    wanted = tuple(differing if signals is None else signals)
    foreign = [signal for signal in wanted if differing[signal]]
    if not foreign:
        return wanted
    reasons = "; ".join(f"{signal} ({', '.join(differing[signal])})" for signal in foreign)
    left = [signal for signal in wanted if not differing[signal]]
    left = left or [signal for signal, found in differing.items() if not found]
    remedy = f"nothing else can be: {LEARN} here first"
    if left:
        remedy = f"{' and '.join(left)} can be: type --signals {','.join(left)}"
    raise ForeignBaselineError(
        f"the baseline cannot be compared with what is measured here: {reasons}; {remedy}"
    )
