"""Sources of variants: folders and revisions, copied to where pip may build them."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from resilience_bench.environments.git import run_git_bytes, try_git
from resilience_bench.errors import VariantError

WHEEL_ENDING: Final = ".whl"
LISTING: Final = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
"""What git would commit."""


def find_git_root(root: Path) -> Path:
    """Return the top of the git work tree of a folder; outside git the folder itself."""
    top = try_git(root, "rev-parse", "--show-toplevel", errors="surrogateescape")
    return Path(top.rstrip("\n")) if top else root


def extract(text: str, project: str, root: Path, target: Path) -> None:
    """Write a folder of the revision in ``git:REVISION`` to ``target``."""
    top = find_git_root(root)
    commit = find_commit(text, top)
    inside = "" if Path(project) == Path() else Path(project).as_posix()
    below = f"{inside}/" if inside else ""
    if try_git(top, "cat-file", "-e", f"{commit}:{below}pyproject.toml") is None:
        raise VariantError(
            f"{text}: no {below}pyproject.toml in that revision; expected the folder of a "
            f"distribution; type a revision of 'git log --oneline -- {project}', or name its folder"
        )
    unpack(top, f"{commit}:{inside}", target)


def find_commit(text: str, top: Path) -> str:
    """Return the commit of ``git:REVISION`` or ``REVISION``; VariantError if there is none."""
    revision = text.removeprefix("git:")
    wanted = f"{revision or 'nothing'}^{{commit}}"
    commit = "" if revision.startswith("-") else try_git(top, "rev-parse", "--verify", "-q", wanted)
    if not commit:
        _ensure_repository(text, top)
        raise VariantError(
            f"{text}: {top} has no revision {revision!r}; expected a commit, branch or tag; "
            "type 'git log --oneline' to see commits"
        )
    return commit.strip()


def _ensure_repository(text: str, top: Path) -> None:
    run_git_bytes(top, "--version")  # GitError if git itself is what is missing
    if try_git(top, "rev-parse", "--git-dir") is None:
        raise VariantError(
            f"{text}: {top} is no git repository; expected one that has this revision; type "
            "'git init' and commit there, or compare other variants: '.', a folder, 'pip:NAME'"
        )


def unpack(top: Path, tree: str, target: Path) -> None:
    """Write a tree of a repository to ``target``."""
    archive = run_git_bytes(top, "archive", "--format=tar", tree)
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        # As the documentation of tarfile does it for Python 3.11.3 and older, which has no filters.
        file.extraction_filter = getattr(tarfile, "tar_filter", lambda member, _: member)
        file.extractall(target)  # noqa: S202 - the user's own commit, kept below the target


def copy(folder: Path, target: Path) -> None:
    """Copy what git would commit of a folder; all of it outside git."""
    names = (try_git(folder, *LISTING, errors="surrogateescape") or "").split("\0")
    if "pyproject.toml" not in names:
        leftovers = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info", ".*_cache")
        shutil.copytree(folder, target, ignore=leftovers)
        return
    _copy_files(folder, names, target)


def copy_work_tree(top: Path, target: Path) -> None:
    """Copy what git would commit of a work tree."""
    names = run_git_bytes(top, *LISTING).decode(errors="surrogateescape").split("\0")
    _copy_files(top, names, target)


def _copy_files(folder: Path, names: Iterable[str], target: Path) -> None:
    for name in names:
        if (folder / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, target / name)


def compute_digest(path: Path) -> str:
    """Return a digest over the content of a folder, a file, or the files in a wheel.

    Two builds of one source make two wheels with other times in them, and the same content.
    """
    if path.suffix == WHEEL_ENDING and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
    else:
        files = path.rglob("*") if path.is_dir() else [path]
        contents = {
            str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()
        }
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        line = f"{name}\0{hashlib.sha256(content).hexdigest()}\0"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
