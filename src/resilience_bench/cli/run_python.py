"""``run --python``: the same plan under several interpreters, shown side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resilience_bench._model import Signal
from resilience_bench.cli import measuring
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.environments import interpreters
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.errors import format_amount
from resilience_bench.files import atomic
from resilience_bench.measure import interleave
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import IMPORT_LIMIT_S, discover, select
from resilience_bench.measure.session import Profile
from resilience_bench.measure.shared_path import create_shared_path
from resilience_bench.report import table


def run_under_interpreters(  # noqa: PLR0913 - what the command line says
    launcher: Launcher,
    selectors: Sequence[str],
    *,
    pythons: Sequence[str],
    profile: Profile,
    signals: Sequence[Signal] | None,
    stem: Path,
) -> int:
    """Measure under our own interpreter and others, write a file each, and show all of them."""
    note = make_progress_console().print
    found = interpreters.find(pythons, note)
    files = _name_files(stem, found)
    for file in files:
        atomic.ensure_writable(file)
    selection = select(launcher, selectors, profile=profile.name)
    sessions = create_sessions(launcher, selection.cases, profile)
    available, lacking = measuring.select_signals(signals, *sessions)
    needed = sorted({name for info in selection.cases for name in info.needed_distributions})
    ready = [interpreters.prepare(interpreter, needed, note) for interpreter in found]
    paths = [Path(path) for path in dict.fromkeys(info.path for info in selection.cases)]
    servers = measuring.open_servers()
    with create_shared_path() as shared:

        def prepare(interpreter: Interpreter, file: Path) -> interleave.MeasuredVariant:
            workers = shared.launcher(interpreter.variant)
            listing = discover(workers, paths, IMPORT_LIMIT_S)
            alone, loaded = interleave.create_interpreter_sessions(
                interpreter, workers, selection.cases, profile, listing, servers=servers
            )
            label, problems, environment = profile.name, selection.problems, interpreter.environment
            recording = Recording(
                alone.records, label, file, selectors, problems, available, lacking, environment
            )
            return interleave.MeasuredVariant(alone, recording, loaded, interpreter.name)

        variants = list(map(prepare, ready, files))
        measured = measuring.measure_variants(
            interleave.measure_interleaved(variants, available),
            variants,
            f"measuring {format_amount(len(selection.cases), 'case')} under "
            f"{format_amount(len(variants), 'interpreter')}",
            {variant.name: variant.count_visits(available) for variant in variants},
            lambda variant, _: (variant.name, variant.name),
        )
    table.render_side_by_side(measured, make_console())
    return measuring.report_end(measured, files)


def _name_files(stem: Path, found: Sequence[Interpreter]) -> list[Path]:
    """Put the interpreter's name behind the stem, with a number for a second build of it."""
    stems = [interpreter.stem for interpreter in found]
    names = [
        f"{name}-{earlier + 1}" if (earlier := stems[:place].count(name)) else name
        for place, name in enumerate(stems)
    ]
    return [stem.with_name(f"{stem.stem}-{name}.json") for name in names]
