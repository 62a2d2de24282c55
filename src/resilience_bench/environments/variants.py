"""The environments to compare: this checkout, a git revision, requirements, an interpreter.

A made environment is a venv in the cache, named by a digest of everything that decides its content.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from resilience_bench._model import Environment
from resilience_bench.environments import recipe
from resilience_bench.environments.pip import (
    create_interpreter_error,
    format_pins,
    install_with_own_pip,
    query_interpreter,
    refuse_pip_failure,
)
from resilience_bench.environments.recipe import Recipe
from resilience_bench.errors import VariantError

# Without the current directory, which is not part of what the interpreter has installed.
PACKAGES_QUERY: Final = """import sys; sys.path = [each for each in sys.path if each]
import importlib.metadata, json
if sys.version_info < (3, 11): sys.exit("it is Python " + sys.version.split()[0])
found = [(each.metadata["Name"], each.version) for each in importlib.metadata.distributions()]
print(json.dumps([sys.prefix, sys.executable, found]))"""
ENVIRONMENT_QUERY: Final = """import sys; sys.path = [each for each in sys.path if each]
import dataclasses, json
from resilience_bench.environments.fingerprint import detect_environment
print(json.dumps(dataclasses.asdict(detect_environment())))"""

Notifier = Callable[[str], None]
"""Is told when an environment has to be made, which takes a while."""


@dataclass(frozen=True, slots=True)
class Variant:
    """An interpreter with what is installed for it; names in ``packages`` are normalised.

    ``home`` is the venv's folder, or the prefix of a given interpreter; ``made`` says whether it
    was made just now.
    """

    text: str
    home: Path
    python: Path
    made: bool
    packages: dict[str, str]


def ignore(_: str) -> None:
    """Do nothing with a note."""


def get_cache_folder() -> Path:
    """Where made environments are kept; ``RESILIENCE_BENCH_CACHE`` puts them elsewhere."""
    if own := os.environ.get("RESILIENCE_BENCH_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "resilience-bench"


def make(
    text: str,
    needed: Sequence[str],
    *,
    project: str = "stack",
    root: Path | None = None,
    note: Notifier = ignore,
) -> Variant:
    """Find or make the environment of a variant.

    Args:
        text: ``.``, ``git:REVISION``, ``pip:REQUIREMENT[,REQUIREMENT]`` or a path.
        needed: The distributions that the selected cases need.
        project: The folder of the distribution that ``.`` and ``git:`` install, relative to the
            top of the git work tree, or to ``root`` outside git.
        root: Where the checkout is; the current directory when left out.
        note: See `Notifier`.

    Raises:
        VariantError: If the text is none of the forms, or the environment cannot be made.
    """
    if text != "." and not text.startswith(("git:", "pip:")):
        return _find_existing(text)
    with create_scratch_folder(text) as scratch:
        due = recipe.read(text, needed, project, root or Path.cwd(), scratch)

        def build(home: Path) -> dict[str, Any]:
            venv.EnvBuilder(with_pip=False, symlinks=True).create(home)
            fill(text, due, home / "bin" / "python")
            return {"packages": inspect_interpreter(text, home / "bin" / "python").packages}

        home, told, made = find_or_build(text, due.key(), build, note)
    return Variant(text, home, home / "bin" / "python", made, told["packages"])


@contextlib.contextmanager
def create_scratch_folder(text: str) -> Iterator[Path]:
    """An empty folder for as long as an environment is made, which is explained if it cannot be.

    Raises:
        VariantError: If files cannot be written, or programs not started.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="resilience-bench-") as scratch:
            yield Path(scratch)
    except (OSError, subprocess.SubprocessError) as error:
        message = (
            f"{text}: cannot make its environment: {error}; expected a writable folder "
            f"{get_cache_folder()}; set RESILIENCE_BENCH_CACHE to another one"
        )
        raise VariantError(message) from error


def clean() -> tuple[int, int]:
    """Remove all made environments.

    Returns:
        How many there were, and how many bytes they took.
    """
    homes = [each for each in (get_cache_folder() / "variants").glob("*") if each.is_dir()]
    taken = 0
    for home in homes:
        with _lock(home):
            taken += sum(each.lstat().st_size for each in home.rglob("*"))
            shutil.rmtree(home)
    return len(homes), taken


def query_environment(variant: Variant) -> Environment:
    """What a result that is measured in a variant says of its interpreter, packages and machine.

    Raises:
        VariantError: If its interpreter does not run.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="resilience-bench-") as folder:
            tool = link_tool(Path(folder))
            return Environment(
                **query_interpreter(variant.python, ENVIRONMENT_QUERY, PYTHONPATH=str(tool))
            )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise create_interpreter_error(variant.text, error) from error


def link_tool(folder: Path) -> Path:
    """Make ``tool`` in a folder: what another interpreter has to import this package from.

    It holds a link to this package alone, so that nothing else of the environment that this
    program runs in gets into a variant's imports.
    """
    tool = folder / "tool"
    tool.mkdir()
    package = Path(__file__).resolve().parents[1]
    (tool / package.name).symlink_to(package)
    return tool


def find_or_build(
    text: str, key: str, build: Callable[[Path], dict[str, Any]], note: Notifier
) -> tuple[Path, dict[str, Any], bool]:
    """Find a made environment in the cache, or have it made there.

    Args:
        text: What the user calls it.
        key: Names its folder: 16 hex digits over everything that decides the content.
        build: Makes a venv of a folder that there is not yet; returns what is to be known of it,
            with ``packages`` among it.
        note: See `Notifier`.

    Returns:
        Its folder, what ``build`` returned now or then, and whether it was made now.
    """
    home = get_cache_folder() / "variants" / key
    with _lock(home):
        told = _read_completion(home)
        if told is not None:
            return home, told, False
        note(f"making the environment of {text} (once)")
        if home.exists():
            shutil.rmtree(home)
        try:
            told = build(home)
            _write_completion(text, home, told)
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise
    return home, told, True


@contextlib.contextmanager
def _lock(home: Path) -> Iterator[None]:
    # The lock file stays: were it removed, two others could hold the locks of two files.
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read_completion(home: Path) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = json.loads((home / "complete").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return told if (home / "bin" / "python").exists() else None


def _write_completion(text: str, home: Path, told: dict[str, Any]) -> None:
    date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    content = {"variant": text, "key": home.name, **told, "date": date}
    partial = home / "complete.new"
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(home / "complete")


def fill(
    text: str, due: Recipe, python: Path, install: Callable[..., str] = install_with_own_pip
) -> None:
    """Install what an environment has to hold.

    Args:
        text: What the user calls it.
        due: What it holds.
        python: Its interpreter.
        install: See `resilience_bench.environments.pip.install_with_own_pip`.

    Raises:
        VariantError: If pip cannot do so.
    """
    present: dict[str, str] = {}
    if due.requirements:
        if install(python, *due.requirements, constraints=due.constraints):
            # Another release may need other versions of its dependencies than those of today.
            refuse_pip_failure(text, install(python, *due.requirements))
        present = inspect_interpreter(text, python).packages
    if rest := [*format_pins(due.pins, present), *map(str, due.folders)]:
        refuse_pip_failure(text, install(python, "--no-deps", *rest))


def _find_existing(text: str) -> Variant:
    path = Path(text).expanduser().absolute()
    python = path / "bin" / "python" if path.is_dir() else path
    if not (python.is_file() and os.access(python, os.X_OK)):
        message = f"{text!r} is no variant; {recipe.FORMS}"
        raise VariantError(message)
    try:
        return inspect_interpreter(text, python)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise create_interpreter_error(text, error) from error


def inspect_interpreter(text: str, python: Path) -> Variant:
    """An interpreter as it is, with what is installed for it.

    Raises:
        OSError: If it cannot be started.
        subprocess.SubprocessError: If it is older than Python 3.11, or no Python at all.
        ValueError: If it answers something else.
    """
    prefix, executable, found = query_interpreter(python, PACKAGES_QUERY)
    packages = recipe.by_name(found)
    return Variant(text, Path(prefix), Path(executable), made=False, packages=packages)
