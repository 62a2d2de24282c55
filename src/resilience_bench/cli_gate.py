"""The commands that judge: check, compare, baseline, variants; see `cli` for the others."""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from resilience_bench import baseline as baselines
from resilience_bench import results, variants
from resilience_bench._model import Baseline, Budget, Judgement, Result, Signal
from resilience_bench.cli_options import chosen_budgets, default_output, live, signals_option
from resilience_bench.compare import COMPARED, TOLERANCES, Arm, Comparison
from resilience_bench.environment import current_environment
from resilience_bench.errors import UnknownSelectorError, UserError
from resilience_bench.export import annotations as workflow_commands
from resilience_bench.export import junit
from resilience_bench.gate import Policy
from resilience_bench.launcher import Launcher
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
from resilience_bench.report import judgement_markdown, judgement_table
from resilience_bench.report.judged import exit_code
from resilience_bench.scenario import matches, matches_name
from resilience_bench.selection import Selection, baselines_folder, select
from resilience_bench.session import PROFILES, Session
from resilience_bench.signals import SIGNALS, not_available
from resilience_bench.sources import Source, Stored
from resilience_bench.stage import Stage, stage
from resilience_bench.worker.reference import REFERENCE_VERSION

_FILE = click.Path(path_type=Path)
BUDGET_S: Final = 150.0


def _output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--strict", is_flag=True, help="Exit 3 if something stayed undecided."),
        click.option("--junit", type=_FILE, help="Also write JUnit XML to this file."),
        click.option("--markdown", type=_FILE, help="Also write Markdown to this file."),
        click.option(
            "--annotations", type=click.Choice(["github"]), help="Also print annotations."
        ),
        click.option("--explain", metavar="CASE", help="Show every step of these decisions."),
        signals_option,
    ):
        command = option(command)
    return command


@click.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option("--baseline", "baseline_file", type=_FILE, help="By default that of this machine.")
@click.option("--budgets", "budgets_file", type=_FILE, help="Default: baselines/budgets.toml.")
@click.option("--result", "result_file", type=_FILE, help="Judge this file; measure nothing.")
@click.option("-o", "--output", type=_FILE, help="Where to write what is measured.")
@_output_options
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
    _ensure_outputs(shown)
    stored = results.read(result_file) if result_file else None
    here = stored.environment if stored else current_environment()
    version = stored.reference_version if stored else REFERENCE_VERSION
    path = baseline_file or baselines.find(baselines_folder(), here)
    baseline = baselines.read(path)
    wanted = baselines.comparable(baseline, here, version, signals)
    budgets = chosen_budgets(budgets_file)
    headline = [f"baseline {path}, learned {baseline.learned}"]
    if stored:
        headline.append(f"measured {stored.started}: {result_file}")
        result = _decided(Stored(stored), baseline, budgets, wanted, _Chosen.by(stored, selectors))
    else:
        file = output or default_output("check")
        results.ensure_writable(file)
        selection = select(launcher, selectors)
        headline.append(f"results: {file}")
        with live(launcher, selection, file, wanted, selectors) as source:
            chosen = _Chosen({info.case.name for info in selection.cases}, bool(selectors))
            result = _decided(source, baseline, budgets, wanted, chosen)
    return _shown(replace(result, headline=(*headline, *result.headline)), shown)


class _Chosen:
    """Which cases of a baseline are judged: all, or those that the selectors mean."""

    def __init__(self, names: set[str], only_these: bool) -> None:  # noqa: FBT001 - two callers
        self._names = names
        self._only_these = only_these

    @classmethod
    def by(cls, result: Result, selectors: Sequence[str]) -> _Chosen:
        """Those of a results file."""
        cases = [record.case for record in result.cases]
        for pattern in selectors:
            if not any(matches(pattern, case) for case in cases):
                raise UnknownSelectorError(pattern)
        names = {
            case.name for case in cases if any(matches(pattern, case) for pattern in selectors)
        }
        return cls(names, bool(selectors))

    def __call__(self, name: str) -> bool:
        return not self._only_these or name in self._names


def _decided(
    source: Source,
    baseline: Baseline,
    budgets: Sequence[Budget],
    signals: Sequence[str],
    chosen: Callable[[str], bool],
) -> Judgement:
    policy = Policy()
    questions = questions_of_baseline(baseline, signals, chosen)
    records = [record for name, record in source.cases.items() if chosen(name)]
    questions += questions_of_budgets(budgets, signals, records)
    if not questions:
        message = (
            "the baseline and the budgets say nothing of the selected cases; expected ranges of "
            "them; type 'resilience-bench baseline learn'"
        )
        raise UserError(message)
    verdicts = relevant(judged(questions, source, policy), source.cases)
    notes = [f"{key} is not judged: not asked for" for key in SIGNALS if key not in signals]
    if missing := without_range(
        [record for name, record in source.cases.items() if chosen(name)], baseline
    ):
        some = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")  # noqa: PLR2004
        notes.append(
            f"{len(missing)} measured cases have no range yet ({some}); "
            "type 'resilience-bench baseline learn'"
        )
    return Judgement("check", (headline_of(policy, verdicts),), tuple(verdicts), tuple(notes))


def _ensure_outputs(shown: dict[str, Any]) -> None:
    for each in ("junit", "markdown"):
        if shown[each]:
            results.ensure_writable(shown[each])


def _shown(result: Judgement, shown: dict[str, Any]) -> int:
    """Print and write what was decided; the exit code says it again."""
    console = Console()
    if pattern := shown["explain"]:
        _explain(result, pattern, console)
    judgement_table.render(result, console)
    if shown["junit"]:
        results.write_text(junit.render(result), shown["junit"])
    if shown["markdown"]:
        results.write_text(judgement_markdown.render(result) + "\n", shown["markdown"])
    if shown["annotations"]:
        click.echo(workflow_commands.render(result))
    return exit_code(result, strict=shown["strict"])


def _explain(result: Judgement, pattern: str, console: Console) -> None:
    def wanted(name: str) -> bool:
        return matches_name(pattern, name)

    if not judgement_table.render_explanation(result, wanted, console):
        # The judgement itself must not be lost for that.
        names = sorted({each.case for each in result.verdicts})
        close = difflib.get_close_matches(pattern.strip("*?"), names, n=3, cutoff=0.3) or names[:3]
        text = f"--explain {pattern!r}: no case of that name was judged (close: {', '.join(close)})"
        click.echo(text, err=True)


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
    default=BUDGET_S,
    show_default=True,
    help="Seconds after which no more workers are started to decide a latency.",
)
@click.option("-o", "--output", type=_FILE, help="A folder for the results of each arm.")
@_output_options
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
    _ensure_outputs(shown)
    folder = output or default_output("compare").with_suffix("")
    for name in ("base", "head", "null"):
        results.ensure_writable(folder / f"{name}.json")
    selection = select(launcher, selectors)
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
            staged, made=made, selection=selection, folder=folder, signals=signals, budget_s=seconds
        ) as pair,
    ):
        result = compared(pair, tolerances, COMPARED)
    headline = [f"{base} (BASE) against {head} (HEAD); results: {folder}"]
    return _shown(replace(result, headline=(*headline, *result.headline)), shown)


@contextlib.contextmanager
def _comparison(  # noqa: PLR0913 - one caller, which has them all
    staged: Stage,
    *,
    made: Sequence[variants.Variant],
    selection: Selection,
    folder: Path,
    signals: Sequence[Signal] | None,
    budget_s: float,
) -> Iterator[Comparison]:
    missing = not_available()
    wanted = tuple(signals or SIGNALS)
    available = tuple(each for each in wanted if each not in missing)
    if not available:
        raise UserError("; ".join(missing.values()))
    lacking: dict[str, str] = {each: missing[each] for each in wanted if each in missing}
    arms: list[Arm] = []
    for name, variant in zip(("base", "head", "null"), (*made, made[0]), strict=True):
        session = Session(staged.launcher(variant), selection.cases, PROFILES["quick"])
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
        arms.append(Arm(session, recording))
    deadline = time.monotonic() + budget_s
    with shown_gate(Console(stderr=True), len(selection.cases)) as show:
        base, head, null = arms
        yield Comparison(base, head, null, show, available, lacking, deadline)
    for arm in arms:
        arm.recording.write(complete=True)


def compared(pair: Comparison, tolerances: dict[str, float], policy: Policy) -> Judgement:
    """Decide a comparison."""
    questions = questions_of_comparison(pair.head.session.records, pair.signals, tolerances)
    verdicts, notes = with_null_control(questions, judged(questions, pair, policy))
    kept = relevant(verdicts, pair.base.session.records, pair.head.session.records)
    notes += [f"{key}: {reason}" for key, reason in pair.not_available.items()]
    return Judgement("compare", (headline_of(policy, kept),), tuple(kept), tuple(notes))


COMMANDS: Final = (check, compare)
