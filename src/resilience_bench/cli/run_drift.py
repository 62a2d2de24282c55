"""``run --drift``: does the cost or the memory of a case grow with the number of its calls?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resilience_bench.cli import options
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.measuring import record_blocks, report_end
from resilience_bench.cli.progress import show_progress
from resilience_bench.errors import UnknownLoadError
from resilience_bench.files import atomic
from resilience_bench.measure.discovery import Selection
from resilience_bench.measure.drift_session import DriftSession
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import Profile
from resilience_bench.report import table
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.stats.latency import estimate


def run_drift(
    launcher: Launcher,
    selectors: Sequence[str],
    seconds: float,
    profile: Profile,
    output: Path | None,
) -> int:
    """Keep the selected cases going, write a results file and print the table.

    Args:
        launcher: Starts the workers.
        selectors: Which cases; see `select`.
        seconds: How long each of them is kept going.
        profile: Says how long a sample is, and a worker may take beyond that.
        output: The results file; a fresh name if it is None.

    Raises:
        UserError: If there is nothing to measure, or a case is under a load.
    """
    path = output or options.build_output_path("run")
    atomic.ensure_writable(path)
    selection = select(launcher, selectors)
    _refuse_loads(selection)
    session = DriftSession(launcher, selection.cases, profile, drift_s=seconds)
    recording = Recording(
        session.records,
        f"{seconds:g} s a case",
        path,
        selectors,
        selection.problems,
        signals=("drift",),
    )
    cases = f"{len(selection.cases)} case{'s' * (len(selection.cases) != 1)}"
    each = " each" * (len(selection.cases) != 1)
    title = f"keeping {cases} going for {seconds:g} s{each}"
    with show_progress(make_progress_console(), title, {"": len(selection.cases)}) as show:
        completed = record_blocks(
            (("", done) for done in session.run()),
            {"": recording},
            lambda _, done: show(done, name=session.records[done.cases[0].case.name].status),
        )
    result = recording.write(complete=completed)
    table.render(result, estimate(result), "latency", make_console())
    return report_end([result], [path], selection.problems, completed=completed)


def _refuse_loads(selection: Selection) -> None:
    for info in selection.cases:
        if info.case.is_loaded:
            message = (
                f"--drift keeps one caller going, around a payload without work; found "
                f"{info.case.name}; type '{info.case.with_load(SINGLE, NOOP).name}'"
            )
            raise UnknownLoadError(message)
