"""The command that measures a package's releases and reports which of them changed what."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import click

from resilience_bench._model import Signal
from resilience_bench.cli import options
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.measuring import select_signals
from resilience_bench.cli.plot import ANOTHER_FOLDER, write_pictures
from resilience_bench.cli.progress import show_progress
from resilience_bench.environments import interpreters, variants
from resilience_bench.errors import UnreadableResultError, UserError, format_amount
from resilience_bench.files import atomic
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.measure.shared_path import create_shared_path
from resilience_bench.releases import asv_results, history_file, index, measure, table
from resilience_bench.releases.assemble import assemble_history
from resilience_bench.releases.history_file import FILE_NAME, History
from resilience_bench.releases.prepare import PreparedRelease, check_import, prepare_releases
from resilience_bench.releases.publish import TREE
from resilience_bench.releases.timeline import Timeline

FOLDER: Final = Path("results") / "releases"


@click.command()
@click.argument("package")
@options.selectors_argument
@click.option("--from", "first", metavar="VERSION", help="The oldest release; default: the first.")
@click.option("--to", "last", metavar="VERSION", help="The newest release; default: the last.")
@click.option("--pre", is_flag=True, help="Measure pre-releases as well.")
@click.option(
    "--python", metavar="PATH", help="Another Python to measure under, by path or by name."
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
    tolerances: dict[str, float],
    signals: tuple[Signal, ...] | None,
) -> int:
    """Measure the releases of PACKAGE side by side, and report which of them changed what.

    The cases are those that need the package. Each release is compared with the one before, by the
    same gate as in 'compare'. An interrupted command goes on when it is typed again.
    """
    name = index.normalise_name(package)
    folder = output or FOLDER / name
    if show:
        if not (folder / FILE_NAME).exists():
            where = "" if folder == FOLDER / name else f" -o {folder}"
            command = f"resilience-bench releases {name}{where}"
            raise UserError(f"{folder}: no history of {name} was measured here; type '{command}'")
        table.render(history_file.read(folder), make_console())
        return 0
    for file in (folder / FILE_NAME, folder / measure.SAMPLES_FOLDER / FILE_NAME):
        atomic.ensure_writable(file, ANOTHER_FOLDER)
    selection = select(launcher, selectors)
    released = index.list_releases(name)
    cases = measure.select_cases(name, selection.cases)
    published = index.select_releases(name, released, first, last, pre=pre)
    sessions = create_sessions(launcher, cases, PROFILES["quick"])
    available, lacking = select_signals(signals, *sessions)
    wanted = measure.MeasurementRequest(
        name, cases, available, lacking, selectors, folder, tolerances
    )
    with _report_interruption(folder):
        history = _measure_releases(wanted, published, python, fresh=fresh)
    # matplotlib takes a second to import, for which --show should not have to wait.
    from resilience_bench.releases.pictures import make_pictures  # noqa: PLC0415

    history_file.write(history, folder / FILE_NAME)
    asv_results.write(history, folder / TREE)
    for _ in write_pictures(make_pictures(history), folder):
        pass
    table.render(history, make_console())
    click.echo(f"results: {folder}")
    return 0


def _measure_releases(
    wanted: measure.MeasurementRequest,
    published: Sequence[index.PublishedRelease],
    python: str | None,
    *,
    fresh: bool,
) -> History:
    console = make_progress_console()
    show_note = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    needed = sorted({name for info in wanted.cases for name in info.distributions})
    # `find` returns the interpreter that this runs in first.
    found = interpreters.find([python], show_note)[1:] if python else []
    base = next((interpreter.variant for interpreter in found), None)
    make = partial(variants.make, needed=needed, base=base, note=show_note)
    prepared = prepare_releases(wanted.package, published, make, check_import)
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
            raise UserError(_explain_nothing_measured(wanted.package, prepared))
        count = sum(not release.is_null for release in measured)
        title = f"measuring {format_amount(len(wanted.cases), 'case')} of {count} releases"
        with show_progress(console, title, {"": None}) as show:
            timeline = Timeline(
                measured,
                lambda version, done: show(done, name=version),
                wanted.signals,
                wanted.not_available,
            )
            decisions = measure.decide(timeline, wanted.tolerances)
    for release in measured:
        release.recording.write(complete=True)
    return assemble_history(wanted, prepared, timeline, decisions)


def _ensure_same_python(
    wanted: measure.MeasurementRequest, prepared: Sequence[PreparedRelease]
) -> None:
    """Refuse to replace a history under another Python, or another build of it."""
    variant = next((release.variant for release in prepared if release.variant), None)
    if variant is None or not (wanted.folder / FILE_NAME).exists():
        return
    try:
        before = history_file.read(wanted.folder).environment.python
    except UnreadableResultError:
        return  # it is measured again
    here = variants.query_environment(variant).python
    if before != here:
        raise UserError(
            f"{wanted.folder}: holds the history of {wanted.package} under {before}; expected a "
            f"folder of its own for {here}; type -o FOLDER, or --fresh to replace what is there"
        )


def _explain_nothing_measured(package: str, prepared: Sequence[PreparedRelease]) -> str:
    last = prepared[-1]
    return (
        f"{package}: none of {len(prepared)} releases can be measured; {last.release.version} "
        f"{last.status}: {last.reason}; expected one that installs and imports; widen the range "
        "with --from and --to, or name another Python with --python"
    )


@contextlib.contextmanager
def _report_interruption(folder: Path) -> Iterator[None]:
    """After an interruption, say where the samples are: they are written all the time."""
    try:
        yield
    except KeyboardInterrupt:
        samples = folder / measure.SAMPLES_FOLDER
        has_some = any(samples.glob("*.json"))
        found = f"what was measured is in {samples}" if has_some else "nothing was measured yet"
        click.echo(f"interrupted; {found}; type the same command again to go on", err=True)
        raise click.Abort from None
