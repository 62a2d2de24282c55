"""What is acceptable in one environment: learned from runs, kept in a file, found again."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from resilience_bench import results
from resilience_bench._model import Baseline, Environment, Measurement, Range, Result
from resilience_bench.errors import (
    ForeignBaselineError,
    RefusedLearningError,
    UnreadableBaselineError,
)
from resilience_bench.jsonfile import Source, brief, listed

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
SIGNALS: Final[Mapping[str, str]] = {
    "ratio": "latency",
    "instructions": "instructions",
    "allocated_bytes": "allocations",
    "object_bytes": "allocations",
}
"""The quantities that are judged, and the signal that each is of."""
WIDTHS: Final[Mapping[str, float]] = {
    "ratio": 0.10,
    "instructions": 0.01,
    "allocated_bytes": 0.05,
    "object_bytes": 0.05,
}
"""The least that a range reaches to either side of what is expected, as a share of that."""
SLACK: Final[Mapping[str, float]] = {"allocated_bytes": 16.0, "object_bytes": 16.0}
"""The least in bytes: 5 % of nothing kept is nothing, and one small block is no regression."""
MARGIN: Final = 1.5
"""A range reaches so many times as far as the runs did: the next one may well lie further out."""
ROUNDING: Final = 0.001
"""A share of the upper end; ranges that differ by less are the same."""
FEWEST_RUNS: Final = 3
"""A range that rests on fewer runs knows little about how runs differ."""
LEARN: Final = "type 'resilience-bench baseline learn'"
SYSTEMS: Final = ("darwin", "windows", "freebsd", "openbsd", "netbsd")


def environment_name(environment: Environment) -> str:
    """The file stem of the baseline of an environment, of the characters ``a-z0-9._-`` only."""
    system = environment.os.partition(" ")[0].lower()
    parts = [
        _minor_version(environment.python),
        system if system in SYSTEMS else "linux",  # distributions have names of their own
        environment.machine,
        re.sub(r"(?i)\((r|tm|c)\)", " ", environment.cpu_model),
        f"{environment.cpu_count}cpu",
        *(["nogil"] if environment.free_threaded else []),
    ]
    tidy = (re.sub(r"[^a-z0-9._]+", "-", part.lower()).strip("-._") for part in parts)
    return "-".join(filter(None, tidy))


def _minor_version(python: str) -> str:
    """``CPython 3.11`` of ``CPython 3.11.9``."""
    implementation, _, version = python.partition(" ")
    return f"{implementation} {'.'.join(version.split('.')[:2])}"


def learn(
    runs: Sequence[tuple[Result, Sequence[Measurement]]],
    reason: str,
    widths: Mapping[str, float] = WIDTHS,
) -> Baseline:
    """Learn from runs what is acceptable.

    The expected value is the median of the runs' values. The range reaches `widths` to either side
    of it, or `MARGIN` times as far as the runs did, whichever is more; never below 0.

    Args:
        runs: What `results.read` and `statistics.measure` returned, in the order of the runs.
        reason: Why the baseline is learned, in the words of the person who does it.
        widths: The least half width of a range by quantity, as a share of the expected value.

    Returns:
        A baseline of the cases that were measured and the quantities that are judged and finite.

    Raises:
        RefusedLearningError: If there are no runs, nothing was measured, or the runs are of
            different environments or references.
    """
    _check_alike([result for result, _ in runs])
    seen: dict[str, dict[str, list[tuple[float, int]]]] = {}
    for result, measurements in runs:
        for name, quantity, value, workers in _judged(result, measurements):
            seen.setdefault(name, {}).setdefault(quantity, []).append((value, workers))
    if not seen:
        _refuse("nothing was measured in the runs", LEARN)
    last = runs[-1][0]
    return Baseline(
        schema=SCHEMA,
        tool_version=last.tool_version,
        reference_version=last.reference_version,
        environment=last.environment,
        commit=last.commit,
        learned=last.ended,
        reason=reason,
        ranges={
            name: {
                quantity: _range(each, widths[quantity], SLACK.get(quantity, 0.0))
                for quantity, each in quantities.items()
            }
            for name, quantities in sorted(seen.items())
        },
    )


def _check_alike(runs: Sequence[Result]) -> None:
    if not runs:
        _refuse("there are no runs", LEARN)
    first = _identity(runs[0])
    for position, run in enumerate(runs[1:], start=2):
        other = _identity(run)
        differing = [
            f"{key} ({first.get(key)!r}, then {other.get(key)!r})"
            for key in {**first, **other}
            if first.get(key) != other.get(key)
        ]
        if differing:
            found = f"run {position} differs from run 1 in {listed(differing)}"
            remedy = f"{LEARN} to measure them again"
            _refuse(f"{found}; expected runs of one environment", remedy)


def _refuse(found: str, remedy: str) -> NoReturn:
    message = f"cannot learn: {found}; {remedy}"
    raise RefusedLearningError(message)


def _identity(run: Result) -> dict[str, object]:
    here = run.environment
    names = ("python", "python_build", "free_threaded", "cpu_model", "cpu_count", "machine")
    return {
        **{name: getattr(here, name) for name in names},
        "reference_version": run.reference_version,
        **{f"packages.{name}": version for name, version in here.packages.items()},
    }


def _judged(
    result: Result, measurements: Sequence[Measurement]
) -> Iterator[tuple[str, str, float, int]]:
    """Case, quantity, value and the workers behind it."""
    measured = {record.case.name for record in result.cases if record.status == "measured"}
    for each in measurements:
        for quantity in SIGNALS:
            found = each.quantities.get(quantity)
            if each.case.name in measured and found and math.isfinite(found.value):
                # A mean of kept bytes may lie a hair below zero; a range starts there.
                value = max(0.0, found.value)
                yield each.case.name, quantity, value, each.workers if quantity == "ratio" else 1


def _range(seen: Sequence[tuple[float, int]], width: float, slack: float) -> Range:
    values = [value for value, _ in seen]
    least, most = min(values), max(values)
    expected = statistics.median(values)
    reach = max(expected * width, slack)
    return Range(
        expected=expected,
        # The outer min and max: a subtraction may round to the wrong side of what was seen.
        low=max(0.0, min(least, expected - max(reach, MARGIN * (expected - least)))),
        high=max(most, expected + max(reach, MARGIN * (most - expected))),
        runs=len(values),
        workers=sum(workers for _, workers in seen),
        spread=(most - least) / (expected or slack or 1.0),
    )


@dataclass(frozen=True, slots=True)
class Move:
    """One range of a case that is not what it was; None where there is, or was, no range."""

    case: str
    quantity: str
    before: Range | None
    after: Range | None

    @property
    def loosens(self) -> bool:
        """Whether more is let through than before, or more is expected."""
        rises = self._rises()
        if not rises:
            return False
        # A range that moves down as a whole is no looser: what it is of has become cheaper.
        return max(rises["high"], rises["expected"], rises["high"] - rises["low"]) > 0

    @property
    def is_real(self) -> bool:
        """Whether more differs than rounding explains."""
        return self.before is None or self.after is None or any(self._rises().values())

    def _rises(self) -> dict[str, float]:
        """By how much each number went up; 0 if that is rounding."""
        if self.before is None or self.after is None:
            return {}
        rounding = ROUNDING * self.before.high
        names = ("expected", "low", "high")
        rises = {name: getattr(self.after, name) - getattr(self.before, name) for name in names}
        return {name: rise if abs(rise) > rounding else 0.0 for name, rise in rises.items()}

    def __str__(self) -> str:
        return f"{self.case} {self.quantity} {_numbers(self.before)} -> {_numbers(self.after)}"


def _numbers(each: Range | None) -> str:
    return f"{each.expected:.6g} [{each.low:.6g}, {each.high:.6g}]" if each else "no range"


def moves(before: Baseline, after: Baseline) -> list[Move]:
    """What differs between two baselines by more than rounding, by case and quantity."""
    every = [
        Move(name, quantity, old.get(quantity), new.get(quantity))
        for name in sorted({**before.ranges, **after.ranges})
        for old, new in [(before.ranges.get(name, {}), after.ranges.get(name, {}))]
        for quantity in SIGNALS
        if quantity in old or quantity in new
    ]
    return [move for move in every if move.is_real]


def accepted(before: Baseline, after: Baseline, reason: str | None) -> Baseline:
    """The new baseline with the reason for whatever got looser.

    Args:
        before: The committed baseline.
        after: The one that was learned now.
        reason: Why looser ranges are right; None if nobody said.

    Returns:
        ``after``, in which each range that got looser has this reason and every other one the
        reason that it had before.

    Raises:
        RefusedLearningError: If a range gets looser and there is no reason.
    """
    loosened = {(move.case, move.quantity): move for move in moves(before, after) if move.loosens}
    said = (reason or "").strip()
    if loosened and not said:
        count = f"{len(loosened)} range{'s' if len(loosened) > 1 else ''} would get looser"
        some = listed([str(move) for move in loosened.values()], "; ")
        _refuse(f"{count}: {some}", 'if that is right, type --accept "reason"')

    def explained(name: str, quantity: str, new: Range) -> Range:
        old = before.ranges.get(name, {}).get(quantity, new)
        return replace(new, reason=said if (name, quantity) in loosened else old.reason)

    return replace(
        after,
        ranges={
            name: {quantity: explained(name, quantity, new) for quantity, new in quantities.items()}
            for name, quantities in after.ranges.items()
        },
    )


def write(baseline: Baseline, path: Path) -> None:
    """Write a baseline, one range a line, so that a diff shows which ranges moved.

    Raises:
        UnwritableOutputError: If it cannot be written; what was there stays.
    """
    stored: dict[str, Any] = msgspec.to_builtins(baseline)
    cases = _members("  ", stored.pop("ranges"), lambda ranges: _members("   ", ranges, _json))
    head = json.dumps(stored, indent=1, ensure_ascii=False).removesuffix("\n}")
    results.ensure_writable(path)
    results.write_text(f'{head},\n "ranges": {cases}\n}}\n', path)


def _members(indent: str, stored: dict[str, Any], shown: Callable[[Any], str]) -> str:
    """A JSON object with a member a line, sorted."""
    lines = [f"\n{indent}{_json(key)}: {shown(each)}" for key, each in sorted(stored.items())]
    return f"{{{','.join(lines)}\n{indent[:-1]}}}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def read(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        UnreadableBaselineError: If it is missing, not JSON, of another schema, or makes no sense;
            the text names the file and the key, what was found, what was expected, what to type.
    """
    source = Source(path, "a baseline", UnreadableBaselineError, f"{LEARN} to learn it again")
    stored = source.parsed(source.content())
    source.check_schema(stored, SCHEMA)
    baseline = source.converted(stored, Baseline)
    source.check_least("reference_version", baseline.reference_version, 1)
    source.check_least("environment.cpu_count", baseline.environment.cpu_count, 1)
    for name, quantities in baseline.ranges.items():
        for quantity, each in quantities.items():
            _check_range(source, f"ranges.{name}.{quantity}", quantity, each)
    return baseline


def _check_range(source: Source, key: str, quantity: str, each: Range) -> None:
    if quantity not in SIGNALS:
        source.refuse(key, f"expected one of {', '.join(SIGNALS)}, found {brief(quantity)}")
    for name in ("expected", "low", "high", "spread"):
        source.check_least(f"{key}.{name}", getattr(each, name), 0)
    for name in ("runs", "workers"):
        source.check_least(f"{key}.{name}", getattr(each, name), 1)
    if not each.low <= each.expected <= each.high:
        found = f"{brief(each.low)}, {brief(each.expected)}, {brief(each.high)}"
        source.refuse(key, f"expected low <= expected <= high, found {found}")


def differences(baseline: Environment, here: Environment) -> dict[str, tuple[str, ...]]:
    """What keeps the signals of two environments from being compared.

    Packages may differ: they are what is judged.

    Returns:
        By signal, every signal among them, what differs: ``cpu_model: baseline 'X', here 'Y'``;
        nothing for a signal that compares.
    """
    return {
        signal: tuple(
            f"{key}: baseline {was!r}, here {now[key]!r}"
            for key, was in _decisive(signal, baseline).items()
            if was != now[key]
        )
        for signal in dict.fromkeys(SIGNALS.values())
        for now in [_decisive(signal, here)]
    }


def _decisive(signal: str, environment: Environment) -> dict[str, object]:
    python = {"python": _minor_version(environment.python)}
    common = {"free_threaded": environment.free_threaded, "machine": environment.machine}
    if signal == "instructions":
        python = {"python": environment.python, "python_build": environment.python_build}
    cpu = {"cpu_model": environment.cpu_model, "cpu_count": environment.cpu_count}
    return {**(cpu if signal == "latency" else {}), **python, **common}


def find(folder: Path, environment: Environment) -> Path:
    """The baseline of an environment in a folder.

    Raises:
        UnreadableBaselineError: If there is none; the text names those that there are.
    """
    wanted = f"{environment_name(environment)}.json"
    names = sorted(path.name for path in folder.glob("*.json"))
    if wanted not in names:
        found = ", ".join(names) or "no baseline at all"
        remedy = f"{LEARN} to make it, or name another one with --baseline"
        source = Source(folder, wanted, UnreadableBaselineError, remedy)
        source.refuse("", f"expected {wanted}, the baseline of this environment, found {found}")
    return folder / wanted


def comparable(
    baseline: Baseline,
    here: Environment,
    reference_version: int,
    signals: Sequence[str] | None,
) -> tuple[str, ...]:
    """Which signals are judged against a baseline.

    Args:
        baseline: What was learned.
        here: Where is measured now.
        reference_version: The version of the reference that is measured now.
        signals: Those that were asked for; None for all.

    Raises:
        ForeignBaselineError: If one of them cannot be compared; the text says what differs, which
            signals compare all the same, and what to type.
    """
    differing = differences(baseline.environment, here)
    if baseline.reference_version != reference_version:
        versions = f"baseline {baseline.reference_version}, here {reference_version}"
        differing["latency"] += (f"reference_version: {versions}",)
    asked = tuple(differing if signals is None else signals)
    foreign = [signal for signal in asked if differing[signal]]
    if not foreign:
        return asked
    reasons = "; ".join(f"{signal} ({', '.join(differing[signal])})" for signal in foreign)
    left = [signal for signal in asked if not differing[signal]]
    left = left or [signal for signal, each in differing.items() if not each]
    remedy = f"nothing else can be: {LEARN} here first"
    if left:
        remedy = f"{' and '.join(left)} can be: type --signals {','.join(left)}"
    message = f"the baseline cannot be compared with what is measured here: {reasons}; {remedy}"
    raise ForeignBaselineError(message)
