"""Budgets: limits that people write; and what is out of date in them and in baselines.

The file of budgets also holds the tolerances of `resilience_bench.gate.tolerances`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from resilience_bench._model import Case, CaseRecord
from resilience_bench._verdicts import Baseline, Budget, Tolerance
from resilience_bench.errors import UnreadableBaselineError, format_names
from resilience_bench.files import checked_json
from resilience_bench.files.checked_json import CheckedFile, describe_value
from resilience_bench.gate.baseline import FEWEST_RUNS, LEARN
from resilience_bench.quantities import BUDGETED
from resilience_bench.scenarios.patterns import matches

FEWEST_WORKERS: Final = 10
"""With fewer workers, a range of latency is too uncertain for any decision."""
TABLES: Final = ("budget", "tolerance")
EXAMPLE: Final = 'type [[budget]], cases = "breaker.*", overhead_ns = 5000, reason = "..." in it'


def read_budgets(path: Path) -> tuple[Budget, ...]:
    """Read a file of budgets, in its order; UnreadableBaselineError if one makes no sense."""
    source, tables = read_tables(path, "budget", EXAMPLE)
    return tuple(
        budget
        for position, table in enumerate(tables)
        for budget in _parse_budgets(source, f"budget[{position}]", table)
    )


def read_tables(path: Path, name: str, remedy: str) -> tuple[CheckedFile, list[Any]]:
    """Read the tables of one name; UnreadableBaselineError, with the remedy, for other names."""
    source = CheckedFile(path, "a file of budgets", UnreadableBaselineError, remedy, "TOML")
    stored = source.parse_toml(source.read_content())
    for key in stored:
        if key not in TABLES:
            source.refuse(key, "expected tables named budget or tolerance, found another name")
    tables = stored.get(name, [])
    if not isinstance(tables, list):
        source.refuse(name, f"expected tables, found {describe_value(tables)}")
    return source, tables


def check_table(source: CheckedFile, key: str, table: object) -> dict[str, Any]:
    """Return what a table holds beside its texts ``cases`` and ``reason``, which it must have."""
    if not isinstance(table, dict):
        source.refuse(key, f"expected a table, found {describe_value(table)}")
    for name in ("cases", "reason"):
        text = table.get(name)
        if not isinstance(text, str) or not text.strip():
            found = describe_value(text) if name in table else "no such key"
            source.refuse(f"{key}.{name}", f"expected a text, found {found}")
    return {name: value for name, value in table.items() if name not in {"cases", "reason"}}


def check_number(source: CheckedFile, key: str, value: Any) -> float:
    """Return a finite number of more than 0, or refuse the value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 < value <= sys.float_info.max):
        complaint = f"expected a finite number of more than 0, found {describe_value(value)}"
        source.refuse(key, complaint)
    return float(value)


def _parse_budgets(source: CheckedFile, key: str, table: Any) -> Iterator[Budget]:
    limits = check_table(source, key, table)
    units = f"one of {', '.join(BUDGETED)}"
    if not limits:
        source.refuse(key, f"expected a limit, {units}, found none")
    for unit, limit in limits.items():
        if unit not in BUDGETED:
            source.refuse(f"{key}.{unit}", f"expected {units}, found another unit")
        number = check_number(source, f"{key}.{unit}", limit)
        yield Budget(table["cases"], unit, number, table["reason"])


def lint(
    baselines: Mapping[Path, Baseline],
    budgets: Sequence[Budget | Tolerance],
    budgets_path: Path,
    cases: Sequence[CaseRecord],
    optional: Collection[str] = (),
) -> list[str]:
    """Find what is out of date, or rests on too few runs or workers; one line a finding.

    ``budgets`` are all limits of the file, tolerances among them. Cases named in ``optional`` need
    no range: they are measured only if selected.
    """
    found = [
        f"{checked_json.format_path(path)}: {finding}"
        for path, baseline in baselines.items()
        for finding in _lint_baseline(baseline, cases, optional)
    ]
    return found + [
        f"{checked_json.format_path(budgets_path)}: the {name} of {pattern!r} matches no case; "
        "type 'resilience-bench list' to see every case"
        for name, kind in (("budget", Budget), ("tolerance", Tolerance))
        for pattern in find_unmatched(
            [limit for limit in budgets if isinstance(limit, kind)],
            [record.case for record in cases],
        )
    ]


def find_unmatched(budgets: Sequence[Budget | Tolerance], cases: Sequence[Case]) -> list[str]:
    """Return the patterns of budgets or tolerances that match none of the cases."""
    patterns = dict.fromkeys(budget.cases for budget in budgets)
    return [pattern for pattern in patterns if not any(matches(pattern, case) for case in cases)]


def _lint_baseline(
    baseline: Baseline, cases: Sequence[CaseRecord], optional: Collection[str]
) -> Iterator[str]:
    known = {record.case.name for record in cases}
    for name in baseline.ranges:
        if name not in known:
            yield f"{name} has a range, but no longer exists; {LEARN} to leave it out"
    available = [record.case.name for record in cases if record.status == "measured"]
    missing = [name for name in available if not (name in optional or baseline.ranges.get(name))]
    ranges = {
        f"{name} {quantity}": bounds
        for name, quantities in baseline.ranges.items()
        for quantity, bounds in quantities.items()
    }
    thin = [name for name, bounds in ranges.items() if bounds.runs < FEWEST_RUNS]
    latencies = [name for name in ranges if name.endswith(" ratio")]
    uncertain = [name for name in latencies if ranges[name].workers < FEWEST_WORKERS]
    runs = f"fewer than {FEWEST_RUNS} runs"
    workers = f"fewer than {FEWEST_WORKERS} workers, too few to ever decide"
    for names, what, lacking in (
        (missing, "available case", f"without a range; {LEARN}"),
        (thin, "range", f"on {runs}; {LEARN} from more"),
        (uncertain, "latency range", f"on {workers}; {LEARN} from more"),
    ):
        if names:
            plural = "s" if len(names) > 1 else ""
            yield f"{len(names)} {what}{plural} ({format_names(names)}) {lacking}"
