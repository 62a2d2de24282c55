"""The command that compares two variants."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from resilience_bench._model import Signal
from resilience_bench.cli.console import make_progress_console
from resilience_bench.cli.measuring import require_signals, write_at_end
from resilience_bench.cli.options import FILE, build_output_path
from resilience_bench.cli.progress import show_progress
from resilience_bench.cli.verdict_output import (
    add_output_options,
    ensure_outputs_writable,
    show_judgement,
)
from resilience_bench.environments import variants
from resilience_bench.environments.recipe import find_default_project
from resilience_bench.errors import UserError
from resilience_bench.files import atomic, results
from resilience_bench.gate.check import add_defects
from resilience_bench.gate.comparison import (
    COMPARISON_POLICY,
    SECONDS,
    TOLERANCES,
    judge_comparison,
)
from resilience_bench.gate.live import LiveSource
from resilience_bench.measure.discovery import Selection
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import GATE_EFFORT, create_sessions
from resilience_bench.measure.measured_variant import MeasuredVariant
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.measure.shared_path import SharedPath, create_shared_path

TWO_FILES: Final = (
    "for two results files type "
    "'resilience-bench report HEAD.json --against BASE.json -o page.html'"
)


@click.command()
@click.argument("base")
@click.argument("head")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=100 * TOLERANCES["ratio"],
    show_default=True,
    help="How much slower a case may get, in per cent.",
)
@click.option(
    "--tolerance-instructions",
    type=click.FloatRange(min=0),
    default=100 * TOLERANCES["instructions"],
    show_default=True,
    help="How many more instructions there may be, in per cent.",
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
    default=SECONDS,
    show_default=True,
    help="How long to measure, without making the environments: every case is measured, then "
    "the time left goes to latencies that are still undecided. What stays undecided is "
    "inconclusive.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="A folder for the results of both, and of BASE measured twice.",
)
@add_output_options
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
    project: str | None,
    seconds: float,
    output: Path | None,
    signals: tuple[Signal, ...] | None,
    **shown: Any,
) -> int:
    """Measure two variants against each other, and fail if HEAD costs more than BASE.

    A variant is '.' (this checkout), 'git:REVISION', 'pip:REQUIREMENT[,REQUIREMENT]' (for example
    'pip:tenacity==8.2.3') or the path of an interpreter. Exit codes as for 'check'.
    """
    for text in (base, head):
        if text.endswith(".json"):
            message = f"{text}: 'compare' measures variants; {TWO_FILES}"
            raise UserError(message)
    ensure_outputs_writable(shown)
    folder = output or build_output_path("compare").with_suffix("")
    for name in ("base", "head", "null"):
        atomic.ensure_writable(folder / f"{name}.json")
    selection = select(launcher, selectors, gated=True)
    needed = sorted({name for info in selection.cases for name in info.distributions})
    note = make_progress_console().print
    project = project or find_default_project(Path.cwd())
    made = [variants.make(text, needed, project=project, note=note) for text in (base, head)]
    tolerances = {
        **TOLERANCES,
        "ratio": tolerance / 100,
        "instructions": tolerance_instructions / 100,
    }
    with (
        create_shared_path() as shared,
        _open_comparison(
            shared, made=made, selection=selection, folder=folder, signals=signals, seconds=seconds
        ) as source,
    ):
        result = judge_comparison(source, tolerances, COMPARISON_POLICY)
    result = add_defects(result, results.read(folder / "head.json"))
    headline = [f"{base} (BASE) against {head} (HEAD); results: {folder}"]
    result = replace(result, headline=(*headline, *result.headline))
    return show_judgement(result, shown, with_changes=True)


@contextlib.contextmanager
def _open_comparison(  # noqa: PLR0913 - one caller, which has them all
    shared: SharedPath,
    *,
    made: Sequence[variants.Variant],
    selection: Selection,
    folder: Path,
    signals: Sequence[Signal] | None,
    seconds: float,
) -> Iterator[LiveSource]:
    available, lacking = require_signals(signals)

    def prepare(name: str, variant: variants.Variant) -> MeasuredVariant:
        session, loaded = create_sessions(
            shared.launcher(variant), selection.cases, PROFILES["quick"], GATE_EFFORT
        )
        recording = Recording(
            session.records,
            f"compare, {name}",
            folder / f"{name}.json",
            (variant.text,),
            selection.problems,
            available,
            lacking,
            variants.query_environment(variant),
        )
        return MeasuredVariant(session, recording, loaded)

    base, head, null = map(prepare, ("base", "head", "null"), (*made, made[0]))
    deadline = time.monotonic() + seconds
    title = f"measuring {len(selection.cases)} cases"
    with (
        write_at_end([side.recording for side in (base, head, null)], folder),
        show_progress(make_progress_console(), title, {"": None}) as show,
    ):
        yield LiveSource(head, show, available, lacking, base, null, deadline)
