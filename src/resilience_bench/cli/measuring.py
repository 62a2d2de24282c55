"""What the commands that measure share: which signals, what is recorded, and the end."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from resilience_bench._model import Case, Environment, Result, Signal
from resilience_bench.cli import options
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.progress import show_progress
from resilience_bench.errors import UserError, format_amount
from resilience_bench.gate.criteria import has_signal
from resilience_bench.gate.live import LiveSource
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import LoadSession, create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import Selection
from resilience_bench.measure.session import PROFILES, FinishedBlock, Profile, Session
from resilience_bench.report.text import clean_text
from resilience_bench.servers.open_servers import Servers

SERVERS: Final = "resilience_bench.servers"
"""Where click's context has the servers of a command."""
Measurable = tuple[tuple[Signal, ...], dict[str, str]]
"""The signals that can be measured here, and why the others cannot."""


def select_signals(
    signals: Sequence[Signal] | None, session: Session, loaded: Sequence[LoadSession]
) -> Measurable:
    """Return those of the signals that the cases have, see `has_signal`."""
    wanted = signals or options.SIGNALS
    under_load = {one.signal: one for one in loaded}
    possible = [signal for signal in options.SIGNALS if under_load.get(signal, session).cases]
    found = [signal for signal in possible if signal in wanted]
    if not found:
        has = ",".join(possible)
        raise UserError(f"these cases have no {' and no '.join(wanted)}; type --signals {has}")
    return require_signals(found)


def require_signals(signals: Sequence[Signal] | None) -> Measurable:
    """Return those of the signals that can be measured here, at least one."""
    available, lacking = find_measurable_signals(signals)
    if not available:
        raise UserError("; ".join(lacking.values()))
    return available, lacking


def count_cases(cases: Iterable[Case], signals: Sequence[Signal]) -> str:
    """Say how many cases have one of the signals, and so are measured."""
    measured = [case for case in cases if any(has_signal(case, signal) for signal in signals)]
    return format_amount(len(measured), "case")


def open_servers() -> Servers:
    """Return the servers of the command that runs: it ends them when it ends itself."""
    context = click.get_current_context()
    if SERVERS not in context.meta:
        context.meta[SERVERS] = context.with_resource(Servers())
    servers: Servers = context.meta[SERVERS]
    return servers


def measure_variants(
    blocks: Iterable[tuple[MeasuredVariant, FinishedBlock]],
    variants: Sequence[MeasuredVariant],
    title: str,
    totals: Mapping[str, int | None],
    name_task: Callable[[MeasuredVariant, FinishedBlock], tuple[str, str]],
) -> list[Result]:
    """Record and show each finished block; return the results, also after an interruption."""
    completed = True
    options.KEPT.set(" ".join(str(variant.recording.path) for variant in variants))
    try:
        with show_progress(make_progress_console(), title, totals) as show:
            for variant, done in blocks:
                variant.recording.add(done)
                show(done, *name_task(variant, done))
    except KeyboardInterrupt:
        completed = False
    except UserError:
        for variant in variants:
            variant.recording.write(complete=False)
        raise
    return [variant.recording.write(complete=completed) for variant in variants]


def report_end(measured: Sequence[Result], files: Sequence[Path]) -> int:
    """Report files and unread scenario files; return the exit code."""
    code = options.report_problems(measured[0].notes)
    listed = " ".join(map(str, files))
    if not all(result.complete for result in measured):
        click.echo(f"interrupted; what was measured is in {listed}", err=True)
        return options.INTERRUPTED
    code = options.choose_exit_code(*measured) or code
    if code and make_console().quiet:
        _report_unmeasured(measured)
    click.echo(f"results: {listed}")
    return code


def _report_unmeasured(measured: Sequence[Result]) -> None:
    """Report, where no table was shown, the cases that explain the exit code."""
    records = [record for result in measured for record in result.cases]
    some = any(record.status == "measured" for record in records)
    for record in records:
        if record.status != "measured" and not (some and record.status == "not available"):
            text = f"{record.case.name}: {record.status}: {record.reason}"
            click.echo(clean_text(text), err=True)


def prepare_variant(  # noqa: PLR0913 - what a results file says of itself
    launcher: Launcher,
    selection: Selection,
    measurable: Measurable,
    *,
    label: str,
    file: Path,
    selectors: Sequence[str],
    environment: Environment | None = None,
    profile: Profile = PROFILES["quick"],
) -> MeasuredVariant:
    """Prepare the measurement of what a gate judges."""
    session, loaded = create_sessions(
        launcher, selection.cases, profile, gated=True, servers=open_servers()
    )
    recording = Recording(
        session.records, label, file, selectors, selection.problems, *measurable, environment
    )
    return MeasuredVariant(session, recording, loaded)


@contextlib.contextmanager
def open_source(
    variants: Sequence[MeasuredVariant],
    where: Path,
    measurable: Measurable,
    deadline: float = math.inf,
) -> Iterator[LiveSource]:
    """Measure HEAD, or HEAD, BASE and the null control, when asked; write all at the end."""
    cases = [record.case for record in variants[0].session.records.values()]
    title = f"measuring {count_cases(cases, measurable[0])}"
    base, null = variants[1:] or (None, None)
    options.KEPT.set(str(where))
    try:
        with show_progress(make_progress_console(), title, {"": None}) as show:
            yield LiveSource(variants[0], show, *measurable, base, null, deadline)
    except KeyboardInterrupt:
        for variant in variants:
            variant.recording.write(complete=False)
        click.echo(f"interrupted; what was measured is in {where}", err=True)
        raise click.Abort from None
    for variant in variants:
        variant.recording.write(complete=True)
