"""The Pythons to measure under: found by path or by name, each with what the cases need."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from resilience_bench._model import CaseInfo, Environment
from resilience_bench.environments import recipe, variants
from resilience_bench.environments.fingerprint import detect_environment, format_python_name
from resilience_bench.environments.pip import Installer
from resilience_bench.errors import VariantError

THIS: Final = "this"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that cases are measured under; ``lacking`` has pip's error by normalised name."""

    variant: variants.Variant
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
        """Return why a case cannot be measured under it; nothing if it can, as far as is known."""
        for name in info.needed_distributions:
            if reason := self.lacking.get(canonicalize_name(name)):
                return f"{name} does not install under {self.name}: {reason}"
        return ""


def find(texts: Iterable[str], note: variants.Notifier = lambda _: None) -> list[Interpreter]:
    """Return the running interpreter, then those of the paths and commands, each of them once."""
    ours = variants.inspect_interpreter(THIS, Path(sys.executable))
    found = [Interpreter(ours, detect_environment())]
    for text in texts:
        variant = find_interpreter(text)
        same = next((one for one in found if one.variant.home == variant.home), None)
        if same is None:
            found.append(Interpreter(variant, variants.query_environment(variant)))
        elif same is found[0]:
            note(f"{text} is the interpreter that this runs in, which is measured in any case")
        else:
            note(f"{text} is {same.variant.text}, which is measured once")
    return found


def find_base(
    python: str | None, note: variants.Notifier = lambda _: None
) -> variants.Variant | None:
    """Return the interpreter of a path or command; None without one, or if this runs in it."""
    # `find` returns the interpreter that this runs in first.
    found = find([python], note)[1:] if python else []
    return found[0].variant if found else None


def prepare(
    one: Interpreter, needed: Sequence[str], note: variants.Notifier = lambda _: None
) -> Interpreter:
    """Return the interpreter, or an environment of it with what cases need, as far as possible.

    It has the versions that are installed here; VariantError if it cannot be made.
    """
    parts = recipe.list_requirements(needed)
    if parts.keys() <= one.variant.packages.keys():
        return one
    text = one.variant.text
    with variants.create_scratch_folder(text) as scratch:
        content = recipe.plan(needed, scratch)
        key = content.key(*variants.identify(one.variant), *parts)
        fill = functools.partial(_fill, parts, content.constraints, scratch)
        variant, lacking = variants.find_or_build(text, key, fill, one.variant, note)
    return replace(
        one, variant=variant, environment=variants.query_environment(variant), lacking=lacking
    )


def find_interpreter(text: str) -> variants.Variant:
    """Return the interpreter at a path, of an environment, or of a name; else VariantError."""
    if python := variants.find_interpreter(text):
        return variants.inspect_interpreter(text, python)
    path = Path(text).expanduser()
    if not path.exists() and os.sep not in text and (command := shutil.which(text)):
        path = Path(command)
    if python := variants.find_program(path):
        return variants.inspect_interpreter(text, python)
    if path.is_dir():
        path = path / "bin" / "python"
    found = "no program" if path.exists() else "nothing there"
    raise VariantError(
        f"{text!r} is no Python interpreter: found {found}; expected the path of one, or of its "
        "environment, or a command such as python3.12; type 'ls /usr/bin/python3*' to see some"
    )


def _fill(
    parts: Mapping[str, Sequence[str]],
    constraints: Mapping[str, str],
    scratch: Path,
    python: Path,
    install: Installer,
) -> dict[str, str]:
    """Install each part that installs, and return pip's errors for the others."""
    lacking: dict[str, str] = {}
    together = sorted({requirement for wanted in parts.values() for requirement in wanted})
    if together and install(python, *together, constraints=constraints):
        for name, wanted in parts.items():
            # Another Python may need other versions of the dependencies than those of here.
            if install(python, *wanted, constraints=constraints) and (
                reason := install(python, *wanted)
            ):
                lacking[name] = reason
    for name in [name for name in parts if name not in lacking]:
        folder = recipe.get_copy_folder(name, scratch)
        if folder.is_dir() and (reason := install(python, "--no-deps", str(folder))):
            lacking[name] = reason
    return lacking
