"""Measure ten operations with four tools, and write down what each says and why they differ."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import jinja2
import pyperf
from rich.console import Console

from benchmarks.pyperf_suite import DEFAULT_CASES
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.files import results
from resilience_bench.pytest_scenarios import make_plain_call
from resilience_bench.scenarios.discovery import discover
from resilience_bench.stats.latency import estimate
from resilience_bench.worker.operations import open_operation

ROOT: Final = Path(__file__).resolve().parents[2]
TEMPLATE: Final = Path(__file__).with_name("agreement.md.jinja")
Nanoseconds = Mapping[str, float]


def by_this_tool(scratch: Path) -> Nanoseconds:
    """The latency that ``resilience-bench run`` gives."""
    file = scratch / "tool.json"
    _run("-m", "resilience_bench", "run", *DEFAULT_CASES, "--output", str(file))
    measured = estimate(results.read(file))
    return {each.case.name: each.quantities["latency_ns"].value for each in measured}


def by_pyperf(scratch: Path) -> Nanoseconds:
    """The mean that pyperf gives (``--fast``)."""
    file = scratch / "pyperf.json"
    file.unlink(missing_ok=True)
    _run("-m", "benchmarks.pyperf_suite", "--fast", "--quiet", "--output", str(file))
    suite = pyperf.BenchmarkSuite.load(str(file))
    return {each.get_name(): each.mean() * 1e9 for each in suite.get_benchmarks()}


def by_pytest_benchmark(scratch: Path) -> Nanoseconds:
    """The median that pytest-benchmark gives."""
    file = scratch / "pytest.json"
    nodes = [f"benchmarks/{_family(name)}.py::{name.partition('.')[2]}" for name in DEFAULT_CASES]
    _run("-m", "pytest", "-q", *nodes, f"--benchmark-json={file}", "--benchmark-disable-gc")
    stored = json.loads(file.read_text(encoding="utf-8"))["benchmarks"]
    return {
        f"{_family(each['fullname'])}.{_test(each['fullname'])}": each["stats"]["median"] * 1e9
        for each in stored
    }


def by_timeit(_scratch: Path) -> Nanoseconds:
    """The best of five that ``timeit`` gives."""
    found = discover([ROOT / "benchmarks"]).bound
    seen = {}
    for name in DEFAULT_CASES:
        with asyncio.Runner() as runner, open_operation(found[name], runner) as operation:
            timer = timeit.Timer(make_plain_call(operation, runner))
            number, _ = timer.autorange()
            seen[name] = min(timer.repeat(5, number)) / number * 1e9
    return seen


TOOLS: Final[dict[str, Callable[[Path], Nanoseconds]]] = {
    "resilience-bench": by_this_tool,
    "pyperf": by_pyperf,
    "pytest-benchmark": by_pytest_benchmark,
    "timeit": by_timeit,
}


def _family(name: str) -> str:
    return Path(name.partition("::")[0]).stem if "::" in name else name.partition(".")[0]


def _test(node: str) -> str:
    return node.partition("::")[2]


def _run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments[:3])} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def lowest(rounds: Sequence[Nanoseconds]) -> Nanoseconds:
    """The lowest figure of each case over the rounds: the machine at its fastest."""
    return {name: min(each[name] for each in rounds) for name in DEFAULT_CASES}


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Rounds over all four tools.")
@click.option("--output", type=click.Path(path_type=Path), default=ROOT / "docs" / "agreement.md")
def main(rounds: int, output: Path) -> None:
    """Measure with each tool in turn, and write the page."""
    console = Console(stderr=True)
    seen: dict[str, list[Nanoseconds]] = {name: [] for name in TOOLS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            for name, tool in TOOLS.items():
                console.print(f"round {turn + 1} of {rounds}: {name}")
                seen[name].append(tool(Path(folder)))
    template = jinja2.Template(TEMPLATE.read_text(encoding="utf-8"), keep_trailing_newline=True)
    page = template.render(
        tools=list(TOOLS),
        cases=DEFAULT_CASES,
        figures={name: lowest(each) for name, each in seen.items()},
        rounds=rounds,
        today=dt.datetime.now(dt.UTC).date(),
        environment=detect_environment(),
    )
    output.write_text(page, encoding="utf-8")
    console.print(f"wrote {output}")


if __name__ == "__main__":
    main()
