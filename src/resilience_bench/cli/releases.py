"""The command that measures the releases of a package, and says which of them moved what."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from resilience_bench._model import CaseInfo, Signal
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.measuring import require_signals, select_signals
from resilience_bench.cli.options import FILE, signals_option
from resilience_bench.cli.progress import show_progress
from resilience_bench.environments import interpreters, variants
from resilience_bench.errors import UnreadableResultError, UserError
from resilience_bench.files import atomic
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.measure.shared_path import create_shared_path
from resilience_bench.releases import asv_results, history_file, table
from resilience_bench.releases.assemble import assemble_history
from resilience_bench.releases.history_file import FILE_NAME, History
from resilience_bench.releases.index import (
    Index,
    PipIndex,
    PublishedRelease,
    normalise_name,
    select_releases,
)
from resilience_bench.releases.measure import (
    SAMPLES_FOLDER,
    TOLERANCES,
    MeasurementRequest,
    decide,
    make_measured_releases,
    select_cases,
)
from resilience_bench.releases.prepare import (
    PreparedRelease,
    create_import_check,
    create_variant_maker,
    prepare_releases,
)
from resilience_bench.releases.publish import TREE
from resilience_bench.releases.timeline import Timeline

FOLDER: Final = Path("results") / "releases"
INDEX: Index = PipIndex()
"""Who knows which releases there are; tests put one of their own here."""
ANOTHER_FOLDER: Final = "give another folder with --output"


@click.command()
@click.argument("package")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option("--from", "first", metavar="VERSION", help="The oldest release; default: the first.")
@click.option("--to", "last", metavar="VERSION", help="The newest release; default: the last.")
@click.option("--pre", is_flag=True, help="Measure pre-releases as well.")
@click.option(
    "--python", metavar="PATH", help="Another Python to measure under, by path or by name."
)
@click.option(
    "-o", "--output", type=FILE, help=f"A folder for everything; default: {FOLDER}/PACKAGE."
)
@click.option("--fresh", is_flag=True, help="Measure again what an earlier run has measured.")
@click.option("--show", is_flag=True, help="Show what lies in the folder; measure nothing.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=100 * TOLERANCES["ratio"],
    show_default=True,
    help="How much the latency may move and be no step, in per cent.",
)
@click.option(
    "--tolerance-instructions",
    type=click.FloatRange(min=0),
    default=100 * TOLERANCES["instructions"],
    show_default=True,
    help="The same for instructions.",
)
@signals_option
@click.pass_obj
def releases(  # noqa: PLR0913 - one argument an option
    launcher: Launcher,
    /,
    *,
    package: str,
    selectors: tuple[str, ...],
    first: str | None,
    last: str | None,
    pre: bool,
    python: str | None,
    output: Path | None,
    fresh: bool,
    show: bool,
    tolerance: float,
    tolerance_instructions: float,
    signals: tuple[Signal, ...] | None,
) -> int:
    """Measure the releases of PACKAGE side by side, and say which of them moved what.

    The cases are those that need the package. Each release is held against the one before, by the
    same gate as in 'compare'. An interrupted command goes on when it is typed again.
    """
    name = normalise_name(package)
    folder = output or FOLDER / name
    if show:
        _ensure_measured(name, folder)
        table.render(history_file.read(folder), make_console())
        return 0
    for file in (folder / FILE_NAME, folder / SAMPLES_FOLDER / FILE_NAME):
        atomic.ensure_writable(file, ANOTHER_FOLDER)
    selection = select(launcher, selectors)
    released = INDEX.releases(name)
    cases = select_cases(name, selection.cases)
    published = select_releases(name, released, first, last, pre=pre)
    available, lacking = require_signals(_select_signals(signals, cases, launcher))
    tolerances = {
        **TOLERANCES,
        "ratio": tolerance / 100,
        "instructions": tolerance_instructions / 100,
    }
    wanted = MeasurementRequest(name, cases, available, lacking, selectors, folder, tolerances)
    history = _measure_releases(wanted, published, python, fresh=fresh)
    _write(history, folder)
    table.render(history, make_console())
    click.echo(f"results: {folder}")
    return 0


def _ensure_measured(package: str, folder: Path) -> None:
    if not (folder / FILE_NAME).exists():
        where = "" if folder == FOLDER / package else f" -o {folder}"
        message = (
            f"{folder}: no history of {package} was measured here; type "
            f"'resilience-bench releases {package}{where}'"
        )
        raise UserError(message)


def _select_signals(
    signals: Sequence[Signal] | None, cases: Sequence[CaseInfo], launcher: Launcher
) -> list[Signal]:
    return select_signals(signals, *create_sessions(launcher, cases, PROFILES["quick"]))


def _measure_releases(
    wanted: MeasurementRequest,
    published: Sequence[PublishedRelease],
    python: str | None,
    *,
    fresh: bool,
) -> History:
    console = make_progress_console()
    with _report_interruption(wanted.folder):
        ready = _prepare_releases(wanted, published, python, console)
        if not fresh:
            _ensure_same_python(wanted, ready)
        with create_shared_path() as staged:
            measured = make_measured_releases(
                wanted,
                ready,
                staged.launcher,
                variants.query_environment,
                lambda text: console.print(text, style="yellow", highlight=False, markup=False),
                fresh=fresh,
            )
            if not measured:
                raise UserError(_explain_nothing_measured(wanted.package, ready))
            count = sum(not arm.is_null for arm in measured)
            title = f"measuring {len(wanted.cases)} cases of {count} releases"
            with show_progress(console, title, {"": None}) as show:
                timeline = Timeline(
                    measured,
                    lambda version, done: show(done, name=version),
                    wanted.signals,
                    wanted.not_available,
                )
                decisions, sure = decide(timeline, wanted.tolerances, wanted.policy)
        for arm in measured:
            arm.recording.write(complete=True)
    return assemble_history(wanted, ready, timeline, decisions, headline=(sure,))


def _prepare_releases(
    wanted: MeasurementRequest,
    published: Sequence[PublishedRelease],
    python: str | None,
    console: Console,
) -> list[PreparedRelease]:
    def note(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    needed = sorted({each for info in wanted.cases for each in info.distributions})
    another = None
    if python:
        # The first one is that which this runs in.
        another = next(iter(interpreters.find([python], note)[1:]), None)
    return prepare_releases(
        wanted.package,
        published,
        create_variant_maker(needed, another, note),
        create_import_check(wanted.package),
    )


def _ensure_same_python(wanted: MeasurementRequest, ready: Sequence[PreparedRelease]) -> None:
    """Refuse to put a history under one Python into the place of one under another.

    Raises:
        UserError: If the folder holds such a one.
    """
    usable = next((each.variant for each in ready if each.variant), None)
    if usable is None or not (wanted.folder / FILE_NAME).exists():
        return
    try:
        before = history_file.read(wanted.folder).environment.python
    except UnreadableResultError:
        return  # it is measured again
    here = variants.query_environment(usable).python
    if before != here:
        message = (
            f"{wanted.folder}: holds the history of {wanted.package} under {before}; expected a "
            f"folder of its own for {here}; type -o FOLDER, or --fresh to replace what is there"
        )
        raise UserError(message)


def _explain_nothing_measured(package: str, ready: Sequence[PreparedRelease]) -> str:
    last = ready[-1]
    return (
        f"{package}: none of {len(ready)} releases can be measured; {last.release.version} "
        f"{last.status}: {last.reason}; expected one that installs and imports; widen the range "
        "with --from and --to, or name another Python with --python"
    )


@contextlib.contextmanager
def _report_interruption(folder: Path) -> Iterator[None]:
    """What was measured is on disk at any time; after an interruption, say where."""
    try:
        yield
    except KeyboardInterrupt:
        kept = folder / SAMPLES_FOLDER
        has_some = any(kept.glob("*.json"))
        said = f"what was measured is in {kept}" if has_some else "nothing was measured yet"
        click.echo(f"interrupted; {said}; type the same command again to go on", err=True)
        raise


def _write(history: History, folder: Path) -> None:
    """Write the history, asv's tree and the pictures."""
    # A second for matplotlib, for which no other command should have to wait.
    from resilience_bench.releases.pictures import make_pictures  # noqa: PLC0415
    from resilience_bench.report.plots.style import render_figure, use_settings  # noqa: PLC0415

    history_file.write(history, folder / FILE_NAME)
    asv_results.write(history, folder / TREE)
    for picture in make_pictures(history):
        with use_settings():
            files = render_figure(picture.draw())
        for form, content in files.items():
            atomic.write_bytes(content, folder / f"{picture.name}.{form}", ANOTHER_FOLDER)
