"""The command that compares two variants."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from resilience_bench._model import Signal
from resilience_bench._verdicts import Judgement
from resilience_bench.cli import (
    compare_files,
    compare_saved,
    compare_sides,
    compare_upgrade,
    options,
    verdict_output,
)
from resilience_bench.cli.compare_sides import Setting, show_note
from resilience_bench.cli.measuring import require_signals
from resilience_bench.environments.sides import describe_changed_scenarios
from resilience_bench.environments.variants import Variant
from resilience_bench.files import atomic
from resilience_bench.gate import comparison
from resilience_bench.gate.check import add_defects, find_tolerances
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import select
from resilience_bench.measure.shared_path import create_shared_path


@click.command()
@click.argument("base")
@click.argument("head", required=False)
@options.selectors_argument
@options.add_tolerance_options(
    comparison.TOLERANCES,
    ratio="How much slower a case may get, in per cent; three times as much is looked for.",
    instructions="How many more instructions there may be, in per cent.",
)
@click.option(
    "--budgets",
    "budgets_file",
    type=options.FILE,
    help="A file with tolerances by case.  [default: baselines/budgets.toml, if there is one]",
)
@click.option(
    "--project",
    metavar="DIR",
    help="The folder with the pyproject.toml of what '.' and git: install.  "
    "[default: stack, if there is one, else the top of the repository]",
)
@click.option("--base-python", metavar="PYTHON", help="The interpreter for BASE, by path or name.")
@click.option("--head-python", metavar="PYTHON", help="The interpreter for HEAD, by path or name.")
@click.option(
    "--save",
    type=options.FILE,
    metavar="FILE",
    help="Also keep HEAD's measurement in this file, for --load.",
)
@click.option(
    "--load",
    type=options.FILE,
    metavar="FILE",
    help="Take BASE from this file, and type only HEAD: that alone is measured.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=comparison.SECONDS,
    help="How long to measure, without making the environments: every case is measured, then "
    "the time left goes to latencies that are still undecided. What stays undecided is "
    "inconclusive.",
)
@click.option(
    "-o",
    "--output",
    type=options.FILE,
    help="A folder for the results of both, and of BASE measured twice.",
)
@verdict_output.add_output_options
@click.pass_context
def compare(  # noqa: PLR0913 - one argument an option
    context: click.Context,
    /,
    *,
    base: str,
    head: str | None,
    selectors: tuple[str, ...],
    tolerances: dict[str, float],
    budgets_file: Path | None,
    project: str | None,
    base_python: str | None,
    head_python: str | None,
    save: Path | None,
    load: Path | None,
    seconds: float,
    output: Path | None,
    signals: tuple[Signal, ...] | None,
    **shown: Any,
) -> int:
    """Measure two variants against each other, and fail if HEAD costs more than BASE.

    A variant is '.' (this checkout), 'git:REVISION', 'pip:REQUIREMENT[,REQUIREMENT]' (for example
    'pip:tenacity==8.2.3' or 'pip:git+URL'), the path of a project, an sdist or a wheel, or an
    interpreter or environment (a path, or a name such as python3.12). Two requirements files
    (*.txt) are compared package by package. Two results files (*.json) are compared as they are,
    as far as runs of different hours can be. Exit codes as for 'check'.
    """
    verdict_output.ensure_outputs_writable(shown)
    written = find_tolerances(budgets_file)
    if head is None and load is None:
        raise click.UsageError("Missing argument 'HEAD'.", context)
    if head and not load and compare_files.are_results_files(base, head):
        typed = options.select_typed_tolerances(context, tolerances)
        rules = compare_files.Rules(selectors, typed, written, signals)
        return compare_files.judge_files(context, base, head, rules, shown)
    folder = output or options.build_output_path("compare").with_suffix("")
    for name in compare_sides.NAMES:
        atomic.ensure_writable(folder / f"{name}.json")
    if save:
        atomic.ensure_writable(save, f"{atomic.OTHER_FILE}--save")
    saved = compare_saved.read(load, base_python) if load else None
    texts, pythons = [base, head or ""], [base_python, head_python]
    if saved:
        selectors = (head, *selectors) if head else selectors
        texts, pythons = [base], [head_python]
    launcher: Launcher = context.obj
    selection = select(launcher, selectors, gated=True)
    measurable = require_signals(signals)
    if saved:
        selection = saved.select_cases(selection)
    started_s = time.monotonic()
    made = compare_sides.make_variants(texts, pythons, selection, project)
    environments_s = time.monotonic() - started_s
    if saved:
        measurable = require_signals(saved.select_signals(made[0], signals))
    with create_shared_path() as shared:
        setting = Setting(
            shared,
            selection,
            measurable,
            folder,
            seconds,
            tolerances,
            written,
            environments_s=environments_s,
        )
        if saved:
            typed = options.select_typed_tolerances(context, tolerances)
            setting = replace(setting, tolerances=typed)
            result, side = compare_saved.judge_by_saved(setting, saved, made[0])
        else:
            result, side = _judge_variants(setting, made, pythons)
        if save:
            compare_saved.save(side, save)
    names = f"{load or base} (BASE) against {made[-1].text} (HEAD); results: {folder}"
    result = replace(result, headline=(names, *result.headline))
    return verdict_output.show_judgement(result, shown, with_changes=True)


def _judge_variants(
    setting: Setting, made: Sequence[Variant], pythons: Sequence[str | None]
) -> tuple[Judgement, MeasuredVariant]:
    """Measure and judge two variants; of two requirements files, also say what moved a case."""
    base, head = made
    found = None
    if compare_upgrade.are_requirements_files(base.text, head.text):
        needed = compare_sides.list_needed(setting.selection)
        found = compare_upgrade.plan_upgrade(base, head, needed, pythons=pythons, note=show_note)
    result, side = compare_sides.judge_pair(setting, base, head)
    result = add_defects(result, side.recording.result(complete=True))
    files = {Path(info.path) for info in setting.selection.cases}
    changed = describe_changed_scenarios([base.text, head.text], files)
    result = replace(result, notes=(*result.notes, *changed))
    if found is None:
        return result, side

    def judge_step(
        pair: tuple[Variant, Variant],
        cases: Collection[str],
        signals: Collection[Signal],
        name: str,
    ) -> Judgement:
        narrowed = setting.narrow(cases, signals, name)
        return compare_sides.judge_pair(narrowed, *pair, is_checked=True)[0]

    notes = compare_upgrade.explain_moves(found, result, judge_step)
    headline = (*result.headline, compare_upgrade.describe_changes(found))
    return replace(result, headline=headline, notes=(*notes, *result.notes)), side
