"""The command that measures a package's releases and reports which of them changed what."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import click

from resilience_bench._model import Signal
from resilience_bench.cli import options
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.fleet_jobs import open_fleet
from resilience_bench.cli.measuring import select_signals
from resilience_bench.cli.plot import ANOTHER_FOLDER, write_pictures
from resilience_bench.cli.progress import show_progress
from resilience_bench.cli.releases_watch import WatchRequest, ensure_watchable, watch_releases
from resilience_bench.environments import interpreters, variants
from resilience_bench.environments.fingerprint import format_python_name
from resilience_bench.errors import UnreadableResultError, UserError, format_amount
from resilience_bench.files import atomic
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.gate import comparison
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.measure.shared_path import create_shared_path
from resilience_bench.releases import (
    asv_results,
    blame_table,
    history_file,
    index,
    measure,
    prepare,
    table,
)
from resilience_bench.releases.assemble import assemble_history
from resilience_bench.releases.history_file import FILE_NAME, History
from resilience_bench.releases.timeline import Timeline

FOLDER: Final = Path("results") / "releases"


@click.command()
@click.argument("package", required=False)
@options.selectors_argument
@click.option("--from", "first", metavar="VERSION", help="The oldest release; default: the first.")
@click.option("--to", "last", metavar="VERSION", help="The newest release; default: the last.")
@click.option("--pre", is_flag=True, help="Measure pre-releases as well.")
@click.option(
    "--with",
    "beside",
    metavar="REQUIREMENT",
    multiple=True,
    help="Also install this with each release, e.g. 'setuptools<81'; may be repeated.",
)
@click.option(
    "--python",
    "pythons",
    metavar="PATH",
    multiple=True,
    help="Another Python to measure under, by path or by name; several are compared.",
)
@click.option(
    "-o", "--output", type=options.FILE, help=f"A folder for everything; default: {FOLDER}/PACKAGE."
)
@click.option("--fresh", is_flag=True, help="Measure again what an earlier run has measured.")
@click.option("--show", is_flag=True, help="Show what lies in the folder; measure nothing.")
@options.add_tolerance_options(
    measure.TOLERANCES,
    ratio="The largest change of latency that is no step, in per cent.",
    instructions="The same for instructions.",
)
@options.signals_option
@click.option(
    "--watch",
    "watched",
    type=options.FILE,
    metavar="REQUIREMENTS",
    help="In place of PACKAGE: compare what a requirements file installs with newer releases.",
)
@click.option("--strict", is_flag=True, help="With --watch: exit 3 if something stayed undecided.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=comparison.SECONDS,
    help="With --watch: how long to measure each package, as in 'compare'.",
)
@options.add_fleet_options
@click.pass_context
def releases(  # noqa: PLR0913 - one argument an option
    context: click.Context,
    /,
    *,
    package: str | None,
    selectors: tuple[str, ...],
    first: str | None,
    last: str | None,
    pre: bool,
    beside: tuple[str, ...],
    pythons: tuple[str, ...],
    output: Path | None,
    fresh: bool,
    show: bool,
    tolerances: dict[str, float],
    signals: tuple[Signal, ...] | None,
    watched: Path | None,
    strict: bool,
    seconds: float,
    fleet: FleetChoice | None,
) -> int:
    """Measure the releases of PACKAGE side by side, and report which of them changed what.

    The cases are those that need the package. Each release is compared with the one before, by the
    same gate as in 'compare'. An interrupted command goes on when it is typed again.

    With --watch, nothing newer is exit code 0, and a newer release that costs more is 1.
    """
    launcher: Launcher = context.obj
    if watched:
        refused = {
            "--from": first,
            "--to": last,
            "--pre": pre,
            "--with": beside,
            "--show": show,
            "--fresh": fresh,
            "a second --python": pythons[1:],
            "--fleet": fleet,
        }
        ensure_watchable(watched, refused)
        request = WatchRequest(
            watched,
            (package, *selectors) if package else selectors,
            signals,
            {**comparison.TOLERANCES, **options.select_typed_tolerances(context, tolerances)},
            seconds,
            pythons,
            output,
            strict,
        )
        return watch_releases(launcher, request)
    if not package:
        raise click.UsageError("Missing argument 'PACKAGE', or --watch REQUIREMENTS.", context)
    name = index.normalise_name(package)
    folder = output or FOLDER / name
    if not show:
        prepare.ensure_installable(beside, name)
        folders = _choose_folders(folder, pythons)
        wanted = _plan(launcher, name, folder, selectors, signals, tolerances, list(folders))
        published = index.select_releases(name, wanted[1], first, last, pre=pre)
        for place, python in folders.items():
            part = replace(wanted[0], folder=place, beside=beside)
            _measure_and_write(part, published, python, fleet, fresh=fresh)
    _show(name, folder)
    if not show:
        click.echo(f"results: {folder}")
    return 0


def _plan(  # noqa: PLR0913, PLR0917 - what was typed
    launcher: Launcher,
    package: str,
    folder: Path,
    selectors: tuple[str, ...],
    signals: tuple[Signal, ...] | None,
    tolerances: dict[str, float],
    folders: Sequence[Path],
) -> tuple[measure.MeasurementRequest, list[index.PublishedRelease]]:
    """Return what to measure and the releases that there are, after a look at everything typed."""
    files = (FILE_NAME, f"{measure.SAMPLES_FOLDER}/{FILE_NAME}")
    for place, file in itertools.product(folders, files):
        atomic.ensure_writable(place / file, ANOTHER_FOLDER)
    selection = select(launcher, selectors)
    released = index.list_releases(package)
    cases = measure.select_cases(package, selection.cases)
    available, lacking = select_signals(
        signals, *create_sessions(launcher, cases, PROFILES["quick"])
    )
    wanted = measure.MeasurementRequest(
        package, cases, available, lacking, selectors, folder, tolerances
    )
    return wanted, released


def _measure_and_write(
    wanted: measure.MeasurementRequest,
    published: Sequence[index.PublishedRelease],
    python: str | None,
    fleet: FleetChoice | None,
    *,
    fresh: bool,
) -> None:
    with _report_interruption(wanted.folder):
        if fleet:
            history = _measure_on_fleet(fleet, wanted, published, python, fresh=fresh)
        else:
            history = _measure_releases(wanted, published, python, fresh=fresh)
    # matplotlib takes a second to import, for which --show should not have to wait.
    from resilience_bench.releases.pictures import make_pictures  # noqa: PLC0415

    history_file.write(history, wanted.folder / FILE_NAME)
    asv_results.write(history, wanted.folder / asv_results.TREE)
    for _ in write_pictures(make_pictures(history), wanted.folder):
        pass


def _choose_folders(folder: Path, pythons: Sequence[str]) -> dict[Path, str | None]:
    """Return the folder of each interpreter's history: one below the other's if there are more."""
    if len(pythons) < 2:  # noqa: PLR2004 - one has nothing to be compared with
        return {folder: pythons[0] if pythons else None}
    found: dict[Path, str | None] = {}
    for text in pythons:
        variant = interpreters.find_interpreter(text)
        name = format_python_name(variants.query_environment(variant))
        place = folder / name.lower().replace(" ", "-")
        if place in found:
            raise UserError(
                f"--python {text}: it is {name}, as {found[place]} is; expected interpreters of "
                "different versions; leave one of them out"
            )
        found[place] = text
    return found


def _show(package: str, folder: Path) -> None:
    """Show the history in a folder, and those of several interpreters below it as one table."""
    below = history_file.read_below(folder)
    own = (folder / FILE_NAME).exists()
    if not own and not below:
        where = "" if folder == FOLDER / package else f" -o {folder}"
        command = f"resilience-bench releases {package}{where}"
        raise UserError(f"{folder}: no history of {package} was measured here; type '{command}'")
    if own:
        table.render(history_file.read(folder), make_console())
    if below:
        blame_table.render(below, make_console())


def _measure_releases(
    wanted: measure.MeasurementRequest,
    published: Sequence[index.PublishedRelease],
    python: str | None,
    *,
    fresh: bool,
) -> History:
    console = make_progress_console()
    show_note = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    base = interpreters.find_base(python, show_note)
    make = partial(variants.make, needed=wanted.needed, base=base, note=show_note)
    prepared = prepare.prepare_releases(
        wanted.package, published, make, prepare.check_import, wanted.beside
    )
    if not fresh:
        _ensure_same_python(wanted, prepared)
    with create_shared_path() as staged:
        measured = measure.make_measured_releases(
            wanted,
            prepared,
            staged.launcher,
            variants.query_environment,
            partial(show_note, style="yellow"),
            fresh=fresh,
        )
        if not measured:
            raise UserError(prepare.explain_nothing_measured(wanted.package, prepared))
        count = sum(not release.is_null for release in measured)
        title = f"measuring {format_amount(len(wanted.cases), 'case')} of {count} releases"
        with show_progress(console, title, {"": None}) as show:
            timeline = Timeline(
                measured,
                lambda version, done: show(done, name=version),
                wanted.signals,
                wanted.not_available,
            )
            judged = measure.judge_releases(timeline, wanted.tolerances)
    results = {
        (release.name, release.is_null): release.recording.write(complete=True)
        for release in measured
    }
    shown = {name: result for (name, is_null), result in results.items() if not is_null}
    return assemble_history(wanted, prepared, shown, timeline.screened, judged.sort())


def _measure_on_fleet(
    choice: FleetChoice,
    wanted: measure.MeasurementRequest,
    published: Sequence[index.PublishedRelease],
    python: str | None,
    *,
    fresh: bool,
) -> History:
    from resilience_bench.releases import fleet as fleets  # noqa: PLC0415 - few want it

    journal = wanted.folder / fleets.JOURNAL
    if fresh:
        journal.unlink(missing_ok=True)
    with open_fleet(choice, wanted.cases, wanted.signals, journal) as (job, show):
        found = fleets.measure_releases(job, wanted, published, python, show)
    if not found.results:
        raise UserError(prepare.explain_nothing_measured(wanted.package, found.prepared))
    if not fresh:
        _refuse_another_python(wanted, next(iter(found.results.values())).environment.python)
    decisions = found.judged.sort()
    hosts = format_amount(len(found.hosts), "host")
    note = f"measured by {hosts} of a fleet: {', '.join(found.hosts)}"
    decisions = replace(decisions, notes=(*decisions.notes, note))
    return assemble_history(wanted, found.prepared, found.results, found.screened, decisions)


def _ensure_same_python(
    wanted: measure.MeasurementRequest, prepared: Sequence[prepare.PreparedRelease]
) -> None:
    """Refuse to replace a history under another Python, or another build of it."""
    variant = next((release.variant for release in prepared if release.variant), None)
    if variant is not None and (wanted.folder / FILE_NAME).exists():
        _refuse_another_python(wanted, variants.query_environment(variant).python)


def _refuse_another_python(wanted: measure.MeasurementRequest, here: str) -> None:
    if not (wanted.folder / FILE_NAME).exists():
        return
    try:
        before = history_file.read(wanted.folder).environment.python
    except UnreadableResultError:
        return  # it is measured again
    if before != here:
        raise UserError(
            f"{wanted.folder}: holds the history of {wanted.package} under {before}; expected a "
            f"folder of its own for {here}; type -o FOLDER, or --fresh to replace what is there"
        )


@contextlib.contextmanager
def _report_interruption(folder: Path) -> Iterator[None]:
    """After an interruption, say where the samples are: they are written all the time."""
    try:
        yield
    except KeyboardInterrupt:
        samples = folder / measure.SAMPLES_FOLDER
        has_some = any(samples.glob("*.json")) or any(folder.glob("*.jsonl"))
        found = f"what was measured is in {samples}" if has_some else "nothing was measured yet"
        click.echo(f"interrupted; {found}; type the same command again to go on", err=True)
        raise click.Abort from None
