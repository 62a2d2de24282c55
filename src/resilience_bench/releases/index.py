"""The releases of a package, and when they were published: from the index that pip uses."""

from __future__ import annotations

import ast
import datetime as dt
import html
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from resilience_bench.environments.pip import extract_last_lines
from resilience_bench.errors import UserError

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage, ProjectPage

PIP_SECTIONS: Final = ("global.", "install.", ":env:.")
"""The parts of pip's configuration that installing reads; a later one overrides an earlier one."""
INSTALLABLE: Final = frozenset({"sdist", "wheel"})
TRUE_WORDS: Final = frozenset({"1", "on", "t", "true", "y", "yes"})
TIME_LIMIT_S: Final = 60
SUGGESTIONS: Final = 6


@dataclass(frozen=True, slots=True)
class PublishedRelease:
    """A release: when its first file was uploaded (UTC, ISO 8601), and whether it was withdrawn.

    ``date`` is empty if the index does not give one.
    """

    version: str
    date: str = ""
    is_yanked: bool = False


def list_releases(
    package: str, settings: Mapping[str, str] | None = None
) -> list[PublishedRelease]:
    """Return all releases, pre-releases too, oldest version first; UserError if there are none.

    They come from the indexes and local folders from which this interpreter's pip installs.
    ``settings`` are those of `read_pip_settings`, which takes half a second.
    """
    failures: list[str] = []
    # Releases for other Pythons are listed too: that they do not install is worth knowing.
    found = collect_releases(
        _list_files(package, read_pip_settings() if settings is None else settings, failures)
    )
    if not found:
        reason = "; ".join(failures) or "no index of pip's lists it"
        raise UserError(
            f"{package}: no releases found: {reason}; expected the name of a package of pip's "
            f"index that can be reached; type 'pip index versions {package}'"
        )
    return found


def read_pip_settings() -> dict[str, str]:
    """Return pip's settings by name: its files and PIP_* variables combined."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
    if done.returncode:
        reason = extract_last_lines(done.stderr or "nothing")
        raise UserError(f"pip's configuration cannot be read: {reason}; type '{' '.join(command)}'")
    settings = [line.partition("=") for line in done.stdout.splitlines()]
    return {
        key.removeprefix(section): ast.literal_eval(value)
        for section in PIP_SECTIONS
        for key, _, value in settings
        if key.startswith(section)
    }


def _list_files(
    package: str, settings: Mapping[str, str], failures: list[str]
) -> Iterator[DistributionPackage]:
    """Yield a package's files wherever pip looks; note each place that cannot be read."""
    import pypi_simple  # noqa: PLC0415 - belongs to the extra `history`

    places = [place for place in settings.get("find-links", "").split() if _is_local(place)]
    if settings.get("no-index", "").lower() not in TRUE_WORDS:
        places.append(settings.get("index-url", pypi_simple.PYPI_SIMPLE_ENDPOINT))
        places += settings.get("extra-index-url", "").split()
    for place in dict.fromkeys(places):
        try:
            page = _read_page(place, package, settings)
        except pypi_simple.NoSuchProjectError:
            continue
        except (OSError, ValueError, pypi_simple.UnsupportedRepoVersionError) as error:
            response = getattr(error, "response", None)
            reason = type(error).__name__ if response is None else f"HTTP {response.status_code}"
            # Neither the whole address nor the error's text: both may hold a password.
            failures.append(f"{urlsplit(place).hostname or place}: {reason}")
        else:
            own = (file for file in page.packages if file.project)
            yield from (file for file in own if canonicalize_name(str(file.project)) == package)


def _is_local(place: str) -> bool:
    return urlsplit(place).scheme in {"", "file"}


def _read_page(place: str, package: str, settings: Mapping[str, str]) -> ProjectPage:
    """Read the page of a package in an index, or list a folder as if it were one."""
    import pypi_simple  # noqa: PLC0415 - as above

    if _is_local(place):
        folder = Path(url2pathname(urlsplit(place).path))
        page = folder / package / "index.html"
        links = (f"<a href=''>{html.escape(file.name)}</a>" for file in folder.glob("*-*"))
        content = page.read_text("utf-8") if page.exists() else "".join(links)
        return pypi_simple.ProjectPage.from_html(package, content)
    with pypi_simple.PyPISimple(place) as index:
        index.s.verify = settings.get("cert", True)
        if proxy := settings.get("proxy"):
            index.s.proxies = {"http": proxy, "https": proxy}
        return index.get_project_page(package, timeout=TIME_LIMIT_S)


def collect_releases(files: Iterable[DistributionPackage]) -> list[PublishedRelease]:
    """Return the releases that files belong to, from the oldest version to the newest.

    A release has the date of its first file, and is withdrawn if all of its files are.
    """
    by_version: dict[Version, list[DistributionPackage]] = {}
    for file in files:
        if file.package_type in INSTALLABLE and (version := _parse_version(file.version)):
            by_version.setdefault(version, []).append(file)
    found = []
    for version, members in sorted(by_version.items()):
        times = [file.upload_time.astimezone(dt.UTC) for file in members if file.upload_time]
        date = min(times).isoformat(timespec="seconds") if times else ""
        is_yanked = all(file.is_yanked for file in members)
        found.append(PublishedRelease(str(version), date, is_yanked))
    return found


def _parse_version(text: str | None) -> Version | None:
    try:
        return Version(text or "")
    except InvalidVersion:
        return None


def normalise_name(package: str) -> str:
    """Return the normalised name of a package; UserError if it is no name."""
    try:
        return str(canonicalize_name(package, validate=True))
    except InvalidName as error:
        raise UserError(
            f"{package!r} is no package; expected its name alone, such as tenacity; versions go "
            "into --from and --to"
        ) from error


def select_releases(
    package: str,
    releases: Sequence[PublishedRelease],
    first: str | None = None,
    last: str | None = None,
    *,
    pre: bool = False,
) -> list[PublishedRelease]:
    """Return the releases of a range, both ends included; None for no limit.

    UserError if an end is no release, or nothing lies between the ends.
    """
    low = _find_end(package, releases, "--from", first, pre=pre)
    high = _find_end(package, releases, "--to", last, pre=pre)
    if low and high and low > high:
        raise UserError(
            f"--from {first} is newer than --to {last}; expected the older version first; "
            f"type --from {last} --to {first}"
        )
    found = [
        release
        for release in releases
        if (version := Version(release.version))
        and (pre or not version.is_prerelease)
        and (low is None or low <= version)
        and (high is None or version <= high)
    ]
    if not found:
        raise UserError(f"{package} has no final release in this range; add --pre for pre-releases")
    return found


def _find_end(
    package: str, releases: Sequence[PublishedRelease], option: str, text: str | None, *, pre: bool
) -> Version | None:
    if text is None:
        return None
    known = {Version(release.version): release.version for release in releases}
    version = _parse_version(text)
    if version not in known:
        shown = [key for key in sorted(known) if pre or not key.is_prerelease]
        # Those around the wanted one; the newest if that is no version.
        older = sum(key < version for key in shown) if version else len(shown)
        start = max(0, min(older - SUGGESTIONS // 2, len(shown) - SUGGESTIONS))
        near = ", ".join(known[key] for key in shown[start : start + SUGGESTIONS])
        raise UserError(
            f"{option} {text}: {package} has no such release; expected one such as {near}"
        )
    if version.is_prerelease and not pre:
        raise UserError(f"{option} {text} is a pre-release; add --pre, or name a final release")
    return version
