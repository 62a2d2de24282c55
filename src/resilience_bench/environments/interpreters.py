"""The Pythons to measure under: found by path or by name, each with what the cases need."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from resilience_bench._model import CaseInfo, Environment
from resilience_bench.environments import recipe
from resilience_bench.environments.fingerprint import detect_environment, format_python_name
from resilience_bench.environments.pip import (
    create_interpreter_error,
    extract_last_lines,
    install_with_own_pip,
    install_with_pip_of,
    query_interpreter,
)
from resilience_bench.environments.variants import (
    Notifier,
    Variant,
    create_scratch_folder,
    fill,
    find_or_build,
    ignore,
    inspect_interpreter,
    query_environment,
)
from resilience_bench.errors import VariantError

THIS: Final = "this"
BUILD_QUERY: Final = "import json, sys; print(json.dumps(sys.version))"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that cases are measured under.

    ``lacking`` has the distributions that could not be installed for it, by normalised name, with
    what pip said.
    """

    variant: Variant
    environment: Environment
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name for people, e.g. ``CPython 3.13.0t``."""
        return format_python_name(self.environment)

    @property
    def stem(self) -> str:
        """Its name within that of a file, e.g. ``cpython-3.13.0t``."""
        return self.name.lower().replace(" ", "-")

    def explain_unavailability(self, info: CaseInfo) -> str:
        """Why a case cannot be measured under it; nothing if it can, as far as is known."""
        for each in info.distributions:
            if said := self.lacking.get(canonicalize_name(each)):
                return f"{each} does not install under {self.name}: {said}"
        return ""


def find(texts: Iterable[str], note: Notifier = ignore) -> list[Interpreter]:
    """The interpreter that this runs in, then those that were asked for, each of them once.

    Args:
        texts: Paths of interpreters or of their environments, or commands such as ``python3.12``.
        note: Is told what is left out, because it is there already.

    Raises:
        VariantError: If one is no interpreter, or older than Python 3.11; it says which, and what
            was expected.
    """
    ours = inspect_interpreter(THIS, Path(sys.executable))
    found = [Interpreter(ours, detect_environment())]
    for text in texts:
        variant = _find_existing(text)
        same = next((each for each in found if each.variant.home == variant.home), None)
        if same is None:
            found.append(Interpreter(variant, query_environment(variant)))
        elif same is found[0]:
            note(f"{text} is the interpreter that this runs in, which is measured in any case")
        else:
            note(f"{text} is {same.variant.text}, which is measured once")
    return found


def prepare(one: Interpreter, needed: Sequence[str], note: Notifier = ignore) -> Interpreter:
    """The interpreter with everything that the cases need, as far as it can be had.

    An interpreter that has all of it is used as it is. For another one an environment is made in
    the cache, with the versions that are installed here.

    Args:
        one: What `find` returned.
        needed: The distributions that the selected cases need.
        note: Is told when an environment has to be made, which takes a while.

    Raises:
        VariantError: If the environment cannot be made.
    """
    parts = recipe.list_requirements(needed)
    if parts.keys() <= one.variant.packages.keys():
        return one
    text = one.variant.text
    with create_scratch_folder(text) as scratch:
        due = recipe.plan_for_interpreter(needed, scratch)
        build = functools.partial(_build, one, parts, due.constraints, scratch)
        version = query_interpreter(one.variant.python, BUILD_QUERY)
        key = due.key(version, os.path.realpath(one.variant.python), *parts)
        home, told, made = find_or_build(text, key, build, note)
    variant = Variant(text, home, home / "bin" / "python", made, told["packages"])
    return replace(
        one, variant=variant, environment=query_environment(variant), lacking=told["lacking"]
    )


def make(one: Interpreter, text: str, needed: Sequence[str], note: Notifier = ignore) -> Variant:
    """Find or make the environment of a variant ``pip:…`` under another interpreter.

    Args:
        one: What `find` returned.
        text: The variant.
        needed: The distributions that the selected cases need.
        note: Is told when an environment has to be made, which takes a while.

    Raises:
        VariantError: If the environment cannot be made.
    """
    with create_scratch_folder(text) as scratch:
        due = recipe.read(text, needed, "", Path.cwd(), scratch)

        def build(home: Path) -> dict[str, Any]:
            python = _create_venv(one, home)
            fill(text, due, python, _choose_pip(one))
            return {"packages": inspect_interpreter(text, python).packages}

        key = due.key(one.environment.python_build, os.path.realpath(one.variant.python), "made")
        home, told, made = find_or_build(text, key, build, note)
    return Variant(text, home, home / "bin" / "python", made, told["packages"])


def _find_existing(text: str) -> Variant:
    try:
        return inspect_interpreter(text, _find_program(text))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise create_interpreter_error(text, error) from error


def _find_program(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if path.is_dir():
        path = path / "bin" / "python"
    elif not path.exists() and os.sep not in text and (command := shutil.which(text)):
        path = Path(command)
    if path.is_file() and os.access(path, os.X_OK):
        return path
    found = "no program" if path.exists() else "nothing there"
    message = (
        f"{text!r} is no Python interpreter: found {found}; expected the path of one, or of its "
        "environment, or a command such as python3.12; type 'ls /usr/bin/python3*' to see some"
    )
    raise VariantError(message)


def _build(
    one: Interpreter,
    parts: Mapping[str, Sequence[str]],
    constraints: Mapping[str, str],
    scratch: Path,
    home: Path,
) -> dict[str, Any]:
    """Make a venv of the interpreter; what does not install is told, and the rest is there."""
    python = _create_venv(one, home)
    install = _choose_pip(one)
    lacking: dict[str, str] = {}
    together = sorted({each for wanted in parts.values() for each in wanted})
    if together and install(python, *together, constraints=constraints):
        for name, wanted in parts.items():
            # Another Python may need other versions of the dependencies than those of here.
            if install(python, *wanted, constraints=constraints) and (
                said := install(python, *wanted)
            ):
                lacking[name] = said
    for name in parts:
        folder = recipe.get_copy_folder(name, scratch)
        wanted_here = folder.is_dir() and name not in lacking
        if wanted_here and (said := install(python, "--no-deps", str(folder))):
            lacking[name] = said
    return {"packages": inspect_interpreter(one.variant.text, python).packages, "lacking": lacking}


def _create_venv(one: Interpreter, home: Path) -> Path:
    make = [str(one.variant.python), "-m", "venv", "--without-pip", str(home)]
    done = subprocess.run(make, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
    if done.returncode:
        said = extract_last_lines(f"{done.stdout}\n{done.stderr}")
        message = (
            f"{one.variant.text}: it cannot make a virtual environment: {said}; expected its "
            "module venv; install that (apt-get install python3-venv), or name another interpreter"
        )
        raise VariantError(message)
    return home / "bin" / "python"


def _choose_pip(one: Interpreter) -> Callable[..., str]:
    """Its own pip where there is one: an older pip takes wheels that a newer Python cannot use."""
    if "pip" in one.variant.packages:
        return functools.partial(install_with_pip_of, one.variant.python)
    return install_with_own_pip
