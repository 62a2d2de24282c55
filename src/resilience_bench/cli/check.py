"""The command that holds cases against what is acceptable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from resilience_bench._model import Signal
from resilience_bench.cli import options, verdict_output
from resilience_bench.cli.measuring import open_source, prepare_variant
from resilience_bench.cli.options import FILE
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.files import atomic, results
from resilience_bench.gate import check as checks
from resilience_bench.gate.evidence import StoredSource
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import select
from resilience_bench.worker.reference import REFERENCE_VERSION


@click.command()
@options.selectors_argument
@click.option(
    "--baseline",
    "baseline_file",
    type=FILE,
    help="By default that of this machine; 'none' to judge budgets alone.",
)
@options.budgets_option
@click.option("--result", "result_file", type=FILE, help="Judge this file; measure nothing.")
@click.option("-o", "--output", type=FILE, help="Where to write what is measured.")
@verdict_output.add_output_options
@click.pass_obj
def check(  # noqa: PLR0913 - one argument an option
    launcher: Launcher,
    /,
    *,
    selectors: tuple[str, ...],
    baseline_file: Path | None,
    budgets_file: Path | None,
    result_file: Path | None,
    output: Path | None,
    signals: tuple[Signal, ...] | None,
    **shown: Any,
) -> int:
    """Measure, and fail if a case has left its acceptable range or broken a budget.

    Exit codes: 0 all within, 1 something costs more, 2 nothing could be judged, 3 (with --strict)
    something stayed undecided or could not be measured.
    """
    verdict_output.ensure_outputs_writable(shown)
    stored = results.read(result_file) if result_file else None
    if stored and verdict_output.hold_outages_only([stored]):
        return verdict_output.show_outages("check", str(result_file), shown)
    here = stored.environment if stored else detect_environment()
    version = stored.reference_version if stored else REFERENCE_VERSION
    limits = checks.find_limits(here, version, signals, baseline_file, budgets_file)
    if stored:
        found = f"measured {stored.started}: {result_file}"
        is_judged = checks.make_case_filter(stored, selectors, str(result_file))
        result = checks.judge_cases(StoredSource(stored), limits, is_judged)
    else:
        file = output or options.build_output_path("check")
        atomic.ensure_writable(file)
        options.report_outdated_install()
        selection = select(launcher, selectors, gated=True)
        found = f"results: {file}"
        measurable = find_measurable_signals(limits.signals)
        head = prepare_variant(
            launcher, selection, measurable, label="check", file=file, selectors=selectors
        )
        with open_source([head], file, measurable) as source:
            names = {info.case.name for info in selection.cases}
            is_judged = names.__contains__ if selectors else checks.accept_every_case
            result = checks.judge_cases(source, limits, is_judged)
        stored = results.read(file)
    headline = (limits.headline, found, *result.headline)
    return verdict_output.show_judgement(
        replace(checks.add_defects(result, stored), headline=headline), shown
    )
