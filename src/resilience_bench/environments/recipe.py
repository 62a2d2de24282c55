"""The planned content of a variant's environment: what its text and the selected cases need."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from resilience_bench.environments import requirement_files
from resilience_bench.environments.pip import build_here
from resilience_bench.environments.sources import compute_digest, copy, extract, find_git_root
from resilience_bench.environments.wheels import (
    URL,
    Builder,
    Wheel,
    build_wheel,
    find_unmet,
    find_wheel,
)
from resilience_bench.errors import VariantError

FORMS: Final = (
    "expected '.' (this checkout), 'git:REVISION', 'pip:REQUIREMENT' such as "
    "'pip:tenacity==8.2.3' or 'pip:URL', the path of a project, sdist, wheel or requirements file "
    "(*.txt), or an interpreter or environment, by its path or a name such as python3.12"
)
RELEASES: Final = (
    "expected releases such as 'pip:tenacity==8.2.3,backoff<3', or 'pip:URL'; correct the text"
)
# A comma parts two requirements, except within extras and before an operator (tenacity>=8,<9).
COMMA: Final = re.compile(r",(?![^\[]*\])(?!\s*[<>=!~])")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The content of a made environment.

    ``requirements``, the ``wheels`` by name (with extras) and the requirements ``files`` are
    resolved by pip within ``bounds``, and within ``constraints`` where that is possible; ``pins``
    (versions or URLs) and ``folders`` are then installed beside them without their dependencies.
    ``options`` say where pip finds pins; ``sources`` are what the files refer to.
    """

    requirements: tuple[str, ...]
    constraints: dict[str, str]
    pins: dict[str, str]
    folders: tuple[Path, ...]
    wheels: dict[str, Path] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    bounds: tuple[Path, ...] = ()
    sources: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()

    def key(self, *interpreter: str) -> str:
        """Return 16 hex digits over all that decides the content, by default under this Python."""
        digests = [compute_digest(path) for path in (*self.files, *self.bounds, *self.sources)]
        decides = [
            *(interpreter or (sys.version, os.path.realpath(sys.executable))),
            self.requirements,
            sorted(self.constraints.items()) if self.resolved else [],
            sorted(self.pins.items()),
            [compute_digest(folder) for folder in self.folders],
            [[name, compute_digest(path)] for name, path in self.wheels.items()],
            *([digests, self.options] if digests or self.options else []),
        ]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]

    @property
    def resolved(self) -> list[str]:
        """What pip is given to resolve, as its arguments."""
        wheels = [f"{name} @ {path.as_uri()}" for name, path in self.wheels.items()]
        files = [part for path in self.files for part in ("--requirement", str(path))]
        bounds = [part for path in self.bounds for part in ("--constraint", str(path))]
        return [*self.requirements, *wheels, *files, *bounds]

    @property
    def exact(self) -> list[str]:
        """The pins, as pip's arguments."""
        return [
            f"{name} @ {pin}" if "://" in pin else f"{name}=={pin}"
            for name, pin in self.pins.items()
        ]


def read(  # noqa: PLR0913 - what a variant's text is read with
    text: str,
    needed: Sequence[str],
    project: str,
    root: Path,
    scratch: Path,
    *,
    build: Builder = build_here,
) -> Recipe:
    """Return what a variant that is no interpreter has to contain, see `FORMS`.

    Sources go to the empty folder ``scratch``, and have to stay until all is installed; ``build``
    makes wheels. VariantError if the text or what it names cannot be used.
    """
    if text.startswith("pip:"):
        return _read_requirements(text, needed, scratch, build)
    path = Path(text).expanduser()
    if text != "." and not text.startswith("git:"):
        if text.endswith(requirement_files.ENDING):
            return _read_file(path, needed, scratch)
        return _plan_wheels([], {"": find_wheel(text, path, scratch, build)}, needed, scratch)
    source = scratch / "project"
    if text == ".":
        folder = find_git_root(root) / project
        if not (folder / "pyproject.toml").is_file():
            return plan(needed, scratch)
        copy(folder, source)
    else:
        extract(text, project, root, source)
    name, wanted = _read_pyproject(text, source)
    installed = list_installed()
    unmet = [requirement for requirement in wanted if not _is_met(requirement, installed)]
    return plan(
        [*needed, *(requirement.name for requirement in wanted)], scratch, unmet, {name: source}
    )


def _read_requirements(text: str, needed: Sequence[str], scratch: Path, build: Builder) -> Recipe:
    requirements: list[Requirement] = []
    wheels: dict[str, Wheel] = {}
    for part in map(str.strip, COMMA.split(text.removeprefix("pip:"))):
        if URL.match(part):
            wheel = build_wheel(text, part, scratch, build)
            wheels[wheel.name] = wheel
            continue
        requirement = requirement_files.parse_requirement(part, text, RELEASES)
        if requirement.url is None:
            requirements.append(requirement)
            continue
        wheel = build_wheel(text, requirement.url, scratch, build)
        if wheel.name != canonicalize_name(requirement.name):
            raise VariantError(
                f"{text}: {requirement.url} is {wheel.name}, and no {requirement.name}; expected "
                f"the distribution that is named; type 'pip:{requirement.url}'"
            )
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        wheels[wheel.name + extras] = wheel
    if not wheels:
        return plan(needed, scratch, requirements)
    return _plan_wheels(requirements, wheels, needed, scratch)


def _plan_wheels(
    requirements: Sequence[Requirement],
    wheels: Mapping[str, Wheel],
    needed: Sequence[str],
    scratch: Path,
) -> Recipe:
    """Plan an environment with wheels by name, with their extras (else empty)."""
    installed = list_installed()
    replaced = {wheel.name for wheel in wheels.values()}
    for name, wheel in wheels.items():
        extras = Requirement(name).extras if name else set()
        replaced |= find_unmet(wheel, installed, extras)
    planned = plan(needed, scratch, requirements, replaced=replaced)
    by_name = {name or wheel.name: wheel.path for name, wheel in wheels.items()}
    return replace(planned, wheels=by_name)


def _read_file(path: Path, needed: Sequence[str], scratch: Path) -> Recipe:
    content = requirement_files.read(path)
    lines, bounds = scratch / "requirements.txt", scratch / "constraints.txt"
    bounds.write_text("".join(f"{line}\n" for line in content.bounds), encoding="utf-8")
    lines.write_text("".join(f"{line}\n" for line in content.lines), encoding="utf-8")
    planned = plan(needed, scratch, replaced=content.names)
    return replace(
        planned,
        files=(lines,),
        bounds=(bounds,) if content.bounds else (),
        sources=tuple(content.sources),
        options=content.arguments,
    )


def find_default_project(root: Path) -> str:
    """Return what ``.`` and ``git:`` install: ``stack`` if there is one, else the top."""
    has_stack = (find_git_root(root) / "stack" / "pyproject.toml").is_file()
    return "stack" if has_stack else "."


def list_requirements(needed: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what pip has to resolve for each needed distribution that is installed here.

    That is the distribution at its version; if it is installed from a folder, its dependencies.
    """
    here = list_installed()
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(set(map(canonicalize_name, needed)) & set(here)):
        names = [name]
        if _find_local_folder(name):
            wanted = _parse_applicable(importlib.metadata.requires(name) or ())
            names = [canonicalize_name(requirement.name) for requirement in wanted]
        found[name] = tuple(f"{part}=={here[part]}" for part in names if part in here)
    return found


def get_copy_folder(name: str, scratch: Path) -> Path:
    """Return where a recipe puts the sources of a distribution that comes from a folder here."""
    return scratch / f"local-{name}"


def by_name(found: Iterable[tuple[str | None, str]]) -> dict[str, str]:
    """Return versions by normalised name; of two with one name the first is what is imported."""
    packages: dict[str, str] = {}
    for name, version in found:
        if name:  # a partly removed distribution has none
            packages.setdefault(canonicalize_name(name), version)
    return dict(sorted(packages.items()))


def plan(
    needed: Iterable[str],
    scratch: Path,
    requirements: Sequence[Requirement] = (),
    sources: Mapping[str, Path] | None = None,
    replaced: Collection[str] = (),
) -> Recipe:
    """Plan an environment with requirements, sources, and what cases need at the versions here.

    What else is ``replaced`` is neither bound to the version here nor installed at it.
    """
    folders = dict(sources or {})
    installed = list_installed()
    required = {canonicalize_name(requirement.name) for requirement in requirements}
    replaced = {*replaced, *required, *folders}
    names = sorted(_compute_closure(needed, installed, replaced))
    # What is installed here from a folder is on no index in this state, so it goes along.
    for name in names:
        if local := _find_local_folder(name):
            folders[name] = get_copy_folder(name, scratch)
            copy(local, folders[name])
    return Recipe(
        requirements=tuple(map(str, requirements)),
        constraints={name: installed[name] for name in installed if name not in replaced},
        pins={name: installed[name] for name in names if name not in folders},
        folders=tuple(folders.values()),
    )


def list_installed() -> dict[str, str]:
    """Return the versions of what is installed here, by normalised name."""
    found = importlib.metadata.distributions()
    return by_name((installed.metadata["Name"], installed.version) for installed in found)


def _compute_closure(
    needed: Iterable[str], installed: Collection[str], replaced: Collection[str]
) -> set[str]:
    """Return the needed distributions that are installed here, with what these need in turn."""
    found: set[str] = set()
    due = list(needed)
    while due:
        name = canonicalize_name(due.pop())
        # Another release may have other dependencies.
        if name in found or name in replaced or name not in installed:
            continue
        found.add(name)
        due += [part.name for part in _parse_applicable(importlib.metadata.requires(name) or ())]
    return found


def _parse_applicable(texts: Iterable[str]) -> list[Requirement]:
    found = [Requirement(text) for text in texts]
    return [one for one in found if not one.marker or one.marker.evaluate({"extra": ""})]


def _is_met(wanted: Requirement, installed: Mapping[str, str]) -> bool:
    pin = installed.get(canonicalize_name(wanted.name))
    if pin is None or wanted.extras or wanted.url:
        return False
    return wanted.specifier.contains(pin, prereleases=True)


def _read_pyproject(text: str, source: Path) -> tuple[str, list[Requirement]]:
    try:
        table = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return canonicalize_name(table["name"]), _parse_applicable(table.get("dependencies", ()))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise VariantError(
            f"{text}: its pyproject.toml cannot be used: {type(error).__name__}: "
            f"{str(error).splitlines()[0]}; expected a table [project] with a name and dependencies"
            "; mend it, or name another folder"
        ) from error


def _find_local_folder(name: str) -> Path | None:
    url = json.loads(importlib.metadata.distribution(name).read_text("direct_url.json") or "{}")
    folder = Path(unquote(urlsplit(url.get("url", "")).path))
    return folder if "dir_info" in url and folder.is_dir() else None
