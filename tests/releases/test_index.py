"""Which releases there are: what an index says, and what a range means."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from resilience_bench.errors import UserError
from resilience_bench.releases import index
from resilience_bench.releases.index import (
    PipIndex,
    PublishedRelease,
    UnknownVersionError,
    collect_releases,
    normalise_name,
    select_releases,
    sort_releases,
)

RELEASES = [PublishedRelease(each) for each in ("1.0", "1.1", "1.2rc1", "1.2", "1.10", "2.0b1")]
SAID = """1 location(s) to search for versions of thing:
* {page}
thing (1.10)
Available versions: 1.10, 1.9, 1.9rc1, odd
"""


def wheel(version: str, time: str | None, **more: Any) -> Mapping[str, Any]:
    """A file of an index."""
    return {"filename": f"thing-{version}-py3-none-any.whl", "upload-time": time, **more}


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, str]]:
    """What pip answers: the first entry of the list that is returned."""
    answers: list[tuple[int, str, str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, *answers[0])

    monkeypatch.setattr(index.subprocess, "run", run)
    return answers


def test_the_index_tells_versions_and_dates(
    pip: list[tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions come from pip, dates from the page that it read; oldest first, rubbish left out."""
    pip.append((0, SAID.format(page="https://index.example/simple/thing/"), ""))
    asked = []

    def files(page: str) -> list[Mapping[str, Any]]:
        asked.append(page)
        return [wheel("1.9", "2024-01-02T03:04:05.6Z"), wheel("9.9", "2025-01-02T03:04:05Z")]

    monkeypatch.setattr(index, "_fetch_files", files)
    assert PipIndex().releases("thing") == [
        PublishedRelease("1.9rc1"),
        PublishedRelease("1.9", "2024-01-02T03:04:05+00:00"),
        PublishedRelease("1.10"),
    ]
    assert asked == ["https://index.example/simple/thing/"]


def test_an_index_that_does_not_answer_leaves_the_dates_out(
    pip: list[tuple[int, str, str]],
) -> None:
    """A page that cannot be read, or a pip that names none, costs the dates and nothing else."""
    for page in ("http://127.0.0.1:9/simple/thing/", "elsewhere"):
        pip[:] = [(0, SAID.format(page=page), "")]
        found = PipIndex().releases("thing")
        assert [(each.version, each.date) for each in found] == [
            ("1.9rc1", ""),
            ("1.9", ""),
            ("1.10", ""),
        ]


def test_an_unknown_package_is_refused_with_what_pip_says(
    pip: list[tuple[int, str, str]],
) -> None:
    """One line that names the package, and what to type."""
    pip.append((1, "", "WARNING: experimental\nERROR: No matching distribution found for thing\n"))
    with pytest.raises(UserError, match=r"^thing: no releases found.*No matching.*pip index"):
        PipIndex().releases("thing")


def test_a_release_is_dated_by_its_first_file_and_withdrawn_with_its_last() -> None:
    """Wheels and sdists count alike; what is no file of a release is left out."""
    files = [
        wheel("1.0", "2024-01-02T10:00:00Z", yanked="broken"),
        {"filename": "thing-1.0.tar.gz", "upload-time": "2024-01-01T10:00:00+00:00"},
        wheel("1.1", None, yanked=True),
        {"filename": "thing-1.2.win32.exe", "upload-time": "2024-01-01T10:00:00Z"},
        {"filename": "thing-1.3.tar.gz", "upload-time": "yesterday"},
        {},
    ]
    assert collect_releases(files) == {
        "1.0": PublishedRelease("1.0", "2024-01-01T10:00:00+00:00", is_yanked=False),
        "1.1": PublishedRelease("1.1", "", is_yanked=True),
        "1.3": PublishedRelease("1.3"),
    }


def test_versions_are_ordered_as_versions() -> None:
    """1.10 comes after 1.9, and what is no version is left out."""
    found = sort_releases(map(PublishedRelease, ("1.10", "dev", "1.9", "1.9.post1")))
    assert [each.version for each in found] == ["1.9", "1.9.post1", "1.10"]


@pytest.mark.parametrize(
    ("first", "last", "pre", "expected"),
    [
        (None, None, False, ["1.0", "1.1", "1.2", "1.10"]),
        (None, None, True, ["1.0", "1.1", "1.2rc1", "1.2", "1.10", "2.0b1"]),
        ("1.1", "1.2", False, ["1.1", "1.2"]),
        ("1.1", "1.2", True, ["1.1", "1.2rc1", "1.2"]),
        ("1.1.0", None, False, ["1.1", "1.2", "1.10"]),
        ("1.10", "1.10", False, ["1.10"]),
    ],
)
def test_a_range_holds_both_of_its_ends(
    first: str | None, last: str | None, expected: list[str], *, pre: bool
) -> None:
    """Pre-releases belong to it only if they are asked for."""
    found = select_releases("thing", RELEASES, first, last, pre=pre)
    assert [each.version for each in found] == expected


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("1.10", "1.1", r"--from 1.10 is newer than --to 1.1; .*type --from 1.1 --to 1.10"),
        ("1.3", None, r"--from 1.3: thing has no such release; expected one such as .*1.2, 1.10"),
        (None, "new", r"--to new: thing has no such release; expected one such as"),
        ("1.2rc1", None, r"--from 1.2rc1 is a pre-release; add --pre"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(
    first: str | None, last: str | None, said: str
) -> None:
    """Turned round, or with an end that is no release: one line with what to type."""
    with pytest.raises(UnknownVersionError, match=said):
        select_releases("thing", RELEASES, first, last)


def test_an_empty_range_is_refused() -> None:
    """A package that has pre-releases only is told so."""
    with pytest.raises(UnknownVersionError, match=r"thing has no final release.*--pre"):
        select_releases("thing", [PublishedRelease("1.0a1")])


def test_a_package_is_named_without_a_version() -> None:
    """Names are normalised; what is no name is refused."""
    assert normalise_name("Prometheus_Client") == "prometheus-client"
    for text in ("tenacity==8.2.3", "", "a b", "../x"):
        with pytest.raises(UserError, match="is no package; expected its name alone"):
            normalise_name(text)
