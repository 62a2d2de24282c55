"""What a requirements file installs, and the newer releases that it does not install yet."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from resilience_bench.environments.requirement_files import RequirementsFile, parse_requirement
from resilience_bench.environments.wheels import URL, applies
from resilience_bench.errors import UserError
from resilience_bench.releases.index import PublishedRelease

SETTINGS: Final = {
    "--index-url": "PIP_INDEX_URL",
    "-i": "PIP_INDEX_URL",
    "--extra-index-url": "PIP_EXTRA_INDEX_URL",
    "--find-links": "PIP_FIND_LINKS",
    "-f": "PIP_FIND_LINKS",
}
"""The options of a requirements file that say where releases are, and pip's variables for them."""
NO_SOURCE: Final = "a path or a URL, of which there is no newer release"


@dataclass(frozen=True, slots=True)
class Watched:
    """A package of a requirements file.

    ``current`` is what the file installs: the newest release that it allows. ``newest`` is the
    newest of all, equal if nothing is newer; both are empty if ``reason`` says why they are not
    known. ``cases`` says how many cases need the package.
    """

    name: str
    current: str = ""
    newest: str = ""
    reason: str = ""
    cases: int = 0

    @property
    def has_newer(self) -> bool:
        """Whether there is a release that the file does not install."""
        return self.current != self.newest


@dataclass(slots=True)
class _Requirement:
    """What all lines together ask of a package."""

    allowed: SpecifierSet = field(default_factory=SpecifierSet)
    has_source: bool = False


def find_newer(
    file: RequirementsFile,
    list_releases: Callable[[str], Sequence[PublishedRelease]],
    count_cases: Callable[[str], int],
) -> list[Watched]:
    """Return the packages that a file requires here, by name, with their newest releases.

    UserError, the first one, if no package's releases can be listed.
    """
    watched, failures = [], []
    for name, wanted in sorted(_collect(file).items()):
        if wanted.has_source:
            watched.append(Watched(name, reason=NO_SOURCE, cases=count_cases(name)))
            continue
        try:
            found = list_releases(name)
        except UserError as error:
            failures.append(error)
            watched.append(Watched(name, reason=_shorten(name, error), cases=count_cases(name)))
            continue
        watched.append(_choose(name, wanted.allowed, found, count_cases(name)))
    if failures and all(not one.current for one in watched):
        raise failures[0]
    return watched


def _shorten(name: str, error: UserError) -> str:
    """Return what is wrong, without the advice, which is of no use in a row of a table."""
    return str(error).removeprefix(f"{name}: ").partition("; expected ")[0]


def _choose(
    name: str, allowed: SpecifierSet, releases: Sequence[PublishedRelease], cases: int
) -> Watched:
    """Choose the newest release that is allowed, and the newest of all: final, not withdrawn."""
    versions = [Version(one.version) for one in releases if not one.is_yanked]
    pinned = [Version(one.version) for one in releases if _is_pin(allowed, one.version)]
    final = [one for one in versions if not one.is_prerelease]
    # pip takes a pre-release only if no final release is within what is allowed.
    installed = next(
        filter(
            None,
            (
                [one for one in among if allowed.contains(one, prereleases=True)]
                for among in (pinned, final, versions)
            ),
        ),
        None,
    )
    if not installed:
        return Watched(name, reason=f"no release is within {allowed}", cases=cases)
    current = max(installed)
    return Watched(name, str(current), str(max([current, *final])), cases=cases)


def _is_pin(allowed: SpecifierSet, version: str) -> bool:
    """Return whether a version is asked for by name: a withdrawn one is installed then."""
    return any(
        one.operator in {"==", "==="} and not one.version.endswith(".*") for one in allowed
    ) and allowed.contains(version, prereleases=True)


def _collect(file: RequirementsFile) -> dict[str, _Requirement]:
    """Return the requirements that hold for this interpreter, by normalised name."""
    found: dict[str, _Requirement] = {}
    for line in file.lines:
        text = line.partition(" --")[0].strip()
        if text.startswith("-"):
            continue
        if URL.match(text) or URL.match(text.removeprefix("git+")) or text.startswith("/"):
            found.setdefault(Path(text).name, _Requirement()).has_source = True
            continue
        requirement = parse_requirement(text, text, "expected a line such as 'tenacity==9.1.2'")
        if applies(requirement, set()):
            one = found.setdefault(canonicalize_name(requirement.name), _Requirement())
            one.has_source = one.has_source or requirement.url is not None
            one.allowed &= requirement.specifier
    for text in file.bounds:
        requirement = parse_requirement(text, text, "expected a constraint such as 'limits<5'")
        name = canonicalize_name(requirement.name)
        if name in found and applies(requirement, set()):
            found[name].allowed &= requirement.specifier
    return found


def collect_pip_settings(
    file: RequirementsFile, folder: Path, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables with which pip looks where a file tells it to look.

    ``folder`` is that of the file, from which pip finds relative folders.
    """
    parts = list(file.arguments)
    found: dict[str, list[str]] = {}
    if "--no-index" in parts:
        found["PIP_NO_INDEX"] = ["1"]
    for part, following in itertools.pairwise([*parts, ""]):
        option, is_joined, value = part.partition("=")
        if variable := SETTINGS.get(option):
            text = value if is_joined else following
            local = folder / text
            found.setdefault(variable, []).append(str(local.absolute() if local.exists() else text))
    for variable, values in found.items():
        if variable != "PIP_INDEX_URL" and variable in environment:
            values[:0] = shlex.split(environment[variable])
    return {
        name: values[-1] if name in {"PIP_INDEX_URL", "PIP_NO_INDEX"} else " ".join(values)
        for name, values in found.items()
    }
