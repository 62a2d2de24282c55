"""Wheels of variants: given ones, and those that pip makes of folders, sdists and URLs."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from resilience_bench.environments import pip
from resilience_bench.environments.sources import WHEEL_ENDING, copy
from resilience_bench.errors import VariantError

ENDINGS: Final = (WHEEL_ENDING, ".tar.gz", ".zip")
"""The endings of wheels and sdists."""
UNKNOWN_VERSION: Final = "0.0.0"
"""The version of a folder that takes its version from git's tags."""
PROJECT_FILES: Final = ("pyproject.toml", "setup.py")
URL: Final = re.compile(r"[a-z][a-z0-9+.-]*:\/\/", re.IGNORECASE)

Builder = Callable[[str, Path, str], str]
"""Makes a wheel of a source in a folder, and returns the error; see `pip.build_wheel`."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel, and what its metadata say that it needs; ``name`` is normalised."""

    name: str
    path: Path
    requires: tuple[Requirement, ...]


def is_source(path: Path) -> bool:
    """Return whether a path is named like a wheel or an sdist, or is the folder of a project."""
    if path.name.endswith(ENDINGS):
        return not path.is_dir()
    return any((path / name).is_file() for name in PROJECT_FILES)


def find_wheel(text: str, path: Path, scratch: Path, build: Builder) -> Wheel:
    """Return the wheel at a path, or the one that pip makes of the folder or sdist there."""
    if not path.exists():
        raise VariantError(
            f"{text}: there is no such file; expected a wheel, an sdist or the folder of a "
            f"project; type 'ls {path.parent}'"
        )
    path = path.absolute()
    if path.name.endswith(WHEEL_ENDING):
        return read_wheel(text, path)
    if path.is_file():
        return build_wheel(text, str(path), scratch, build)
    source = scratch / "source"
    copy(path, source)
    return build_wheel(text, str(source), scratch, build, UNKNOWN_VERSION)


def build_wheel(text: str, source: str, scratch: Path, build: Builder, version: str = "") -> Wheel:
    """Make a wheel of what pip can find at a path or URL; VariantError with pip's reason."""
    folder = scratch / "wheels" / str(len([*scratch.glob("wheels/*")]))
    folder.mkdir(parents=True)
    pip.refuse_pip_failure(text, build(source, folder, version))
    return read_wheel(text, next(folder.glob(f"*{WHEEL_ENDING}")))


def read_wheel(text: str, path: Path) -> Wheel:
    """Read the metadata of a wheel; VariantError if it is none."""
    try:
        name, *_ = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            [entry] = [
                entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA")
            ]
            metadata = HeaderParser().parsestr(archive.read(entry).decode(errors="replace"))
        requires = tuple(Requirement(line) for line in metadata.get_all("Requires-Dist", ()))
    except (OSError, ValueError, InvalidRequirement, InvalidWheelFilename) as error:
        raise VariantError(_explain_no_wheel(text, path, error)) from error
    except zipfile.BadZipFile as error:
        raise VariantError(_explain_no_wheel(text, path, error)) from error
    return Wheel(canonicalize_name(name), path, requires)


def find_unmet(wheel: Wheel, installed: Mapping[str, str], extras: set[str]) -> set[str]:
    """Return what a wheel needs at another version than the one that is installed here."""
    return {
        canonicalize_name(one.name)
        for one in wheel.requires
        if applies(one, extras)
        and not one.specifier.contains(
            installed.get(canonicalize_name(one.name), "0"), prereleases=True
        )
    }


def applies(requirement: Requirement, extras: set[str]) -> bool:
    """Return whether a requirement holds for this interpreter, with some extras."""
    marker = requirement.marker
    return not marker or any(marker.evaluate({"extra": extra}) for extra in extras | {""})


def _explain_no_wheel(text: str, path: Path, error: Exception) -> str:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"{text}: {path.name} is no wheel: {reason}; expected a file such as "
        "name-1.0-py3-none-any.whl; type 'python -m pip wheel --no-deps .' in the project to "
        "make one"
    )
