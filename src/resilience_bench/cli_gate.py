"""The commands that judge: check and compare."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from resilience_bench import baseline as baselines
from resilience_bench import results, variants
from resilience_bench._model import (
    Baseline,
    Budget,
    CaseRecord,
    Environment,
    Judgement,
    Result,
    Signal,
)
from resilience_bench.baseline import LEARN
from resilience_bench.budgets import UNITS, unmatched
from resilience_bench.cli_options import (
    budgets_path,
    chosen_budgets,
    default_output,
    kept,
    live,
)
from resilience_bench.cli_outputs import ensure_outputs, output_options, show
from resilience_bench.compare import COMPARED, SECONDS, TOLERANCES, Arm, Comparison
from resilience_bench.environment import current_environment
from resilience_bench.errors import UnknownSelectorError, UnreadableBaselineError, UserError
from resilience_bench.gate import Policy, Question
from resilience_bench.jsonfile import listed
from resilience_bench.launcher import Launcher
from resilience_bench.load_session import GATED, sessions
from resilience_bench.progress import shown_gate
from resilience_bench.questions import (
    headline_of,
    judged,
    questions_of_baseline,
    questions_of_budgets,
    questions_of_comparison,
    relevant,
    with_null_control,
    without_range,
)
from resilience_bench.recording import Recording
from resilience_bench.scenario import matches
from resilience_bench.selection import Selection, baselines_folder, select
from resilience_bench.session import PROFILES
from resilience_bench.signals import SIGNALS, measurable
from resilience_bench.sources import Source, Stored
from resilience_bench.stage import Stage, stage
from resilience_bench.worker.reference import REFERENCE_VERSION

_FILE = click.Path(path_type=Path)
Chosen = Callable[[str], bool]
"""Whether the case of this name is judged."""
NONE: Final = "none"
"""Instead of the file of a baseline: budgets alone are judged."""
"""How long a comparison may measure, unless something else is said."""


@click.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--baseline",
    "baseline_file",
    type=_FILE,
    help="By default that of this machine; 'none' to judge budgets alone.",
)
@click.option("--budgets", "budgets_file", type=_FILE, help="Default: baselines/budgets.toml.")
@click.option("--result", "result_file", type=_FILE, help="Judge this file; measure nothing.")
@click.option("-o", "--output", type=_FILE, help="Where to write what is measured.")
@output_options
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

    Exit codes: 0 all within, 1 something got dearer, 2 nothing could be judged, 3 (with --strict)
    something stayed undecided or could not be measured.
    """
    ensure_outputs(shown)
    stored = results.read(result_file) if result_file else None
    here = stored.environment if stored else current_environment()
    version = stored.reference_version if stored else REFERENCE_VERSION
    held = _held_against(here, version, signals, baseline_file, budgets_file)
    if stored:
        found = f"measured {stored.started}: {result_file}"
        result = _decided(Stored(stored), held, _chosen_of(stored, selectors))
    else:
        file = output or default_output("check")
        results.ensure_writable(file)
        selection = select(launcher, selectors, gated=True)
        found = f"results: {file}"
        with live(launcher, selection, file, held.signals, selectors) as source:
            names = {info.case.name for info in selection.cases}
            result = _decided(source, held, names.__contains__ if selectors else _any)
    return show(replace(result, headline=(held.headline, found, *result.headline)), shown)


@dataclass(frozen=True, slots=True)
class _Held:
    """What cases are held against; without a baseline it is budgets alone."""

    headline: str
    baseline: Baseline | None
    budgets: Sequence[Budget]
    signals: Sequence[str]


def _held_against(
    here: Environment,
    reference_version: int,
    signals: Sequence[str] | None,
    baseline_file: Path | None,
    budgets_file: Path | None,
) -> _Held:
    budgets = chosen_budgets(budgets_file)
    path = _baseline_path(baseline_file, budgets_file, here)
    if path is None:
        limited = {UNITS[each.quantity] for each in budgets}
        wanted = signals or [each for each in SIGNALS if each in limited]
        reason = "as asked for" if baseline_file else "for there is no baseline of this environment"
        headline = f"budgets alone are judged, {reason}: {budgets_file or budgets_path()}"
        return _Held(headline, None, budgets, wanted)
    baseline = baselines.read(path)
    wanted = baselines.comparable(baseline, here, reference_version, signals)
    return _Held(f"baseline {path}, learned {baseline.learned}", baseline, budgets, wanted)


def _baseline_path(named: Path | None, budgets_file: Path | None, here: Environment) -> Path | None:
    """The baseline; None for who wants none, or names a file of budgets where there is none."""
    if named == Path(NONE):
        return None
    try:
        return named or baselines.find(baselines_folder(), here)
    except UnreadableBaselineError:
        if budgets_file is None:
            raise
        return None


def _chosen_of(result: Result, selectors: Sequence[str]) -> Chosen:
    """Which cases are judged by a results file: all, or those that the selectors mean."""
    if not selectors:
        return _any
    cases = [record.case for record in result.cases]
    for pattern in selectors:
        if not any(matches(pattern, case) for case in cases):
            raise UnknownSelectorError(pattern)
    names = {case.name for case in cases if any(matches(each, case) for each in selectors)}
    return names.__contains__


def _any(_name: str) -> bool:
    return True


def _decided(source: Source, held: _Held, chosen: Chosen) -> Judgement:
    policy = Policy()
    asked: list[Question] = []
    if held.baseline:
        asked += questions_of_baseline(held.baseline, held.signals, chosen)
    asked += questions_of_budgets(held.budgets, held.signals, _records(source, chosen))
    if not asked:
        said = "the baseline and the budgets say" if held.baseline else "the budgets say"
        message = f"{said} nothing of the selected cases; {LEARN}, or write a budget of them"
        raise UserError(message)
    verdicts = relevant(judged(asked, source, policy), source.cases)
    notes = _notes(held, _records(source, chosen))
    return Judgement("check", (headline_of(policy, verdicts),), tuple(verdicts), tuple(notes))


def _records(source: Source, chosen: Chosen) -> list[CaseRecord]:
    return [record for name, record in source.cases.items() if chosen(name)]


def _notes(held: _Held, records: Sequence[CaseRecord]) -> list[str]:
    """What was not judged, and what nothing was held against."""
    left_out = [key for key in dict.fromkeys(baselines.SIGNALS.values()) if key not in held.signals]
    notes = [f"{key} is not judged: not asked for" for key in left_out]
    if held.baseline and (missing := without_range(records, held.baseline)):
        notes.append(
            f"{len(missing)} measured cases have no range yet ({listed(missing)}); {LEARN}"
        )
    if idle := [repr(each) for each in unmatched(held.budgets, [each.case for each in records])]:
        notes.append(f"budgets that match no selected case: {listed(idle)}")
    return notes


@click.command()
@click.argument("base")
@click.argument("head")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=100 * TOLERANCES["ratio"],
    show_default=True,
    help="How much dearer the latency may get, in per cent.",
)
@click.option(
    "--tolerance-instructions",
    type=click.FloatRange(min=0),
    default=100 * TOLERANCES["instructions"],
    show_default=True,
    help="How many more instructions there may be, in per cent.",
)
@click.option("--project", default="stack", show_default=True, help="What '.' and git: install.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=SECONDS,
    show_default=True,
    help="How long to measure, without making the environments: every case is measured, then "
    "workers are started until then to decide what is doubtful about latencies. What is undecided "
    "then stays inconclusive.",
)
@click.option("-o", "--output", type=_FILE, help="A folder for the results of each arm.")
@output_options
@click.pass_obj
def compare(  # noqa: PLR0913 - one argument an option
    launcher: Launcher,
    /,
    *,
    base: str,
    head: str,
    selectors: tuple[str, ...],
    tolerance: float,
    tolerance_instructions: float,
    project: str,
    seconds: float,
    output: Path | None,
    signals: tuple[Signal, ...] | None,
    **shown: Any,
) -> int:
    """Measure two variants against each other, and fail if HEAD is dearer than BASE.

    A variant is '.' (this checkout), 'git:REVISION', 'pip:REQUIREMENT[,REQUIREMENT]' (for example
    'pip:tenacity==8.2.3') or the path of an interpreter. Exit codes as for 'check'.
    """
    ensure_outputs(shown)
    folder = output or default_output("compare").with_suffix("")
    for name in ("base", "head", "null"):
        results.ensure_writable(folder / f"{name}.json")
    selection = select(launcher, selectors, gated=True)
    needed = sorted({each for info in selection.cases for each in info.distributions})
    note = Console(stderr=True).print
    made = [variants.make(text, needed, project=project, note=note) for text in (base, head)]
    tolerances = {
        **TOLERANCES,
        "ratio": tolerance / 100,
        "instructions": tolerance_instructions / 100,
    }
    with (
        stage() as staged,
        _comparison(
            staged, made=made, selection=selection, folder=folder, signals=signals, seconds=seconds
        ) as pair,
    ):
        result = compared(pair, tolerances, COMPARED)
    headline = [f"{base} (BASE) against {head} (HEAD); results: {folder}"]
    result = replace(result, headline=(*headline, *result.headline))
    return show(result, shown, with_changes=True)


@contextlib.contextmanager
def _comparison(  # noqa: PLR0913 - one caller, which has them all
    staged: Stage,
    *,
    made: Sequence[variants.Variant],
    selection: Selection,
    folder: Path,
    signals: Sequence[Signal] | None,
    seconds: float,
) -> Iterator[Comparison]:
    available, lacking = measurable(signals)
    if not available:
        raise UserError("; ".join(lacking.values()))
    arms: list[Arm] = []
    for name, variant in zip(("base", "head", "null"), (*made, made[0]), strict=True):
        session, loaded = sessions(
            staged.launcher(variant), selection.cases, PROFILES["quick"], GATED
        )
        recording = Recording(
            session.records,
            f"compare, {name}",
            folder / f"{name}.json",
            (variant.text,),
            selection.problems,
            available,
            lacking,
            variants.environment_of(variant),
        )
        arms.append(Arm(session, recording, loaded))
    recordings = [arm.recording for arm in arms]
    deadline = time.monotonic() + seconds
    with (
        kept(recordings, folder),
        shown_gate(Console(stderr=True), len(selection.cases)) as show,
    ):
        base, head, null = arms
        yield Comparison(base, head, null, show, available, lacking, deadline)


def compared(pair: Comparison, tolerances: dict[str, float], policy: Policy) -> Judgement:
    """Decide a comparison."""
    questions = questions_of_comparison(pair.head.session.records, pair.signals, tolerances)
    verdicts, notes = with_null_control(questions, judged(questions, pair, policy))
    kept = relevant(verdicts, pair.base.session.records, pair.head.session.records)
    notes += [f"{key}: {reason}" for key, reason in pair.not_available.items()]
    return Judgement("compare", (headline_of(policy, kept),), tuple(kept), tuple(notes))


COMMANDS: Final = (check, compare)
