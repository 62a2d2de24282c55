"""Build free-threaded Pythons, and others with the GIL, from Debian's source packages."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click
import filelock
import python_sources
from rich.console import Console

from resilience_bench.environments.variants import get_cache_folder
from resilience_bench.errors import UserError

NAMES: Final = ("3.13t", "3.13", "3.14t", "3.14")
"""What can be built, in this order; ``t`` is without the GIL."""
STATEMENT: Final = "build.json"
INTERRUPTIONS: Final = (signal.SIGINT, signal.SIGTERM)
FLAGS: Final = ("--without-ensurepip", "--disable-test-modules", "--with-dbmliborder=")
"""The cases need none of these, and they take a third of the time."""
COMPILER: Final = "OPT=-DNDEBUG -fwrapv -O3 -Wall"
TRAINING: Final = (
    "-m test --pgo test_class test_exceptions test_generators test_json test_list test_re"
)
"""What the profile is taken of: some seconds of CPython's tests, not all that it proposes."""


@dataclass(frozen=True, slots=True)
class Build:
    """A Python that is built, and from what; ``name`` is e.g. ``3.13t``."""

    name: str
    package: str
    suite: str
    options: tuple[str, ...]
    built: str
    seconds: int


def get_folder() -> Path:
    """Return where the Pythons are kept: below the cache of environments."""
    return get_cache_folder() / "pythons"


def list_built(folder: Path) -> dict[str, Build]:
    """Return the Pythons that are built completely, by name."""
    found = {}
    for name in NAMES:
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            text = (folder / name / STATEMENT).read_text(encoding="utf-8")
            stored = Build(**json.loads(text))
            if find_program(folder, name).is_file():
                found[name] = stored
    return found


def find_program(folder: Path, name: str) -> Path:
    """Return the path of a built interpreter."""
    return folder / name / "bin" / f"python{name}"


def choose(names: Sequence[str]) -> list[str]:
    """Return the names to build, all by default; UserError for an unknown one."""
    if unknown := [name for name in names if name not in NAMES]:
        raise UserError(
            f"{unknown[0]!r} is no Python that can be built here; expected some of "
            f"{', '.join(NAMES)}; type 'scripts/pythons' to build all of them"
        )
    return [name for name in NAMES if not names or name in names]


def list_options(name: str, *, is_plain: bool) -> tuple[str, ...]:
    """Return the options of CPython's ``configure`` for a Python, but for its prefix."""
    optimised = () if is_plain else ("--enable-optimizations",)
    lock = ("--disable-gil",) if name.endswith("t") else ()
    return (*FLAGS, *optimised, COMPILER, *lock)


@dataclass(slots=True)
class Builder:
    """Builds Pythons in a scratch folder, and moves each into place when it is complete."""

    folder: Path
    scratch: Path
    note: Callable[[str], None]
    is_plain: bool = False

    def build(self, name: str, source: python_sources.Source) -> None:
        """Configure, compile and install one Python; UserError if that fails."""
        began = time.monotonic()
        home, options = self.folder / name, list_options(name, is_plain=self.is_plain)
        work = self.scratch / f"build-{name}"
        work.mkdir()
        log = self.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        jobs = f"-j{os.cpu_count() or 1}"
        stage = self.scratch / f"stage-{name}"
        steps: list[tuple[str, list[str]]] = [
            ("configuring", [str(source.folder / "configure"), f"--prefix={home}", *options]),
            ("compiling", ["make", jobs, f"PROFILE_TASK={TRAINING}"]),
            ("installing", ["make", "install", f"DESTDIR={stage}"]),
        ]
        for step, command in steps:
            self.note(f"{name}: {step} (minutes so far: {(time.monotonic() - began) / 60:.1f})")
            run_logged(command, work, log)
        seconds = round(time.monotonic() - began)
        today = dt.datetime.now(dt.UTC).date().isoformat()
        statement = Build(name, source.version, source.suite, options, today, seconds)
        staged = stage / home.relative_to("/")
        text = json.dumps(asdict(statement), indent=1)
        (staged / STATEMENT).write_text(f"{text}\n", encoding="utf-8")
        shutil.rmtree(home, ignore_errors=True)
        shutil.move(staged, home)
        log.unlink()
        self.note(f"{name}: built in {seconds / 60:.1f} min: {find_program(self.folder, name)}")
        shutil.rmtree(work)


@contextlib.contextmanager
def hold_interruptions_back() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block, not in it.

    Within the start of a process, nobody would end the process.
    """
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: received.append(number))
        for number in INTERRUPTIONS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise KeyboardInterrupt


def run_logged(command: Sequence[str], folder: Path, log: Path) -> None:
    """Run a command with its output in a log, and end all that it started if it is interrupted."""
    process = None
    with log.open("a", encoding="utf-8") as file:
        try:
            with hold_interruptions_back():
                process = subprocess.Popen(
                    command, cwd=folder, stdout=file, stderr=file, start_new_session=True
                )
            code = process.wait()
        except BaseException:
            if process:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait()
            raise
    if code:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if "rror" in line] or lines or ["nothing"]
        raise UserError(
            f"{Path(command[0]).name} failed with exit code {code}; it said: {errors[-1]}; "
            f"expected a build; read {log}, mend it, and type the command again"
        )


def build_missing(
    names: Sequence[str], root: Path, folder: Path, note: Callable[[str], None], *, is_plain: bool
) -> None:
    """Build those that are not built; a source package is fetched once for all its Pythons."""
    missing = [name for name in names if name not in list_built(folder)]
    for name in names:
        if name not in missing:
            note(f"{name}: built already: {find_program(folder, name)}")
    if not missing:
        return
    python_sources.check_needed()
    mirror = python_sources.find_mirror(root)
    folder.mkdir(parents=True, exist_ok=True)
    errors = []
    for version in dict.fromkeys(name.rstrip("t") for name in missing):
        with tempfile.TemporaryDirectory(prefix="resilience-bench-pythons-") as scratch:
            note(f"fetching the source of Python {version}")
            builder = Builder(folder, Path(scratch), note, is_plain)
            try:
                source = python_sources.fetch(version, mirror, Path(scratch))
                note(f"Python {version}: {source.version} of {source.suite}")
                for name in missing:
                    if name.rstrip("t") == version:
                        builder.build(name, source)
            except UserError as error:  # the other versions can be built all the same
                errors.append(str(error))
    if errors:
        raise UserError("; ".join(errors))


def print_list(folder: Path) -> None:
    """Print what is built, one Python a line, and what is not."""
    built = list_built(folder)
    for name in NAMES:
        if one := built.get(name):
            print(f"{name}  {one.package} of {one.suite}, {' '.join(one.options)}")
            print(f"       {find_program(folder, name)}")
        else:
            print(f"{name}  not built; type 'scripts/pythons {name}'")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--list", "is_list", is_flag=True, help="Say what is built, and build nothing.")
@click.option("--plain", is_flag=True, help="Without a profile: half the time, slower Pythons.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default="/",
    show_default=True,
    help="Where the system's etc/apt and etc/os-release are.",
)
def main(names: tuple[str, ...], *, is_list: bool, plain: bool, root: Path) -> None:
    """Build the Pythons NAMES, by default all: without the GIL (3.13t) and with it (3.13)."""
    for number in INTERRUPTIONS:  # a shell's background jobs are deaf to Ctrl-C
        signal.signal(number, signal.default_int_handler)
    folder = get_folder()
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        chosen = choose(names)
        if is_list:
            print_list(folder)
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_suffix(".lock")):
            build_missing(chosen, root, folder, console.print, is_plain=plain)
    except (UserError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; nothing half-built is left", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
