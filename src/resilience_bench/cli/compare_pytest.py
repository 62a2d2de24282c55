"""The command behind ``pytest --resilience-compare``: a suite of a revision against this one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from resilience_bench._model import Signal
from resilience_bench.cli import compare_sides, options, verdict_output
from resilience_bench.cli.compare_sides import Setting, show_note
from resilience_bench.cli.main import run_command
from resilience_bench.cli.measuring import require_signals
from resilience_bench.environments.suites import SuiteRequest, make_sides
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.gate import comparison
from resilience_bench.gate.check import find_tolerances
from resilience_bench.measure import pytest_suite
from resilience_bench.measure.counting import PLAIN_SIGNALS
from resilience_bench.measure.shared_path import create_shared_path

if TYPE_CHECKING:
    import pytest

NAME = "pytest --resilience-compare"
NO_PROJECT = "none"
"""What ``--resilience-project`` takes for nothing to install."""
COUNTED = (("xdist", ("-n", "0")), ("randomly", ("--randomly-dont-reorganize",)))
"""Plugins that would change the order or the processes, and what keeps them from it."""


def run(revision: str, arguments: Sequence[str], config: pytest.Config) -> int:
    """Compare the suite that pytest was started with; return the exit code."""
    return run_command(compare_suite, [*arguments, "--", revision], NAME, config)


@click.command(context_settings={"help_option_names": []})
@click.argument("revision")
@options.add_tolerance_options(comparison.TOLERANCES, ratio="", instructions="")
@click.option("--budgets", "budgets_file", type=options.FILE)
@click.option("--project")
@click.option("--seconds", type=click.FloatRange(min=1), default=comparison.SECONDS)
@click.option("-o", "--output", type=options.FILE)
@verdict_output.add_output_options
@click.pass_context
def compare_suite(  # noqa: PLR0913 - one argument an option
    context: click.Context,
    /,
    *,
    revision: str,
    tolerances: dict[str, float],
    budgets_file: Path | None,
    project: str | None,
    seconds: float,
    output: Path | None,
    signals: tuple[Signal, ...] | None,
    **shown: Any,
) -> int:
    """Measure the benchmarks of a revision against those of the working tree, and judge them."""
    request = read_request(context.obj)
    verdict_output.ensure_outputs_writable(shown)
    measurable = require_signals(signals or PLAIN_SIGNALS)
    written = find_tolerances(budgets_file)
    folder = output or options.build_output_path("compare").with_suffix("")
    for name in compare_sides.NAMES:
        atomic.ensure_writable(folder / f"{name}.json")
    project = "" if project == NO_PROJECT else project
    with create_shared_path() as shared, tempfile.TemporaryDirectory(prefix="suites-") as copies:
        sides = make_sides(revision, request, Path(copies), project, show_note)
        suites = {side.variant.text: side.suite for side in sides}
        launching = pytest_suite.SuiteLaunching(shared, suites)
        base, head = (side.variant for side in sides)
        show_note("collecting the benchmarks of both sides")
        found = [pytest_suite.collect(launching.launcher(one), one.text) for one in (base, head)]
        selection, notes = pytest_suite.pair(*found)
        setting = Setting(
            launching,
            selection,
            measurable,
            folder,
            seconds,
            tolerances,
            (*written, *pytest_suite.select_tolerances(found[1], selection)),
            pytest_suite.SUITE_PROFILE,
        )
        result, _ = compare_sides.judge_pair(setting, base, head, is_checked=True)
    names = f"{revision} (BASE) against {head.text} (HEAD); results: {folder}"
    headline = (names, *result.headline)
    result = replace(result, headline=headline, notes=(*notes, *result.notes))
    return verdict_output.show_judgement(result, shown, with_changes=True)


def read_request(config: pytest.Config) -> SuiteRequest:
    """Return what was typed; UserError for what cannot be together with a comparison."""
    refuse_processes(config)
    folder = config.invocation_params.dir
    arguments = list(config.invocation_params.args)
    for plugin, added in COUNTED:
        if config.pluginmanager.hasplugin(plugin):
            arguments += added
    if config.pluginmanager.hasplugin("_cov"):
        arguments.append("--no-cov")
    search = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if {"", str(folder)} & set(sys.path):  # as 'python -m pytest' does it
        search.append(str(folder))
    return SuiteRequest(
        folder,
        config.rootpath,
        tuple(map(str, arguments)),
        tuple(str(folder / text) for text in config.args),
        tuple(str(folder / path) for path in search),
    )


def refuse_processes(config: pytest.Config) -> None:
    """Raise UserError if pytest-xdist is to run the tests in several processes."""
    typed = config.getoption("numprocesses", None) or config.getoption("tx", None)
    if typed:
        raise UserError(
            f"-n {typed}: expected no processes of pytest-xdist, because benchmarks that run side "
            "by side disturb each other; type '-n 0'"
        )
