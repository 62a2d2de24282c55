"""The commands that look after what is kept: baselines, and the environments of variants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from resilience_bench._model import Environment, Signal
from resilience_bench._verdicts import Baseline
from resilience_bench.cli import options
from resilience_bench.cli.console import make_progress_console
from resilience_bench.cli.groups import CommandGroup
from resilience_bench.cli.measuring import open_source, prepare_variant
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.errors import UnreadableBaselineError, UserError, format_amount
from resilience_bench.files import atomic, results
from resilience_bench.gate import baseline as baselines
from resilience_bench.gate import budgets as budget_files
from resilience_bench.gate import learning
from resilience_bench.gate.check import find_budgets, find_tolerances, get_budgets_path
from resilience_bench.gate.criteria import LOADED_SCREEN
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import IMPORT_LIMIT_S, Selection, inspect, select
from resilience_bench.measure.session import PROFILES
from resilience_bench.project import find_baselines_folder
from resilience_bench.quantities import LOAD_SIGNALS
from resilience_bench.stats.latency import estimate


@click.group("baseline", cls=CommandGroup)
def baseline_group() -> None:
    """Learn what is acceptable here, and look after it."""


@baseline_group.command()
@options.selectors_argument
@click.option("--runs", type=click.IntRange(min=1), default=5)
@click.option("-o", "--output", type=options.FILE, help="By default baselines/<environment>.json.")
@click.option(
    "--reason", default="", show_default=False, help="Why it is learned; kept in the file."
)
@click.option("--accept", metavar="REASON", help="Why ranges that get looser or higher are right.")
@options.signals_option
@click.pass_obj
def learn(  # noqa: PLR0913 - one argument an option
    launcher: Launcher,
    /,
    *,
    selectors: tuple[str, ...],
    runs: int,
    output: Path | None,
    reason: str,
    accept: str | None,
    signals: tuple[Signal, ...] | None,
) -> int:
    """Measure several times, and write down what is acceptable on this machine.

    A range that would get looser or higher than in the file that is there is refused, unless
    --accept says why that is right. An interrupted or refused run leaves the old file as it was.
    """
    here = detect_environment()
    path = output or Path("baselines") / f"{baselines.make_environment_name(here)}.json"
    atomic.ensure_writable(path)
    before = _read_old_baseline(path)
    selection = select(launcher, selectors, gated=True)
    folder = options.build_output_path("learn").with_suffix("")
    measurable = find_measurable_signals(signals)
    measured = []
    progress = make_progress_console()
    for number in range(1, runs + 1):
        file = folder / f"run-{number}.json"
        atomic.ensure_writable(file)
        progress.print(f"run {number} of {runs}: {file}", highlight=False)
        head = prepare_variant(
            launcher, selection, measurable, label="check", file=file, selectors=selectors
        )
        with open_source([head], file, measurable) as source:
            # Counts depend a little on hash seed and memory layout, so each run has its own.
            source.first_pass = number - 1
            names = {info.case.name for info in selection.cases}
            if "latency" in source.signals:
                source.draw_latencies(PROFILES["quick"].workers, names)
            source.draw_counts(1, names)
            if any(signal in LOAD_SIGNALS for signal in source.signals):
                source.draw_loads(LOADED_SCREEN, names)
        result = results.read(file)
        measured.append((result, estimate(result)))
    after = learning.learn(measured, reason)
    if before is not None:
        after = _merge_old_ranges(before, after, selection, here)
        for move in learning.find_range_changes(before, after):
            click.echo(f"{'looser or higher' if move.loosens else 'moves'}: {move}")
        after = learning.accept(before, after, accept)
    baselines.write(after, path)
    count = format_amount(len(after.ranges), "case")
    click.echo(f"baseline: {path}, {count} from {format_amount(runs, 'run')}")
    return 0


def _read_old_baseline(path: Path) -> Baseline | None:
    """The baseline that is there; one that cannot be read is not simply replaced."""
    if not path.exists():
        return None
    try:
        return baselines.read(path)
    except UnreadableBaselineError as error:
        found = str(error).rpartition("; type ")[0]
        raise UnreadableBaselineError(
            f"{found}; delete the file, or name another one with --output"
        ) from error


def _merge_old_ranges(
    before: Baseline, after: Baseline, selection: Selection, here: Environment
) -> Baseline:
    """The new baseline, with the old ranges of cases that were not selected."""
    if any(baselines.find_differences(before.environment, here).values()):
        return after
    selected = {info.case.name for info in selection.cases}
    old = {name: each for name, each in before.ranges.items() if name not in selected}
    both = {
        name: {**before.ranges.get(name, {}), **ranges} for name, ranges in after.ranges.items()
    }
    return replace(after, ranges=dict(sorted({**old, **both}.items())))


@baseline_group.command()
@click.argument("files", nargs=-1, type=options.FILE, metavar="[BASELINE]...")
@click.option(
    "--budgets", "budgets_file", type=options.FILE, help="Default: baselines/budgets.toml."
)
@click.pass_obj
def lint(launcher: Launcher, /, *, files: tuple[Path, ...], budgets_file: Path | None) -> int:
    """Find ranges and budgets that nothing is held against, and cases that have none.

    Exit code 1 if there are any.
    """
    folder = find_baselines_folder()
    read = {path: baselines.read(path) for path in files or sorted(folder.glob("*.json"))}
    path = budgets_file or get_budgets_path()
    budgets, tolerances = find_budgets(budgets_file), find_tolerances(budgets_file)
    if not read and not budgets:
        raise UserError(
            f"{folder}: expected baselines and budgets, found none; "
            "type 'resilience-bench baseline learn'"
        )
    selected = select(launcher, (), gated=True, complete=True).cases
    cases = inspect(launcher, selected, IMPORT_LIMIT_S)
    # A baseline is learned of what is measured by default, and most real calls need a server.
    optional = {info.case.name for info in selected if not info.by_default or info.case.is_real}
    findings = budget_files.lint(read, [*budgets, *tolerances], path, cases, optional)
    for finding in findings:
        click.echo(finding)
    what = " and ".join(
        (format_amount(len(read), "baseline"), format_amount(len(budgets), "budget"))
    )
    click.echo(f"{what}, {format_amount(len(findings), 'finding')}")
    return 1 if findings else 0
