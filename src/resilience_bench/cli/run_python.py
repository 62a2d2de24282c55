"""``run --python``: the same plan under several interpreters, shown side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from resilience_bench._model import Result, Signal
from resilience_bench.cli import options
from resilience_bench.cli.options import INTERRUPTED
from resilience_bench.cli.progress import shown_arms
from resilience_bench.environments import interpreters
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.measure.counting import measurable
from resilience_bench.measure.interleave import Arm, sessions_under, taking_turns
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import IMPORT_LIMIT_S, Selection, select
from resilience_bench.measure.session import Profile, discover
from resilience_bench.measure.shared_path import Stage, stage
from resilience_bench.report import table


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is measured under every interpreter."""

    selectors: Sequence[str]
    selection: Selection
    profile: Profile
    signals: Sequence[Signal]
    not_available: Mapping[str, str]


def run_under(  # noqa: PLR0913 - what the command line says
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
    note = Console(stderr=True, soft_wrap=True).print
    found = interpreters.find(pythons, note)
    files = _files(output or options.default_output("run"), found)
    for file in files:
        atomic.ensure_writable(file)
    plan = _planned(launcher, selectors, profile, signals)
    needed = sorted({each for info in plan.selection.cases for each in info.distributions})
    ready = [interpreters.prepared(each, needed, note) for each in found]
    with stage() as staged:
        arms = [_arm(staged, *each, plan) for each in zip(ready, files, strict=True)]
        completed = _measure(arms, plan.signals)
    measured = [arm.recording.write(complete=completed) for arm in arms]
    table.render_side_by_side(measured, Console())
    return _ended(measured, files, plan.selection, completed=completed)


def _planned(
    launcher: Launcher,
    selectors: Sequence[str],
    profile: Profile,
    signals: Sequence[Signal] | None,
) -> _Plan:
    selection = select(launcher, selectors, loaded=profile.name == "concurrency")
    both = sessions(launcher, selection.cases, profile)
    available, lacking = measurable(options.wanted_signals(signals, *both))
    if not available:
        raise UserError("; ".join(lacking.values()))
    return _Plan(selectors, selection, profile, available, lacking)


def _files(stem: Path, found: Sequence[Interpreter]) -> list[Path]:
    """A file each; two builds of one version are told apart by a number."""
    stems = [each.stem for each in found]
    names = [
        f"{name}-{earlier + 1}" if (earlier := stems[:place].count(name)) else name
        for place, name in enumerate(stems)
    ]
    return [stem.with_name(f"{stem.stem}-{name}.json") for name in names]


def _arm(staged: Stage, interpreter: Interpreter, file: Path, plan: _Plan) -> Arm:
    workers = staged.launcher(interpreter.variant)
    cases = plan.selection.cases
    paths = [Path(path) for path in dict.fromkeys(info.path for info in cases)]
    listing = discover(workers, paths, IMPORT_LIMIT_S)
    alone, loaded = sessions_under(interpreter, workers, cases, plan.profile, listing)
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
    return Arm(interpreter, alone, loaded, recording)


def _measure(arms: Sequence[Arm], signals: Sequence[Signal]) -> bool:
    totals = {arm.interpreter.name: arm.visits(signals) for arm in arms}
    try:
        with shown_arms(totals, Console(stderr=True)) as show:
            for arm, done in taking_turns(arms, signals):
                arm.recording.add(done)
                show(arm.interpreter.name, done)
    except KeyboardInterrupt:
        return False
    except UserError:
        for arm in arms:
            arm.recording.write(complete=False)
        raise
    return True


def _ended(
    measured: Sequence[Result], files: Sequence[Path], selection: Selection, *, completed: bool
) -> int:
    code = options.report_problems(selection.problems)
    listed = " ".join(map(str, files))
    if not completed:
        click.echo(f"interrupted; what was measured is in {listed}", err=True)
        return INTERRUPTED
    click.echo(f"results: {listed}")
    return options.run_code(*measured) or code
