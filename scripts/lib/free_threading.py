"""Measure under free-threaded Pythons and their builds with the GIL, and write the page of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click
import free_threading_tables as tables
import jinja2
import pythons
from free_threading_picture import draw
from rich.console import Console

from resilience_bench.environments import interpreters, variants
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.errors import UserError
from resilience_bench.files import atomic, results
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.selection import select
from resilience_bench.report.plots.style import render_figure, use_settings

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "results" / "free-threading"
TEMPLATE: Final = Path(__file__).with_name("free_threading.md.jinja")
LOADS: Final = ("threads-1", "threads-2", "threads-4", "threads-8")
COUNTED: Final = (
    "breaker.closed_failure[*,threads-16]",
    "breaker.open_rejection[*,threads-16]",
    "breaker.trip_and_recover[*,threads-16,io]",
    "metrics.counter_inc[*,threads-16]",
)
"""Cases that count, which need long runs: threads meet seldom where the cores are busy."""
BREAKERS: Final = tuple(f"breaker.closed_success[*,{load},cpu]" for load in LOADS)
"""Cases by which breakers are compared, with more workers than the rest."""
SCALED: Final = (
    *(f"breaker.closed_success[*,{load}]" for load in LOADS),
    *(f"retry.first_try[*,{load},cpu]" for load in LOADS),
    *(f"metrics.counter_inc[*,{load}]" for load in LOADS),
)
BUSY_LOAD: Final = 1.0
"""Load average from which the machine had something else to do when the first run began."""
IMPORTS: Final = """import json, sys
from pathlib import Path
from resilience_bench.scenarios.discovery import discover
from resilience_bench.worker.gil import is_gil_enabled
from resilience_bench.worker.operations import load_library
bound = discover([Path(sys.argv[1])]).bound[sys.argv[2]]
before = is_gil_enabled()
load_library(bound)
print(json.dumps([before, is_gil_enabled()]))"""
"""Says whether the GIL was on before and after a library was imported, alone in a process."""


def measure(folder: Path, others: Sequence[str], console: Console, profile: str) -> None:
    """Measure under every built Python, and under this one; UserError if none is free-threaded."""
    programs = [*list_programs(pythons.get_folder()), *map(Path, others)]
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    _run(COUNTED, programs, "standard", folder / "longer-counts.json")
    _run(BREAKERS, programs, "quick", folder / "longer-breakers.json")
    _run(SCALED, programs, profile, folder / "run.json")
    console.print("importing each library in a process of its own")
    _write_json(look_at_imports(programs), folder / "imports.json")
    built = pythons.list_built(pythons.get_folder())
    _write_json({name: asdict(build) for name, build in built.items()}, folder / "pythons.json")


def _run(selectors: Sequence[str], programs: Sequence[Path], profile: str, output: Path) -> None:
    """Measure under all of them in turns; the files have the interpreters' names."""
    command = [sys.executable, "-m", "resilience_bench", "run", *selectors]
    command += ["--signals", "scaling", "--profile", profile, "-o", str(output)]
    for program in programs:
        command += ["--python", str(program)]
    with tempfile.TemporaryFile("w+") as shown:  # the table is long, and is in the files
        done = subprocess.run(command, cwd=ROOT, stdout=shown, check=False)
    if done.returncode not in {0, 1}:  # 1: a case failed, which the page tells
        raise UserError(f"measuring ended with exit code {done.returncode}; see the lines above")


def _write_json(value: object, file: Path) -> None:
    text = json.dumps(value, indent=1)
    atomic.write_bytes(f"{text}\n".encode(), file)


def list_programs(folder: Path) -> list[Path]:
    """Return the built interpreters; UserError if none of them is free-threaded."""
    built = pythons.list_built(folder)
    if not any(name.endswith("t") for name in built):
        raise UserError(
            f"{folder}: no free-threaded Python; expected one that was built; type "
            "'scripts/pythons 3.13t'"
        )
    return [pythons.find_program(folder, name) for name in built]


def look_at_imports(programs: Sequence[Path]) -> dict[str, dict[str, list[bool] | str]]:
    """Return, by interpreter and case, the GIL before and after the import, or why there is none.

    Only the first case of each library is looked at.
    """
    launcher = ProcessLauncher()
    cases = select(launcher, ["breaker.closed_success", "retry.first_try", "metrics.counter_inc"])
    needed = sorted({name for info in cases.cases for name in info.needed_distributions})
    found: dict[str, dict[str, list[bool] | str]] = {}
    for one in interpreters.find(map(str, programs)):
        ready = interpreters.prepare(one, needed)
        found[ready.name] = {
            info.case.name: look_at_import(ready, Path(info.path), info.case.name)
            for info in cases.cases
        }
    return found


def look_at_import(one: Interpreter, file: Path, case: str) -> list[bool] | str:
    """Return whether the GIL was on before and after one import, or the error."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.pathsep.join([str(variants.link_tool(Path(folder))), str(ROOT)])
        done = subprocess.run(
            [str(one.variant.python), "-c", IMPORTS, str(file), case],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    answer: list[bool] = json.loads(done.stdout)
    return answer


def read_builds(folder: Path) -> dict[str, pythons.Build]:
    """Return how the interpreters were built, by name."""
    stored = json.loads((folder / "pythons.json").read_text(encoding="utf-8"))
    return {name: pythons.Build(**build) for name, build in stored.items()}


def read_runs(folder: Path) -> list[tables.Run]:
    """Return the stored runs, from the oldest Python on, each build with the GIL before without."""
    imports: Mapping[str, Mapping[str, list[bool] | str]] = json.loads(
        (folder / "imports.json").read_text(encoding="utf-8")
    )
    longer = [results.read(file) for file in sorted(folder.glob("longer-*.json"))]
    files = sorted(folder.glob("run-*.json"))
    runs = [tables.Run.of(results.read(file), longer, imports) for file in files]
    return sorted(runs, key=lambda run: run.sort_key)


def write_page(
    runs: Sequence[tables.Run], builds: Mapping[str, pythons.Build], page: Path, picture: Path
) -> None:
    """Write the page with its tables, and the picture."""
    template = jinja2.Template(TEMPLATE.read_text(encoding="utf-8"), keep_trailing_newline=True)
    first = min((one for run in runs for one in (run.result, *run.longer)), key=lambda r: r.started)
    load = first.load_average[0] if first.load_average else None
    text = template.render(
        runs=runs,
        load=load,
        is_busy=load is None or load >= BUSY_LOAD,
        builds=builds,
        is_plain=not any("--enable-optimizations" in build.options for build in builds.values()),
        is_cut_short=any(not one.complete for run in runs for one in (run.result, *run.longer)),
        has_twin=all(name.rstrip("t") in builds for name in builds),
        has_later=any(not name.startswith("3.13") for name in builds),
        correctness=tables.list_correctness(runs),
        scaling=tables.list_scaling(runs),
        headline=tables.summarise(runs),
        comparison=tables.compare_stack(runs),
    )
    page.write_text(text, encoding="utf-8")
    with use_settings():
        atomic.write_bytes(render_figure(draw(runs))["png"], picture)


@click.command()
@click.option("--from-results", is_flag=True, help="Write the page of what was measured before.")
@click.option("--folder", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--docs", type=click.Path(path_type=Path), default=ROOT / "docs")
@click.option("--python", "others", multiple=True, help="Measure under this Python too.")
@click.option("--profile", default="concurrency", show_default=True)
def main(
    *, from_results: bool, folder: Path, docs: Path, others: tuple[str, ...], profile: str
) -> None:
    """Measure, and write the page and its picture."""
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        if not from_results:
            measure(folder, others, console, profile)
        page, picture = docs / "free-threading.md", docs / "pictures" / "free-threading.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_page(read_runs(folder), read_builds(folder), page, picture)
    except (UserError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    console.print(f"wrote {page} and {picture}")


if __name__ == "__main__":
    main()
