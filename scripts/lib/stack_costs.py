"""Measure the parts of the stack in one run, and write down what each costs beside others."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import cost_tables
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench._model import Case, Measurement, Result
from resilience_bench.files import results
from resilience_bench.stats.latency import estimate

FILE: Final = Path("results/stack-costs.txt")
WIDTH: Final = 140
STACK: Final = "resilience_stack"
COMPOSED: Final = "tenacity+pybreaker"
Measured = Mapping[str, Measurement]


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario, what stands for the obvious composition in it, and the targets.

    ``parameters`` are those of the cases, as they are written in their names.
    """

    group: str
    obvious: str = ""
    parameters: str = ""
    most_us: float | None = None
    least_times: float | None = None

    def name_case(self, library: str) -> str:
        """Return the name of the case of a library."""
        return f"{self.group}[{','.join(filter(None, (library, self.parameters)))}]"


ROWS: Final = (
    Row("composed.guarded", COMPOSED),
    Row("composed.async_guarded", COMPOSED),
    Row("everything.success", COMPOSED, most_us=0.6, least_times=20),
    Row("everything.async_success", COMPOSED, most_us=0.6, least_times=20),
    Row("everything.failure", COMPOSED),
    Row("everything.rejection", COMPOSED),
    Row("composed.guarded_failing", COMPOSED, most_us=15),
    Row("composed.guarded_failure", COMPOSED, most_us=2),
    Row("breaker.closed_failure", most_us=2),
    Row("composed.guarded_rejection", COMPOSED, most_us=1),
    Row("breaker.open_rejection", most_us=1),
    Row("fallback.rejection", "pybreaker", "source=default"),
    Row("fallback.rejection", "pybreaker", "source=stale", most_us=2),
    *(
        Row(f"fallback.{kind}", "pybreaker", f"source={source}")
        for kind, source in itertools.product(
            ("success", "async_success", "failure"), ("default", "stale", "other")
        )
    ),
    Row("timeout.within"),
    Row("timeout.async_within", "asyncio"),
    Row("timeout.async_within_waiting", "asyncio"),
    Row("timeout.async_deadline_and_attempt", "asyncio"),
    Row("timeout.async_nested", "asyncio"),
    Row("timeout.async_exceeded", "asyncio"),
    Row("bulkhead.enter", "threading"),
    Row("bulkhead.async_enter", "asyncio"),
    Row("bulkhead.full", "threading"),
    *(Row("pipeline.success", "pybreaker", f"depth={depth}") for depth in (1, 2, 5, 10)),
    *(Row("telemetry.success", "", f"telemetry={kind}") for kind in ("metrics", "spans")),
    Row("telemetry.multiprocess_success", "pybreaker"),
    *(
        Row(f"correlation.{kind}", "bare", f"id={given}")
        for kind, given in itertools.product(("asgi", "wsgi"), ("given", "made"))
    ),
    Row("health.read", "", "guards=10"),
    Row("health.probe"),
)


@click.command()
@click.option("-o", "--output", type=Path, default=FILE, show_default=True)
@click.option("--profile", default="standard", show_default=True)
@click.option("--from", "earlier", type=Path, help="A results file to show in place of measuring.")
def main(output: Path, profile: str, earlier: Path | None) -> None:
    """Measure, and write the table."""
    result = results.read(earlier) if earlier else _measure(profile)
    measured = {each.case.name: each for each in estimate(result)}
    with output.open("w", encoding="utf-8") as file:
        for console in (Console(width=WIDTH), Console(file=file, width=WIDTH)):
            console.print(_describe(result), highlight=False, soft_wrap=True)
            console.print(_make_table(measured), highlight=False)
            console.print(LEGEND, highlight=False, soft_wrap=True)
    if output == FILE:
        cost_tables.write(FILE.read_text(encoding="utf-8"))


LEGEND: Final = (
    "obvious: the cost of the obvious composition divided by the stack's (pybreaker alone, the "
    "application alone, … where that is meant).\n"
    "cheapest: the stack's cost divided by that of the cheapest other library in the scenario. "
    "Both are of the ratio to the reference."
)


def _measure(profile: str) -> Result:
    patterns = dict.fromkeys(row.name_case("*") for row in ROWS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        command = [sys.executable, "-m", "resilience_bench", "run", *patterns, "-o", str(file)]
        command += ["--profile", profile, "--signals", "latency"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
        return results.read(file)


def _describe(result: Result) -> str:
    here = result.environment
    load = ", ".join(f"{value:.1f}" for value in result.load_average)
    return (
        f"{result.started[:10]}, {here.python}, {here.cpu_count} x {here.cpu_model}; "
        f"profile {result.profile}; load average at the start {load}"
    )


def _make_table(measured: Measured) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("case")
    for header in ("us", "± %", "obvious", "cheapest"):
        table.add_column(header, justify="right")
    table.add_column("library")
    table.add_column("target")
    for row in ROWS:
        cells = list(_fill(row, measured))
        # Text, not str: a name in brackets is no markup.
        label = f"{row.group}[{row.parameters}]" if row.parameters else row.group
        table.add_row(Text(label), *cells)
    return table


def _fill(row: Row, measured: Measured) -> Iterator[str]:
    stack = measured.get(row.name_case(STACK))
    if stack is None:
        yield "not measured"
        return
    us = stack.quantities["latency_ns"].value / 1000
    ratio = stack.quantities["ratio"]
    yield f"{us:.2f}"
    yield f"{(ratio.high - ratio.low) / 2 / ratio.value:.0%}"
    obvious = measured.get(row.name_case(row.obvious)) if row.obvious else None
    times = _get_ratio(obvious) / ratio.value if obvious else None
    yield f"{times:.1f} ×" if times else ""
    others = [each for each in measured.values() if _is_other(row, each.case)]
    cheapest = min(others, key=_get_ratio, default=None)
    yield f"{ratio.value / _get_ratio(cheapest):.2f} ×" if cheapest else ""
    yield cheapest.case.library if cheapest else ""
    yield "; ".join(_judge(row, us, times))


def _is_other(row: Row, case: Case) -> bool:
    written = ",".join(f"{key}={value}" for key, value in case.parameters)
    is_library = case.library not in {STACK, row.obvious}
    return is_library and (case.group, written) == (row.group, row.parameters)


def _get_ratio(measurement: Measurement) -> float:
    return measurement.quantities["ratio"].value


def _judge(row: Row, us: float, times: float | None) -> Iterator[str]:
    if row.most_us is not None:
        yield f"≤ {row.most_us:g} us: {'met' if us <= row.most_us else 'missed'}"
    if row.least_times is not None and times is not None:
        yield f"≥ {row.least_times:g} ×: {'met' if times >= row.least_times else 'missed'}"


if __name__ == "__main__":
    main()
