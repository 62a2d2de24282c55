"""The environments to compare: this checkout, a git revision, requirements, an interpreter.

A made environment is a venv in the cache, named by a digest of everything that decides its content.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from resilience_bench import recipe
from resilience_bench._model import Environment
from resilience_bench.errors import VariantError
from resilience_bench.recipe import Recipe

SHOWN_LINES: Final = 3
SHOWN_CHARACTERS: Final = 200
# Without the current directory, which is not part of what the interpreter has installed.
WHAT_IS_INSTALLED: Final = """import sys; sys.path = [each for each in sys.path if each]
import importlib.metadata, json
if sys.version_info < (3, 11): sys.exit("it is Python " + sys.version.split()[0])
found = [(each.metadata["Name"], each.version) for each in importlib.metadata.distributions()]
print(json.dumps([sys.prefix, sys.executable, found]))"""
WHICH_ENVIRONMENT: Final = """import sys; sys.path = [each for each in sys.path if each]
import dataclasses, json
from resilience_bench.environment import current_environment
print(json.dumps(dataclasses.asdict(current_environment())))"""


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


def cache_folder() -> Path:
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
    note: Callable[[str], None] = ignore,
) -> Variant:
    """Find or make the environment of a variant.

    Args:
        text: ``.``, ``git:REVISION``, ``pip:REQUIREMENT[,REQUIREMENT]`` or a path.
        needed: The distributions that the selected cases need.
        project: The folder of the distribution that ``.`` and ``git:`` install, relative to the
            top of the git work tree, or to ``root`` outside git.
        root: Where the checkout is; the current directory when left out.
        note: Is told when an environment has to be made, which takes a while.

    Raises:
        VariantError: If the text is none of the forms, or the environment cannot be made.
    """
    if text != "." and not text.startswith(("git:", "pip:")):
        return _given(text)
    try:
        with tempfile.TemporaryDirectory(prefix="resilience-bench-") as scratch:
            due = recipe.read(text, needed, project, root or Path.cwd(), Path(scratch))
            return _cached(text, due, note)
    except (OSError, subprocess.SubprocessError) as error:
        message = (
            f"{text}: cannot make its environment: {error}; expected a writable folder "
            f"{cache_folder()}; set RESILIENCE_BENCH_CACHE to another one"
        )
        raise VariantError(message) from error


def clean() -> tuple[int, int]:
    """Remove all made environments.

    Returns:
        How many there were, and how many bytes they took.
    """
    homes = [each for each in (cache_folder() / "variants").glob("*") if each.is_dir()]
    taken = 0
    for home in homes:
        with _locked(home):
            taken += sum(each.lstat().st_size for each in home.rglob("*"))
            shutil.rmtree(home)
    return len(homes), taken


def environment_of(variant: Variant) -> Environment:
    """What a result that is measured in a variant says of its interpreter, packages and machine.

    Raises:
        VariantError: If its interpreter does not run.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="resilience-bench-") as folder:
            tool = link_tool(Path(folder))
            return Environment(**_answer(variant.python, WHICH_ENVIRONMENT, PYTHONPATH=str(tool)))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise _does_not_run(variant.text, error) from error


def link_tool(folder: Path) -> Path:
    """Make ``tool`` in a folder: what another interpreter has to import this package from.

    It holds a link to this package alone, so that nothing else of the environment that this
    program runs in gets into a variant's imports.
    """
    tool = folder / "tool"
    tool.mkdir()
    package = Path(__file__).resolve().parent
    (tool / package.name).symlink_to(package)
    return tool


def _cached(text: str, due: Recipe, note: Callable[[str], None]) -> Variant:
    key = due.key()
    home = cache_folder() / "variants" / key
    python = home / "bin" / "python"
    with _locked(home):
        packages = _complete(home)
        made = packages is None
        if packages is None:
            note(f"making the environment of {text} (once)")
            try:
                packages = _build(text, due, home)
            except BaseException:
                shutil.rmtree(home, ignore_errors=True)
                raise
    return Variant(text, home, python, made, packages)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    # The lock file stays: were it removed, two others could hold the locks of two files.
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _complete(home: Path) -> dict[str, str] | None:
    try:
        told = json.loads((home / "complete").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    packages: dict[str, str] = told["packages"]
    return packages if (home / "bin" / "python").exists() else None


def _build(text: str, due: Recipe, home: Path) -> dict[str, str]:
    if home.exists():
        shutil.rmtree(home)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(home)
    python = home / "bin" / "python"
    _install(text, due, python)
    packages = _ask(text, python).packages
    told = {
        "variant": text,
        "key": home.name,
        "packages": packages,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    partial = home / "complete.new"
    partial.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    partial.replace(home / "complete")
    return packages


def _install(text: str, due: Recipe, python: Path) -> None:
    present: dict[str, str] = {}
    if due.requirements:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.writelines(f"{name}=={pin}\n" for name, pin in due.constraints.items())
            file.flush()
            said = _pip(python, "--constraint", file.name, *due.requirements)
        if said:
            # Another release may need other versions of its dependencies than those of today.
            _must_be_silent(text, _pip(python, *due.requirements))
        present = _ask(text, python).packages
    pins = [f"{name}=={pin}" for name, pin in due.pins.items() if name not in present]
    if rest := [*pins, *map(str, due.folders)]:
        _must_be_silent(text, _pip(python, "--no-deps", *rest))


def _pip(python: Path, *arguments: str) -> str:
    """Install; returns what pip said last if it failed, else nothing."""
    if importlib.util.find_spec("pip") is None:
        message = (
            f"{sys.executable} has no pip, which is expected to fill the environments to compare; "
            f"type '{sys.executable} -m ensurepip'"
        )
        raise VariantError(message)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    done = subprocess.run(  # noqa: S603 - the command is ours
        [*pip, "--disable-pip-version-check", "--no-input", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=_surroundings(),
    )
    return _last_lines(done.stderr or "nothing") if done.returncode else ""


def _surroundings() -> dict[str, str]:
    # PYTHONPATH would count as installed, and --user is refused inside a venv.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PIP_USER": "0"}


def _must_be_silent(text: str, said: str) -> None:
    if said:
        message = (
            f"{text}: pip could not install it; it said: {said}; expected "
            "releases that exist and can be reached; mend the variant and type the command again"
        )
        raise VariantError(message)


def _last_lines(said: str) -> str:
    lines = [line.strip().removeprefix("ERROR: ") for line in said.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("WARNING: ")] or lines
    half = SHOWN_CHARACTERS // 2
    return " | ".join(
        line if len(line) <= SHOWN_CHARACTERS else f"{line[:half]} ... {line[-half:]}"
        for line in lines[-SHOWN_LINES:]
    )


def _given(text: str) -> Variant:
    path = Path(text).expanduser().absolute()
    python = path / "bin" / "python" if path.is_dir() else path
    if not (python.is_file() and os.access(python, os.X_OK)):
        message = f"{text!r} is no variant; {recipe.FORMS}"
        raise VariantError(message)
    try:
        return _ask(text, python)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise _does_not_run(text, error) from error


def _does_not_run(text: str, error: Exception) -> VariantError:
    said = _last_lines(getattr(error, "stderr", None) or str(error))
    return VariantError(
        f"{text}: it does not run as Python 3.11 or newer: {said}; name another one"
    )


def _ask(text: str, python: Path) -> Variant:
    prefix, executable, found = _answer(python, WHAT_IS_INSTALLED)
    packages = recipe.by_name(found)
    return Variant(text, Path(prefix), Path(executable), made=False, packages=packages)


def _answer(python: Path, question: str, **more: str) -> Any:
    done = subprocess.run(  # noqa: S603 - the command is ours
        [str(python), "-c", question],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**_surroundings(), **more},
    )
    return json.loads(done.stdout)
