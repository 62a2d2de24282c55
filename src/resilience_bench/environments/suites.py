"""The two sides of a comparison of a pytest suite: a revision and the work tree, both copied.

Copies at paths of one length, because a path is part of the memory layout, and nothing is written
into the checkout.
"""

from __future__ import annotations

import site
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from resilience_bench.environments import variants
from resilience_bench.environments.sources import (
    copy_work_tree,
    find_commit,
    find_git_root,
    unpack,
)
from resilience_bench.environments.variants import Notifier, Variant
from resilience_bench.errors import VariantError
from resilience_bench.worker.protocol import PytestSuite

BASE: Final = "base"
HEAD: Final = "head"
WORK_TREE: Final = "the working tree"


@dataclass(frozen=True, slots=True)
class SuiteRequest:
    """What was typed: the folder in which pytest started, its root directory and its arguments.

    ``selected`` are the absolute paths of files, folders and tests; ``search`` are ends of the
    search path that lie in the checkout or come from PYTHONPATH.
    """

    folder: Path
    root: Path
    arguments: tuple[str, ...]
    selected: tuple[str, ...]
    search: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SuiteSide:
    """One side: its environment, and the copy of its suite."""

    variant: Variant
    suite: PytestSuite


def make_sides(
    revision: str, request: SuiteRequest, copies: Path, project: str | None, note: Notifier
) -> tuple[SuiteSide, SuiteSide]:
    """Copy both sides to a folder ``copies``, install their projects, return BASE and HEAD.

    ``project`` is the folder of the project relative to the top of the repository; None to look for
    it, and empty for none. VariantError if the revision is unknown, or a side does not install.
    """
    top = find_git_root(request.root).resolve()
    commit = find_commit(revision, top)
    unpack(top, commit, copies / BASE)
    copy_work_tree(top, copies / HEAD)
    if project is None:
        project = find_project(top, request.root)
    base, head = (
        SuiteSide(
            _make_variant(text, copies / name, project, note),
            move_suite(request, top, copies / name),
        )
        for text, name in ((revision, BASE), (WORK_TREE, HEAD))
    )
    return base, head


def find_project(top: Path, root: Path) -> str:
    """Return the folder of what the suite belongs to, relative to ``top``; empty if none."""
    root = root.resolve()
    for folder in (root, *root.parents):
        if folder.is_relative_to(top) and _is_installable(folder):
            return str(folder.relative_to(top))
    return ""


def _is_installable(folder: Path) -> bool:
    if (folder / "setup.py").is_file():
        return True
    try:
        content = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool({"project", "build-system"} & content.keys())


def move_suite(request: SuiteRequest, top: Path, copy: Path) -> PytestSuite:
    """Return the suite as it is found in the copy of the repository at ``top``."""

    def move(text: str) -> str:
        for name in dict.fromkeys((str(top), str(find_unresolved(request.root, top)))):
            for before in ("", "="):
                start, found, rest = text.partition(before + name)
                if found and (before or not start) and (not rest or rest[0] in "/:"):
                    return f"{start}{before}{copy}{rest}"
        return text

    return PytestSuite(
        folder=move(str(request.folder)),
        root=move(str(request.root)),
        arguments=tuple(map(move, request.arguments)),
        selected=tuple(map(move, request.selected)),
        sites=tuple(list_site_folders()),
        search=tuple(map(move, request.search)),
    )


def find_unresolved(root: Path, top: Path) -> Path:
    """Return the name of ``top`` in a path that may lead there through a symbolic link."""
    below = root.resolve().relative_to(top)
    return root.parents[len(below.parts) - 1] if below.parts else root


def list_site_folders() -> list[str]:
    """Return where the packages of the running interpreter are."""
    own = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [folder for folder in [*site.getsitepackages(), *own] if Path(folder).is_dir()]


def _make_variant(text: str, copy: Path, project: str, note: Notifier) -> Variant:
    """Install a project into an environment; without one take the running interpreter as it is."""
    folder = copy / project
    if not project or not folder.is_dir():
        return variants.inspect_interpreter(text, Path(sys.executable))
    try:
        made = variants.make(
            str(folder), (), note=lambda said: note(said.replace(str(folder), text))
        )
    except VariantError as error:
        raise VariantError(str(error).replace(str(folder), text)) from error
    return replace(made, text=text)
