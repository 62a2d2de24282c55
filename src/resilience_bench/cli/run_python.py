"""``run --python``: the same plan under several interpreters, shown side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resilience_bench._model import Signal
from resilience_bench.cli import options
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.measuring import (
    record_blocks,
    report_end,
    require_signals,
    select_signals,
)
from resilience_bench.cli.progress import show_progress
from resilience_bench.environments import interpreters
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.files import atomic
from resilience_bench.measure.discovery import Selection, discover
from resilience_bench.measure.interleave import (
    create_interpreter_sessions,
    measure_interleaved,
)
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.measured_variant import MeasuredVariant
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import IMPORT_LIMIT_S, select
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
        totals = {arm.name: arm.count_visits(plan.signals) for arm in arms}
        title = f"measuring {len(plan.selection.cases)} cases under {len(arms)} interpreters"
        with show_progress(make_progress_console(), title, totals) as show:
            completed = record_blocks(
                ((arm.name, done) for arm, done in measure_interleaved(arms, plan.signals)),
                {arm.name: arm.recording for arm in arms},
                lambda name, done: show(done, name, name),
            )
    measured = [arm.recording.write(complete=completed) for arm in arms]
    table.render_side_by_side(measured, make_console())
    return report_end(measured, files, plan.selection.problems, completed=completed)


def _make_plan(
    launcher: Launcher,
    selectors: Sequence[str],
    profile: Profile,
    signals: Sequence[Signal] | None,
) -> _Plan:
    selection = select(launcher, selectors, loaded=profile.name == "concurrency")
    both = create_sessions(launcher, selection.cases, profile)
    available, lacking = require_signals(select_signals(signals, *both))
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
) -> MeasuredVariant:
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
    return MeasuredVariant(alone, recording, loaded, interpreter.name)
