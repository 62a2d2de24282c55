"""Requirements files, read as pip reads them, with all that they include."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from resilience_bench.environments.wheels import URL, is_source
from resilience_bench.errors import VariantError

ENDING: Final = ".txt"
COMMENT: Final = re.compile(r"(^|\s)#.*$")
OPTION: Final = re.compile(r"(--[a-z-]+|-[A-Za-z])[ =]*(.*)")
LONG: Final = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable"}


@dataclass(slots=True)
class RequirementsFile:
    """The content of a requirements file and of those that it includes.

    ``lines`` are for pip, with absolute paths; ``bounds`` are those of included files of
    constraints; ``options`` are those among them that say where and
    how to install, such as ``--index-url``. ``names`` are the required distributions, normalised;
    ``sources`` the folders, sdists and wheels that are named.
    """

    lines: list[str] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    sources: list[Path] = field(default_factory=list)
    requirements: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options, as pip takes them on its command line."""
        return tuple(part for line in self.options for part in shlex.split(line))


def read(path: Path) -> RequirementsFile:
    """Read a file with all that it includes; VariantError if it is missing, wrong or empty."""
    found = RequirementsFile()
    _read_into(found, path, ())
    if not found.requirements:
        raise VariantError(
            f"{path}: it requires nothing; expected a line such as 'tenacity==9.1.2'; type "
            f"'python -m pip freeze > {path}' in the environment to describe"
        )
    return found


def _read_into(found: RequirementsFile, path: Path, parents: tuple[Path, ...]) -> None:
    resolved = path.resolve()
    if resolved in parents:
        raise VariantError(
            f"{path}: it includes itself, by way of {parents[-1].name}; expected files that end; "
            "remove one of the lines with -r or -c"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        by = f", which {parents[-1].name} includes" if parents else ""
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise VariantError(
            f"{path}{by}: cannot be read: {reason}; expected a requirements file; "
            f"type 'ls {path.parent}'"
        ) from error
    for number, line in _join_lines(text):
        where = f"{path}:{number}"
        if line.startswith("-"):
            _read_option(found, line, where, path, (*parents, resolved))
        else:
            found.lines.append(_read_requirement(found, line, where))
            found.requirements += 1


def _join_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, continued ones joined, with the number of the first."""
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first if begun else number
        stripped = COMMENT.sub("", line).rstrip()
        if stripped.endswith("\\"):
            begun += stripped[:-1] + " "
            continue
        if whole := (begun + stripped).strip():
            yield first, whole
        begun = ""
    if begun.strip():
        yield first, begun.strip()


def _read_option(
    found: RequirementsFile, line: str, where: str, path: Path, parents: tuple[Path, ...]
) -> None:
    match = OPTION.fullmatch(line)
    name, value = (LONG.get(match[1], match[1]), match[2].strip()) if match else (line, "")
    if name == "--requirement":
        _read_into(found, path.parent / value, parents)
    elif name == "--constraint":
        bounds = RequirementsFile()
        _read_into(bounds, path.parent / value, parents)
        # What is bound is required by something else, so it is no requirement of its own.
        found.names |= bounds.names
        found.sources += bounds.sources
        found.bounds += [text for text in bounds.lines if not text.startswith("-")]
    elif name == "--editable":
        # A copy: what is installed must not change with the folder.
        found.lines.append(_read_requirement(found, value, where))
        found.requirements += 1
    else:
        found.lines.append(line)
        found.options.append(line)


def _read_requirement(found: RequirementsFile, line: str, where: str) -> str:
    """Note what a line requires, and return it with an absolute path."""
    text, space, options = line.partition(" --")
    text = text.strip()
    if URL.match(text.removeprefix("git+")) or URL.match(text):
        return line
    path = Path(text)
    # "name @ https://…/name-1.0.tar.gz" ends like a file, too.
    if "://" not in text and (is_source(path) or text.startswith((".", "/"))):
        if not path.exists():
            raise VariantError(
                f"{where}: there is no {text}, relative to the folder in which the command is "
                "typed; expected a wheel, an sdist or a project; correct the line"
            )
        found.sources.append(path.absolute())
        with contextlib.suppress(InvalidWheelFilename):
            found.names.add(parse_wheel_filename(path.name)[0])
        return f"{path.absolute()}{space}{options}"
    expected = "expected a line such as 'tenacity==9.1.2'; correct the line"
    found.names.add(canonicalize_name(parse_requirement(text, where, expected).name))
    return line


def parse_requirement(text: str, where: str, expected: str) -> Requirement:
    """Return a requirement; VariantError, with what was ``expected`` there, if it is none."""
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise VariantError(
            f"{where}: no requirement that pip understands: {reason}; {expected}"
        ) from error
