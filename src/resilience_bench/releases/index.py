"""Which releases of a package there are, and when they came out: what pip's own index says."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from resilience_bench.environments.pip import extract_last_lines
from resilience_bench.errors import UserError

VERSIONS_PREFIX: Final = "Available versions:"
# With -vv pip names the pages that it reads; a log line of other text only costs us the dates.
PAGE_LINE: Final = re.compile(r"^\* (https?://\S+)$", re.MULTILINE)
PEP_691: Final = "application/vnd.pypi.simple.v1+json"
TIME_LIMIT_S: Final = 60
SUGGESTIONS: Final = 6


class UnknownVersionError(UserError):
    """A package has no such release, or none in the range that was asked for."""


@dataclass(frozen=True, slots=True)
class PublishedRelease:
    """A release: when its first file was uploaded (UTC, ISO 8601), and whether it was withdrawn.

    ``date`` is empty where the index does not tell.
    """

    version: str
    date: str = ""
    is_yanked: bool = False


class Index(Protocol):
    """Knows the releases of packages."""

    def releases(self, package: str) -> list[PublishedRelease]:
        """All releases, pre-releases among them, from the oldest version to the newest.

        Raises:
            UserError: If there is no such package.
        """
        ...


@dataclass(frozen=True, slots=True)
class PipIndex:
    """The index that pip is set up for, asked by pip; the dates come from the same pages."""

    python: str = sys.executable

    def releases(self, package: str) -> list[PublishedRelease]:
        """See `Index.releases`."""
        # Releases for other Pythons are listed, too: that they do not install is worth knowing.
        options = ["--pre", "--ignore-requires-python", "--disable-pip-version-check", "-vv"]
        command = [self.python, "-m", "pip", "index", "versions", package, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
        told = [line for line in done.stdout.splitlines() if line.startswith(VERSIONS_PREFIX)]
        if done.returncode or not told:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            said = extract_last_lines("\n".join(errors) or done.stderr or "nothing")
            message = (
                f"{package}: no releases found: pip said: {said}; expected the name of a package "
                f"of pip's index that can be reached; type 'pip index versions {package}'"
            )
            raise UserError(message)
        versions = told[0].removeprefix(VERSIONS_PREFIX).split(",")
        files: dict[str, PublishedRelease] = {}
        for page in dict.fromkeys(PAGE_LINE.findall(done.stdout)):
            files = collect_releases(_fetch_files(page)) | files
        return sort_releases(
            files.get(each.strip(), PublishedRelease(each.strip())) for each in versions
        )


def _fetch_files(page: str) -> Sequence[Mapping[str, Any]]:
    """The files of a page of the index, as PEP 691 has them; none where it does not speak JSON."""
    request = urllib.request.Request(page, headers={"Accept": PEP_691})  # noqa: S310 - see PAGE
    try:
        with urllib.request.urlopen(request, timeout=TIME_LIMIT_S) as answer:  # noqa: S310
            content = json.load(answer)
    except (OSError, ValueError):
        return ()
    files = content.get("files", ()) if isinstance(content, dict) else ()
    return [each for each in files if isinstance(each, dict)]


def collect_releases(files: Iterable[Mapping[str, Any]]) -> dict[str, PublishedRelease]:
    """Releases by version, from the files that an index lists.

    Args:
        files: Their ``filename``, ``upload-time`` (PEP 700) and ``yanked`` (PEP 592), where told.

    Returns:
        The date is that of the first file; a release is withdrawn if all of its files are.
    """
    found: dict[str, list[tuple[str, bool]]] = {}
    for file in files:
        if version := _parse_version(str(file.get("filename", ""))):
            time = str(file.get("upload-time") or "")
            found.setdefault(version, []).append((_normalise_time(time), bool(file.get("yanked"))))
    return {
        version: PublishedRelease(
            version,
            min((date for date, _ in told if date), default=""),
            all(is_yanked for _, is_yanked in told),
        )
        for version, told in found.items()
    }


def _parse_version(filename: str) -> str:
    try:
        if filename.endswith(".whl"):
            return str(parse_wheel_filename(filename)[1])
        return str(parse_sdist_filename(filename)[1])
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return ""


def _normalise_time(time: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(time)
    except ValueError:
        return ""
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds")


def sort_releases(published: Iterable[PublishedRelease]) -> list[PublishedRelease]:
    """From the oldest version to the newest, without what is no version."""
    found = {}
    for each in published:
        try:
            found[Version(each.version)] = each
        except InvalidVersion:
            continue
    return [found[version] for version in sorted(found)]


def normalise_name(package: str) -> str:
    """The normalised name of a package.

    Raises:
        UserError: If it is no name.
    """
    try:
        return str(canonicalize_name(package, validate=True))
    except InvalidName as error:
        message = (
            f"{package!r} is no package; expected its name alone, such as tenacity; versions go "
            "into --from and --to"
        )
        raise UserError(message) from error


def select_releases(
    package: str,
    releases: Sequence[PublishedRelease],
    first: str | None = None,
    last: str | None = None,
    *,
    pre: bool = False,
) -> list[PublishedRelease]:
    """The releases of a range, both ends included.

    Args:
        package: Their package, for errors.
        releases: What an index returned.
        first: The oldest version; None for the first that there is.
        last: The newest version; None for the last that there is.
        pre: Whether pre-releases belong to it.

    Raises:
        UnknownVersionError: If an end is no release, or nothing lies between the ends.
    """
    ends = [
        _find_end(package, releases, option, text, pre=pre)
        for option, text in (("--from", first), ("--to", last))
    ]
    low, high = ends
    if low and high and low > high:
        message = (
            f"--from {first} is newer than --to {last}; expected the older version first; "
            f"type --from {last} --to {first}"
        )
        raise UnknownVersionError(message)
    found = [
        each
        for each in releases
        if (pre or not Version(each.version).is_prerelease)
        and (low is None or low <= Version(each.version))
        and (high is None or Version(each.version) <= high)
    ]
    if not found:
        message = f"{package} has no final release in this range; add --pre for pre-releases"
        raise UnknownVersionError(message)
    return found


def _find_end(
    package: str, releases: Sequence[PublishedRelease], option: str, text: str | None, *, pre: bool
) -> Version | None:
    if text is None:
        return None
    there = {Version(each.version): each.version for each in releases}
    try:
        version = Version(text)
    except InvalidVersion:
        version = None
    if version not in there:
        shown = [there[each] for each in sorted(there) if pre or not each.is_prerelease]
        near = _find_nearest(shown, version)
        message = f"{option} {text}: {package} has no such release; expected one such as {near}"
        raise UnknownVersionError(message)
    if version.is_prerelease and not pre:
        message = f"{option} {text} is a pre-release; add --pre, or name a final release"
        raise UnknownVersionError(message)
    return version


def _find_nearest(versions: Sequence[str], wanted: Version | None) -> str:
    """The versions around the wanted one; the newest ones where it is no version at all."""
    if wanted is None:
        return ", ".join(versions[-SUGGESTIONS:])
    older = sum(Version(each) < wanted for each in versions)
    start = max(0, min(older - SUGGESTIONS // 2, len(versions) - SUGGESTIONS))
    return ", ".join(versions[start : start + SUGGESTIONS])
