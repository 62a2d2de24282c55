"""Discovery of scenarios: finding and importing their files."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import re
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

from resilience_bench._model import CaseInfo
from resilience_bench.scenarios.definition import BoundCase, Scenario
from resilience_bench.scenarios.payload_definition import Payload, Payloads, register_payloads

Kind = TypeVar("Kind", Scenario, Payload)
DECORATOR: Final = re.compile(r"^\s*@(\w+\.)*(scenario|payload)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A scenario file that could not be used."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        """As ``path:line: message``, which editors and terminals link."""
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The scenarios of files by case name, and the files that did not import."""

    bound: dict[str, BoundCase]
    problems: tuple[FileProblem, ...]

    @property
    def cases(self) -> list[CaseInfo]:
        """The cases in the order of their definition."""
        return [bound.info for bound in self.bound.values()]


def discover(paths: Iterable[Path], builtin: Iterable[Payload] = ()) -> Discovery:
    """Import scenario files (or those below a folder) and list their cases and problems.

    Payloads of any of the files, and the ``builtin`` ones, can be put into all scenarios.
    """
    payloads = register_payloads({}, builtin)
    problems: list[FileProblem] = []
    modules: dict[Path, ModuleType] = {}
    files = itertools.chain.from_iterable(map(find_scenario_files, paths))
    for path in dict.fromkeys(file.resolve() for file in files):
        try:
            module = import_file(path)
            payloads = register_payloads(payloads, _list_own(module, Payload))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's file may raise anything
            problems.append(_build_problem(path, error))
        else:
            modules[path] = module
    found: dict[str, BoundCase] = {}
    for path, module in modules.items():
        try:
            bound = _bind_scenarios(module, path, payloads)
        except Exception as error:  # noqa: BLE001 - values of parameters may be anything
            problems.append(_build_problem(path, error))
            continue
        if taken := next((case for case in bound if case.name in found), None):
            other = found[taken.name].info.path
            message = f"{taken.name} is also defined by {other}; rename one of the files"
            problems.append(FileProblem(str(path), 1, message))
            continue
        found.update((case.name, case) for case in bound)
    return Discovery(found, tuple(problems))


def _bind_scenarios(module: ModuleType, path: Path, payloads: Payloads) -> list[BoundCase]:
    scenarios = _list_own(module, Scenario)
    return [case for scenario in scenarios for case in scenario.bind(str(path), payloads)]


def _list_own(module: ModuleType, kind: type[Kind]) -> list[Kind]:
    """Return what a module defines of a kind, without what it imports."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, kind) and value.function.__module__ == module.__name__
    ]


def find_scenario_files(path: Path) -> list[Path]:
    """Return the files to import for a path: itself, or those below it with the decorator."""
    if not path.is_dir():
        return [path]
    return [
        file
        for file in sorted(path.rglob("*.py"))
        if not any(part.startswith((".", "__pycache__")) for part in file.relative_to(path).parts)
        and "site-packages" not in file.parts
        and DECORATOR.search(file.read_text(encoding="utf-8", errors="replace"))
    ]


def import_file(path: Path) -> ModuleType:
    """Import a file under its package's name, or under its own when it is in no package.

    What is installed comes first for its imports, its folder last: a project's package is that of
    the measured environment, not that of the checkout, and no scenario file hides it.
    """
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").exists():
        parts.insert(0, root.name)
        root = root.parent
    if str(root) not in sys.path:
        sys.path.append(str(root))
    if len(parts) > 1:
        _import_own_package(root / parts[0])
        return importlib.import_module(".".join(parts))
    # A private package name keeps a user's "json.py" from replacing another module.
    return _import_as(f"_scenario_files.{path.stem}", path)


def _import_own_package(folder: Path) -> None:
    """Import the package of scenario files, whatever is installed under the same name."""
    start = folder / "__init__.py"
    known = sys.modules.get(folder.name)
    if known is None or Path(known.__file__ or "").resolve() != start.resolve():
        _import_as(folder.name, start)


def _import_as(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(
            f"not a Python file; expected a name that ends in .py, found {path.name!r}"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _build_problem(path: Path, error: BaseException) -> FileProblem:
    message = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, ModuleNotFoundError):
        message += "; type 'pip install -e .' if it is this project's own"
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return FileProblem(str(path), error.lineno or 1, message)
    inside = [
        frame.lineno or 1
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return FileProblem(str(path), inside[-1] if inside else 1, message)
