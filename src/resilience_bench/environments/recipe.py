"""The planned content of a variant's environment: what its text and the selected cases need."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import os
import re
import shutil
import sys
import tarfile
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from resilience_bench.environments.git import run_git_bytes, try_git
from resilience_bench.errors import VariantError

FORMS: Final = (
    "expected '.' (this checkout), 'git:REVISION', 'pip:REQUIREMENT' such as "
    "'pip:tenacity==8.2.3', or the path of an interpreter or environment"
)
# A comma parts two requirements, except within extras and before an operator (tenacity>=8,<9).
COMMA: Final = re.compile(r",(?![^\[]*\])(?!\s*[<>=!~])")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The content of a made environment.

    ``requirements`` are resolved by pip, within ``constraints`` where that is possible; ``pins``
    and ``folders`` are then installed beside them without their dependencies.
    """

    requirements: tuple[str, ...]
    constraints: dict[str, str]
    pins: dict[str, str]
    folders: tuple[Path, ...]

    def key(self, *interpreter: str) -> str:
        """Return 16 hex digits over all that decides the content, by default under this Python."""
        decides = [
            *(interpreter or (sys.version, os.path.realpath(sys.executable))),
            self.requirements,
            sorted(self.constraints.items()) if self.requirements else [],
            sorted(self.pins.items()),
            [_compute_digest(folder) for folder in self.folders],
            [_compute_digest(path) for path in map(_parse_local_path, self.requirements) if path],
        ]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def read(text: str, needed: Sequence[str], project: str, root: Path, scratch: Path) -> Recipe:
    """Return what ``.``, ``git:REVISION`` or ``pip:REQUIREMENT[,REQUIREMENT]`` has to contain.

    Sources go to the empty folder ``scratch``, and have to stay until all is installed.
    VariantError if the text or what it names cannot be used.
    """
    if text.startswith("pip:"):
        return plan(needed, scratch, _parse_requirements(text))
    source = scratch / "project"
    if text == ".":
        folder = _find_git_root(root) / project
        if not (folder / "pyproject.toml").is_file():
            return plan(needed, scratch)
        _copy(folder, source)
    else:
        _extract(text, project, root, source)
    name, wanted = _read_pyproject(text, source)
    installed = _list_installed()
    unmet = [requirement for requirement in wanted if not _is_met(requirement, installed)]
    return plan(
        [*needed, *(requirement.name for requirement in wanted)], scratch, unmet, {name: source}
    )


def find_default_project(root: Path) -> str:
    """Return what ``.`` and ``git:`` install: ``stack`` if there is one, else the top."""
    has_stack = (_find_git_root(root) / "stack" / "pyproject.toml").is_file()
    return "stack" if has_stack else "."


def list_requirements(needed: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what pip has to resolve for each needed distribution that is installed here.

    That is the distribution at its version; if it is installed from a folder, its dependencies.
    """
    here = _list_installed()
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
) -> Recipe:
    """Plan an environment with requirements, sources, and what cases need at the versions here."""
    folders = dict(sources or {})
    installed = _list_installed()
    replaced = {canonicalize_name(requirement.name) for requirement in requirements} | set(folders)
    names = sorted(_compute_closure(needed, installed, replaced))
    # What is installed here from a folder is on no index in this state, so it goes along.
    for name in names:
        if local := _find_local_folder(name):
            folders[name] = get_copy_folder(name, scratch)
            _copy(local, folders[name])
    return Recipe(
        requirements=tuple(map(str, requirements)),
        constraints={name: installed[name] for name in installed if name not in replaced},
        pins={name: installed[name] for name in names if name not in folders},
        folders=tuple(folders.values()),
    )


def _parse_requirements(text: str) -> list[Requirement]:
    try:
        return [Requirement(part.strip()) for part in COMMA.split(text.removeprefix("pip:"))]
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise VariantError(
            f"{text}: no requirement that pip understands: {reason}; {FORMS}"
        ) from error


def _list_installed() -> dict[str, str]:
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


def _find_git_root(root: Path) -> Path:
    top = try_git(root, "rev-parse", "--show-toplevel", errors="surrogateescape")
    return Path(top.rstrip("\n")) if top else root


def _extract(text: str, project: str, root: Path, target: Path) -> None:
    revision = text.removeprefix("git:")
    top = _find_git_root(root)
    wanted = f"{revision or 'nothing'}^{{commit}}"
    commit = "" if revision.startswith("-") else try_git(top, "rev-parse", "--verify", "-q", wanted)
    if not commit:
        raise VariantError(
            f"{text}: {top} has no revision {revision!r}; expected a commit, branch or tag; "
            "type 'git log --oneline' to see commits"
        )
    commit = commit.strip()
    inside = "" if Path(project) == Path() else Path(project).as_posix()
    below = f"{inside}/" if inside else ""
    if try_git(top, "cat-file", "-e", f"{commit}:{below}pyproject.toml") is None:
        raise VariantError(
            f"{text}: no {below}pyproject.toml in that revision; expected the folder of a "
            f"distribution; type a revision of 'git log --oneline -- {project}', or name its folder"
        )
    archive = run_git_bytes(top, "archive", "--format=tar", f"{commit}:{inside}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        # As the documentation of tarfile does it for Python 3.11.3 and older, which has no filters.
        file.extraction_filter = getattr(tarfile, "tar_filter", lambda member, _: member)
        file.extractall(target)  # noqa: S202 - the user's own commit, kept below the target


def _copy(folder: Path, target: Path) -> None:
    """Copy what git would commit of a folder; all of it outside git."""
    command = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = (try_git(folder, *command, errors="surrogateescape") or "").split("\0")
    if "pyproject.toml" not in names:
        leftovers = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info", ".*_cache")
        shutil.copytree(folder, target, ignore=leftovers)
        return
    for name in names:
        if (folder / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, target / name)


def _find_local_folder(name: str) -> Path | None:
    url = json.loads(importlib.metadata.distribution(name).read_text("direct_url.json") or "{}")
    folder = Path(unquote(urlsplit(url.get("url", "")).path))
    return folder if "dir_info" in url and folder.is_dir() else None


def _parse_local_path(requirement: str) -> Path | None:
    url = urlsplit(Requirement(requirement).url or "")
    return Path(unquote(url.path)) if url.scheme == "file" else None


def _compute_digest(path: Path) -> str:
    digest = hashlib.sha256()
    files = path.rglob("*") if path.is_dir() else [path]
    for file in sorted(filter(Path.is_file, files)):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(path)}\0{content}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()
