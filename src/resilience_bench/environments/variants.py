"""The environments to compare; a made one is a venv in the cache, named by its content's digest."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock
from platformdirs import user_cache_path

from resilience_bench._model import Environment
from resilience_bench.environments import pip, recipe, requirement_files, wheels
from resilience_bench.environments.fingerprint import now
from resilience_bench.environments.git import try_git
from resilience_bench.environments.recipe import Recipe
from resilience_bench.environments.wheels import is_source
from resilience_bench.errors import VariantError

# Without the current directory, which is not part of what the interpreter has installed.
PACKAGES_QUERY: Final = """import sys; sys.path = [path for path in sys.path if path]
import importlib.metadata, json
if sys.version_info < (3, 11): sys.exit("it is Python " + sys.version.split()[0])
found = [(one.metadata["Name"], one.version) for one in importlib.metadata.distributions()]
print(json.dumps([sys.prefix, sys.executable, found]))"""
ENVIRONMENT_QUERY: Final = """import sys; sys.path = [path for path in sys.path if path]
import dataclasses, json
from resilience_bench.environments.fingerprint import detect_environment
print(json.dumps(dataclasses.asdict(detect_environment())))"""
COMMAND: Final = re.compile(r"(python|pypy|graalpy)[0-9.]*t?")
"""The names of commands that are looked for as interpreters."""
VERSION_QUERY: Final = "import json, sys; print(json.dumps(sys.version))"

Notifier = Callable[[str], None]
"""Called when an environment has to be made, which takes a while."""


@dataclass(frozen=True, slots=True)
class Variant:
    """An interpreter, its prefix ``home``, and what is installed for it, by normalised name."""

    text: str
    home: Path
    python: Path
    made: bool
    packages: dict[str, str]


def get_cache_folder() -> Path:
    """Return where made environments are kept; ``RESILIENCE_BENCH_CACHE`` names another folder."""
    own = os.environ.get("RESILIENCE_BENCH_CACHE")
    return (Path(own).expanduser() if own else user_cache_path("resilience-bench")).absolute()


def make(  # noqa: PLR0913 - what decides the content, by name
    text: str,
    needed: Sequence[str],
    *,
    project: str = "stack",
    root: Path | None = None,
    base: Variant | None = None,
    note: Notifier = lambda _: None,
) -> Variant:
    """Find or make the environment that a text means, see `recipe.FORMS`.

    It has what the cases ``needed``, under the interpreter ``base``, by default the running one.
    ``.`` and ``git:`` install the distribution in the folder ``project``, relative to the top of
    the git work tree, or to ``root`` (by default the current directory) outside git. VariantError
    if the text has none of these forms, or it cannot be made.
    """
    if python := find_interpreter(text):
        return inspect_interpreter(text, python)
    ensure_is_variant(text)
    build = pip.build_here
    if base:
        build = functools.partial(pip.build_wheel, _find_owner(base), base.python)
    with create_scratch_folder(text) as scratch:
        content = recipe.read(text, needed, project, root or Path.cwd(), scratch, build=build)
        fill = functools.partial(fill_environment, text, content)
        variant, _ = find_or_build(text, content.key(*identify(base)), fill, base, note)
    return variant


def find_interpreter(text: str) -> Path | None:
    """Return the interpreter at a path, of an environment, or of a name such as python3.12."""
    if text == "." or text.startswith(("git:", "pip:")):
        return None
    path = Path(text)
    if is_source(path.expanduser()) and not (path.expanduser() / "bin" / "python").exists():
        return None
    if COMMAND.fullmatch(text) and not path.exists() and (command := shutil.which(text)):
        path = Path(command)
    return find_program(path)


def ensure_is_variant(text: str) -> None:
    """Raise VariantError for a text that is neither an interpreter nor one of the other forms."""
    if find_interpreter(text):
        return
    named = text.endswith((*wheels.ENDINGS, requirement_files.ENDING))
    if text == "." or text.startswith(("git:", "pip:")) or named:
        return
    path = Path(text).expanduser()
    if text and is_source(path):
        return
    known = try_git(Path.cwd(), "rev-parse", "--verify", "--quiet", f"{text}^{{commit}}")
    meant = f" (did you mean 'git:{text}'?)" if known else ""
    if text and path.is_dir():
        meant = ": a folder without pyproject.toml and without bin/python"
    raise VariantError(f"{text!r} is no variant{meant}; {recipe.FORMS}")


@contextlib.contextmanager
def create_scratch_folder(text: str) -> Iterator[Path]:
    """Create a folder for sources; VariantError if files or programs cannot be used meanwhile."""
    try:
        with tempfile.TemporaryDirectory(prefix="resilience-bench-") as scratch:
            yield Path(scratch)
    except (OSError, subprocess.SubprocessError) as error:
        raise VariantError(
            f"{text}: cannot make its environment: {error}; expected a writable folder "
            f"{get_cache_folder()}; set RESILIENCE_BENCH_CACHE to another one"
        ) from error


def identify(base: Variant | None) -> tuple[str, ...]:
    """Return what tells another interpreter from others; nothing for the running one."""
    if base is None:
        return ()
    with pip.refuse_unusable_interpreter(base.text):
        version: str = pip.query_interpreter(base.python, VERSION_QUERY)
    return version, os.path.realpath(base.python), str(base.python)


def find_or_build(
    text: str,
    key: str,
    fill: Callable[[Path, pip.Installer], dict[str, str]],
    base: Variant | None,
    note: Notifier,
) -> tuple[Variant, dict[str, str]]:
    """Find an environment in the cache, or build it there, once for all processes.

    ``fill`` installs into a new venv, given its interpreter and pip. It returns what did not
    install, pip's error by distribution, and so does this.
    """
    home = get_cache_folder() / "variants" / key
    python = home / "bin" / "python"
    with _lock(home):
        complete = _read_completion(home)
        made = complete is None
        if complete is None:
            note(f"making the environment of {text} (once)")
            if home.exists():
                shutil.rmtree(home)
            try:
                pip.create_venv(text, base.python if base else Path(sys.executable), home)
                install = functools.partial(pip.install_packages, _find_owner(base))
                lacking = fill(python, install)
                packages = inspect_interpreter(text, python).packages
                complete = {"packages": packages, "lacking": lacking}
                content = {"variant": text, "key": key, **complete, "date": now()}
                partial = home / "complete.new"
                partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
                partial.replace(home / "complete")
            except BaseException:
                shutil.rmtree(home, ignore_errors=True)
                raise
    variant = Variant(text, home, python, made, complete["packages"])
    return variant, complete.get("lacking", {})


def clean() -> tuple[int, int]:
    """Remove all made environments; return their number, and their size in bytes."""
    homes = [path for path in (get_cache_folder() / "variants").glob("*") if path.is_dir()]
    size = 0
    for home in homes:
        with _lock(home):
            size += sum(path.lstat().st_size for path in home.rglob("*"))
            shutil.rmtree(home)
    return len(homes), size


def query_environment(variant: Variant) -> Environment:
    """Return the environment of a result measured in a variant; VariantError if it does not run."""
    with (
        pip.refuse_unusable_interpreter(variant.text),
        tempfile.TemporaryDirectory(prefix="resilience-bench-") as folder,
    ):
        path = str(link_tool(Path(folder)))
        return Environment(
            **pip.query_interpreter(variant.python, ENVIRONMENT_QUERY, PYTHONPATH=path)
        )


def link_tool(folder: Path) -> Path:
    """Make a folder ``tool`` from which another interpreter can import this package alone."""
    tool = folder / "tool"
    tool.mkdir()
    package = Path(__file__).resolve().parents[1]
    (tool / package.name).symlink_to(package)
    return tool


def inspect_interpreter(text: str, python: Path) -> Variant:
    """Return an interpreter as it is; VariantError if it is no Python, or older than 3.11."""
    with pip.refuse_unusable_interpreter(text):
        prefix, executable, found = pip.query_interpreter(python, PACKAGES_QUERY)
    return Variant(text, Path(prefix), Path(executable), False, recipe.by_name(found))  # noqa: FBT003


def is_venv(variant: Variant) -> bool:
    """Return whether a variant is a virtual environment, and not the interpreter of one."""
    return (variant.home / "pyvenv.cfg").is_file()


def find_program(path: Path) -> Path | None:
    """Return the interpreter at a path, or of the environment there; None if there is none."""
    path = path.expanduser().absolute()
    # What "make install" has put there is called python3 only.
    names = [path / "bin" / name for name in ("python", "python3")] if path.is_dir() else [path]
    return next((one for one in names if one.is_file() and os.access(one, os.X_OK)), None)


def fill_environment(
    text: str, content: Recipe, python: Path, install: pip.Installer
) -> dict[str, str]:
    """Install a recipe into a new environment; VariantError with pip's reason if it fails."""
    present: dict[str, str] = {}
    if content.resolved:
        if install(python, *content.resolved, constraints=content.constraints):
            # Another release may need other versions of its dependencies than those of today.
            pip.refuse_pip_failure(text, install(python, *content.resolved))
        present = inspect_interpreter(text, python).packages
    pins = dict(zip(content.pins, content.exact, strict=True))
    missing = [pin for name, pin in pins.items() if name not in present]
    if rest := [*missing, *map(str, content.folders)]:
        pip.refuse_pip_failure(text, install(python, "--no-deps", *content.options, *rest))
    return {}


def _find_owner(base: Variant | None) -> Path | None:
    """Return the interpreter whose pip is used, None for the running one."""
    return base.python if base and "pip" in base.packages else None


def _lock(home: Path) -> FileLock:
    home.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(home.with_suffix(".lock"))


def _read_completion(home: Path) -> dict[str, Any] | None:
    try:
        complete: dict[str, Any] = json.loads((home / "complete").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return complete if (home / "bin" / "python").exists() else None
