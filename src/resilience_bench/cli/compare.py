"""The command that compares two variants."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from resilience_bench._model import Signal
from resilience_bench.cli import compare_files, options, verdict_output
from resilience_bench.cli.console import make_progress_console
from resilience_bench.cli.measuring import Measurable, open_source, prepare_variant, require_signals
from resilience_bench.environments import variants
from resilience_bench.environments.recipe import find_default_project
from resilience_bench.files import atomic, results
from resilience_bench.gate import comparison
from resilience_bench.gate.check import add_defects, find_tolerances
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import Selection, select
from resilience_bench.measure.shared_path import SharedPath, create_shared_path


@click.command()
@click.argument("base")
@click.argument("head")
@options.selectors_argument
@options.add_tolerance_options(
    comparison.TOLERANCES,
    ratio="How much slower a case may get, in per cent.",
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
    head: str,
    selectors: tuple[str, ...],
    tolerances: dict[str, float],
    budgets_file: Path | None,
    project: str | None,
    seconds: float,
    output: Path | None,
    signals: tuple[Signal, ...] | None,
    **shown: Any,
) -> int:
    """Measure two variants against each other, and fail if HEAD costs more than BASE.

    A variant is '.' (this checkout), 'git:REVISION', 'pip:REQUIREMENT[,REQUIREMENT]' (for example
    'pip:tenacity==8.2.3') or the path of an interpreter. Two results files (*.json) are compared
    as they are, as far as runs of different hours can be. Exit codes as for 'check'.
    """
    verdict_output.ensure_outputs_writable(shown)
    written = find_tolerances(budgets_file)
    if compare_files.are_results_files(base, head):
        return compare_files.judge_files(
            context,
            base,
            head,
            selectors=selectors,
            tolerances=options.select_typed_tolerances(context, tolerances),
            written=written,
            signals=signals,
            shown=shown,
        )
    folder = output or options.build_output_path("compare").with_suffix("")
    files = [folder / f"{name}.json" for name in ("base", "head", "null")]
    for file in files:
        atomic.ensure_writable(file)
    launcher: Launcher = context.obj
    selection = select(launcher, selectors, gated=True)
    measurable = require_signals(signals)
    made = _make_variants((base, head), selection, project)
    with create_shared_path() as shared:
        base_side, head_side, null_side = (
            _prepare_side(shared, variant, selection, measurable, file)
            for variant, file in zip((*made, made[0]), files, strict=True)
        )
        deadline = time.monotonic() + seconds
        sides = [head_side, base_side, null_side]
        with open_source(sides, folder, measurable, deadline) as source:
            policy = comparison.COMPARISON_POLICY
            result = comparison.judge_comparison(source, tolerances, policy, written)
    result = add_defects(result, results.read(folder / "head.json"))
    headline = [f"{base} (BASE) against {head} (HEAD); results: {folder}"]
    result = replace(result, headline=(*headline, *result.headline))
    return verdict_output.show_judgement(result, shown, with_changes=True)


def _make_variants(
    texts: Sequence[str], selection: Selection, project: str | None
) -> list[variants.Variant]:
    needed = sorted({name for info in selection.cases for name in info.needed_distributions})
    note = make_progress_console().print
    project = project or find_default_project(Path.cwd())
    return [variants.make(text, needed, project=project, note=note) for text in texts]


def _prepare_side(
    shared: SharedPath,
    variant: variants.Variant,
    selection: Selection,
    measurable: Measurable,
    file: Path,
) -> MeasuredVariant:
    return prepare_variant(
        shared.launcher(variant),
        selection,
        measurable,
        label=f"compare, {file.stem}",
        file=file,
        selectors=(variant.text,),
        environment=variants.query_environment(variant),
    )
