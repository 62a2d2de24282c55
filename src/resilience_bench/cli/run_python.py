"""``run --python``: the same plan under several interpreters, shown side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from resilience_bench._model import Result, Signal
from resilience_bench.cli import options
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.measuring import select_signals
from resilience_bench.cli.options import INTERRUPTED
from resilience_bench.cli.progress import show_variants_progress
from resilience_bench.environments import interpreters
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.discovery import discover
from resilience_bench.measure.interleave import (
    MeasuredInterpreter,
    create_interpreter_sessions,
    measure_interleaved,
)
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import IMPORT_LIMIT_S, Selection, select
from resilience_bench.measure.session import Profile
from resilience_bench.measure.shared_path import SharedPath, create_shared_path
from resilience_bench.report import table


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is measured under every interpreter."""

    selectors: Sequence[str]
    selection: Selection
    profile: Profile
    signals: Sequence[Signal]
    not_available: Mapping[str, str]


def run_under_interpreters(  # noqa: PLR0913 - what the command line says
    launcher: Launcher,
    selectors: Sequence[str],
    *,
    pythons: Sequence[str],
    profile: Profile,
    signals: Sequence[Signal] | None,
    output: Path | None,
) -> int:
    """Measure under our own interpreter and others, a results file each, and show all of them.

    Args:
        launcher: Starts the worker that finds the cases.
        selectors: Which cases; see `select`.
        pythons: Paths or commands of the other interpreters.
        profile: How much is measured.
        signals: Which; None for all that there are.
        output: Names the results files, with the interpreter's name put behind it.

    Raises:
        UserError: If there is nothing to measure, or an interpreter cannot be used.
    """
    note = make_progress_console().print
    found = interpreters.find(pythons, note)
    files = _name_files(output or options.build_output_path("run"), found)
    for file in files:
        atomic.ensure_writable(file)
    plan = _make_plan(launcher, selectors, profile, signals)
    needed = sorted({each for info in plan.selection.cases for each in info.distributions})
    ready = [interpreters.prepare(each, needed, note) for each in found]
    with create_shared_path() as staged:
        arms = [
            _prepare_measurement(staged, *each, plan) for each in zip(ready, files, strict=True)
        ]
        completed = _measure(arms, plan.signals)
    measured = [arm.recording.write(complete=completed) for arm in arms]
    table.render_side_by_side(measured, make_console())
    return _report_end(measured, files, plan.selection, completed=completed)


def _make_plan(
    launcher: Launcher,
    selectors: Sequence[str],
    profile: Profile,
    signals: Sequence[Signal] | None,
) -> _Plan:
    selection = select(launcher, selectors, loaded=profile.name == "concurrency")
    both = create_sessions(launcher, selection.cases, profile)
    available, lacking = find_measurable_signals(select_signals(signals, *both))
    if not available:
        raise UserError("; ".join(lacking.values()))
    return _Plan(selectors, selection, profile, available, lacking)


def _name_files(stem: Path, found: Sequence[Interpreter]) -> list[Path]:
    """A file each; two builds of one version are told apart by a number."""
    stems = [each.stem for each in found]
    names = [
        f"{name}-{earlier + 1}" if (earlier := stems[:place].count(name)) else name
        for place, name in enumerate(stems)
    ]
    return [stem.with_name(f"{stem.stem}-{name}.json") for name in names]


def _prepare_measurement(
    staged: SharedPath, interpreter: Interpreter, file: Path, plan: _Plan
) -> MeasuredInterpreter:
    workers = staged.launcher(interpreter.variant)
    cases = plan.selection.cases
    paths = [Path(path) for path in dict.fromkeys(info.path for info in cases)]
    listing = discover(workers, paths, IMPORT_LIMIT_S)
    alone, loaded = create_interpreter_sessions(interpreter, workers, cases, plan.profile, listing)
    recording = Recording(
        alone.records,
        plan.profile.name,
        file,
        plan.selectors,
        plan.selection.problems,
        plan.signals,
        plan.not_available,
        interpreter.environment,
    )
    return MeasuredInterpreter(interpreter, alone, loaded, recording)


def _measure(arms: Sequence[MeasuredInterpreter], signals: Sequence[Signal]) -> bool:
    totals = {arm.interpreter.name: arm.count_visits(signals) for arm in arms}
    try:
        with show_variants_progress(totals, make_progress_console()) as show:
            for arm, done in measure_interleaved(arms, signals):
                arm.recording.add(done)
                show(arm.interpreter.name, done)
    except KeyboardInterrupt:
        return False
    except UserError:
        for arm in arms:
            arm.recording.write(complete=False)
        raise
    return True


def _report_end(
    measured: Sequence[Result], files: Sequence[Path], selection: Selection, *, completed: bool
) -> int:
    code = options.report_problems(selection.problems)
    listed = " ".join(map(str, files))
    if not completed:
        click.echo(f"interrupted; what was measured is in {listed}", err=True)
        return INTERRUPTED
    click.echo(f"results: {listed}")
    return options.choose_exit_code(*measured) or code
