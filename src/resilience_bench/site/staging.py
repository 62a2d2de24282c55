"""A folder that is made next to its place, and moved there only when it is complete."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from resilience_bench.errors import UnwritableOutputError, format_names
from resilience_bench.files.checked_json import format_path

MARKER: Final = "site.json"
"""The file that says that a folder is a site, and may be replaced by one."""
ALLOWED_NAMES: Final = frozenset({"history", "releases"})
"""Folders that a site may replace although they are no site: 'asv publish' writes there too."""
ANOTHER_FOLDER: Final = "give another folder with --output"


@contextlib.contextmanager
def replace_folder(place: Path) -> Iterator[Path]:
    """Yield a new folder, which replaces the old one at the end; after an error the old one stays.

    Raises `UnwritableOutputError` if that fails, or would lose something that is no site.
    """
    target = place.resolve()
    _ensure_replaceable(target, place)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise UnwritableOutputError(
            f"cannot write {format_path(place)}: {error.strerror}; {ANOTHER_FOLDER}"
        ) from error
    try:
        new = scratch / "new"
        new.mkdir()
        yield new
        _swap(new, target, scratch / "old")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _ensure_replaceable(target: Path, place: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise UnwritableOutputError(
            f"cannot write {format_path(place)}: it is a file, expected a folder; {ANOTHER_FOLDER}"
        )
    names = {entry.name for entry in target.iterdir()}
    if names and MARKER not in names and (foreign := sorted(names - ALLOWED_NAMES)):
        raise UnwritableOutputError(
            f"cannot write {format_path(place)}: expected a site or an empty folder, found "
            f"{format_names(foreign)}, which would be lost; {ANOTHER_FOLDER}"
        )


def _swap(new: Path, target: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
