"""``run --drift`` and ``run --profile chaos``: long measurements, one case after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from resilience_bench._model import Result
from resilience_bench.cli import measuring, options
from resilience_bench.cli.console import make_console
from resilience_bench.errors import UnknownLoadError, UserError
from resilience_bench.measure.case_servers import CaseServers
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.long_session import DriftSession, LongSession, OutageSession
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import Selection, select
from resilience_bench.measure.session import Profile
from resilience_bench.report import table
from resilience_bench.scenarios.load_patterns import CHAOS
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.stats.latency import estimate

CHAOS_ALONE: Final = (
    "--profile chaos has a schedule of its own; it cannot be combined with --signals, --python or "
    "--drift; leave them out"
)


def run_drift(
    launcher: Launcher, selectors: Sequence[str], seconds: float, profile: Profile, path: Path
) -> int:
    """Keep each of the selected cases going for a time, write the file and show it."""
    selection = select(launcher, selectors)
    for info in selection.cases:
        if info.case.is_loaded:
            raise UnknownLoadError(
                f"--drift keeps one caller going, around a payload without work; found "
                f"{info.case.name}; type '{info.case.with_load(SINGLE, NOOP).name}'"
            )
    session = DriftSession(launcher, selection.cases, profile, drift_s=seconds)
    count = len(selection.cases)
    cases, each = (f"{count} cases", " each") if count != 1 else ("1 case", "")
    title = f"keeping {cases} going for {seconds:g} s{each}"
    result = _measure(
        session, selection, selectors, path, (f"{seconds:g} s a case", "drift", title)
    )
    return measuring.report_end([result], [path])


def run_outages(
    context: click.Context, selectors: Sequence[str], profile: Profile, path: Path
) -> int:
    """Put each of the selected cases through an outage, write the file and show it."""
    if any(options.was_typed(context, name) for name in ("signals", "pythons", "drift")):
        raise UserError(CHAOS_ALONE)
    launcher: Launcher = context.obj
    selection = select(launcher, selectors, profile=CHAOS)
    servers = CaseServers(measuring.open_servers())
    session = OutageSession(launcher, selection.cases, profile, servers=servers)
    count = len(selection.cases)
    title = f"putting {count} case{'s' if count != 1 else ''} through an outage"
    result = _measure(session, selection, selectors, path, (CHAOS, "outage", title))
    return measuring.report_end([result], [path])


def _measure(
    session: LongSession,
    selection: Selection,
    selectors: Sequence[str],
    path: Path,
    words: tuple[str, str, str],
) -> Result:
    """Measure, write the file and show it; ``words`` are its profile, its signal and a title."""
    profile, signal, title = words
    recording = Recording(
        session.records, profile, path, selectors, selection.problems, signals=(signal,)
    )
    variant = MeasuredVariant(session, recording)
    [result] = measuring.measure_variants(
        ((variant, done) for done in session.run()),
        [variant],
        title,
        {"": len(selection.cases)},
        lambda _, done: ("", session.records[done.cases[0].case.name].status),
    )
    table.render(result, estimate(result), "latency", make_console())
    return result
