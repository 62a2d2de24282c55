"""Which releases there are: what an index says, and what a range means."""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pypi_simple import DistributionPackage, ProjectPage

from resilience_bench.cli import main
from resilience_bench.errors import UserError
from resilience_bench.releases import index
from resilience_bench.releases.index import (
    PublishedRelease,
    collect_releases,
    list_releases,
    normalise_name,
    select_releases,
)

RELEASES = [
    PublishedRelease(version) for version in ("1.0", "1.1", "1.2rc1", "1.2", "1.10", "2.0b1")
]


def make_file(version: str, time: str | None = None, **more: Any) -> dict[str, Any]:
    """A wheel as an index lists it (PEP 691)."""
    name = f"thing-{version}-py3-none-any.whl"
    return {"filename": name, "upload-time": time, "url": name, "hashes": {}, **more}


def read_files(*files: Mapping[str, Any]) -> list[DistributionPackage]:
    """Files as the library reads them from an index."""
    page = {"name": "thing", "meta": {"api-version": "1.1"}, "files": list(files)}
    return ProjectPage.from_json_data(page).packages


@pytest.fixture
def set_pip(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, str], None]:
    """Sets what 'pip config list' prints, its exit code and its errors."""

    def set_answer(settings: str, exit_code: int = 0, errors: str = "") -> None:
        monkeypatch.setattr(
            index.subprocess,
            "run",
            lambda command, **_: subprocess.CompletedProcess(command, exit_code, settings, errors),
        )

    return set_answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of an index that knows the package 'thing', and answers HTML."""
    (tmp_path / "www" / "thing").mkdir(parents=True)
    (tmp_path / "www" / "thing" / "index.html").write_text(
        "<a href='a'>thing-1.10.tar.gz</a><a href='b'>thing-1.9rc1.tar.gz</a>"
        "<a href='c' data-yanked='broken'>thing-1.9.tar.gz</a><a href='d'>odd.txt</a>"
    )

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = functools.partial(Handler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def test_releases_come_from_the_index_that_pip_is_configured_with(
    set_pip: Callable[..., None], server: str
) -> None:
    """Oldest first, without files of other names; a variable overrides pip's file."""
    set_pip(f"global.index-url='http://127.0.0.1:9'\n:env:.index-url='{server}'\n")
    assert list_releases("thing") == [
        PublishedRelease("1.9rc1"),
        PublishedRelease("1.9", is_yanked=True),
        PublishedRelease("1.10"),
    ]


def test_folders_and_further_indexes_count_too(
    set_pip: Callable[..., None], server: str, tmp_path: Path
) -> None:
    """A folder of wheels, an index in a folder, and one that does not answer, beside the first."""
    wheels, local = tmp_path / "wheels", tmp_path / "local" / "thing"
    wheels.mkdir()
    local.mkdir(parents=True)
    for name in ("thing-3.0-py3-none-any.whl", "other-4.0-py3-none-any.whl", "readme-first.txt"):
        (wheels / name).touch()
    (local / "index.html").write_text("<a href='a'>thing-2.0.tar.gz</a>")
    further = f"http://127.0.0.1:9 {local.parent.as_uri()}"
    set_pip(
        f"global.index-url='{server}'\nglobal.find-links='{wheels}'\n"
        f"global.extra-index-url='{further}'\n"
    )
    found = [release.version for release in list_releases("thing")]
    assert found == ["1.9rc1", "1.9", "1.10", "2.0", "3.0"]
    set_pip(f":env:.no-index='1'\nglobal.index-url='{server}'\nglobal.find-links='{wheels}'\n")
    assert [release.version for release in list_releases("thing")] == ["3.0"]


def test_an_unknown_package_and_a_dead_index_are_refused_in_one_line(
    set_pip: Callable[..., None], server: str
) -> None:
    """The line says what failed and what to type, and shows no password."""
    set_pip(f"global.index-url='{server}'\n")
    with pytest.raises(UserError, match=r"^nothing: no releases found: no index.*type 'pip index"):
        list_releases("nothing")
    set_pip("global.index-url='http://me:secret@127.0.0.1:9/simple'\n")
    with pytest.raises(UserError, match=r"^thing: .*: 127.0.0.1: ConnectionError; ") as caught:
        list_releases("thing")
    assert "secret" not in str(caught.value)


def test_an_interpreter_without_pip_is_refused(set_pip: Callable[..., None]) -> None:
    """Its configuration cannot be read; the line says what to type."""
    set_pip("", 1, "No module named pip\n")
    with pytest.raises(UserError, match=r"configuration cannot be read: No module named pip; type"):
        list_releases("thing")


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what to install, and the exit code is 2."""
    monkeypatch.setitem(sys.modules, "pypi_simple", None)
    assert main.main(["releases", "tenacity", "benchmarks"]) == 2
    error = capsys.readouterr().err
    assert "needs pypi_simple, which is not installed; type: pip install" in error
    assert "'resilience-bench[history]'" in error


def test_a_release_is_dated_by_its_first_file_and_withdrawn_with_its_last() -> None:
    """Wheels and sdists count alike; files that belong to no release are left out."""
    files = read_files(
        make_file("1.0", "2024-01-02T10:00:00Z", yanked="broken"),
        make_file("1.0", "2024-01-01T12:00:00+02:00", filename="thing-1.0.tar.gz"),
        make_file("1.1", None, yanked=True),
        make_file("1.2", "2024-01-01T10:00:00Z", filename="thing-1.2.win32.exe"),
        make_file("odd", filename="thing-odd.tar.gz"),
    )
    assert collect_releases(files) == [
        PublishedRelease("1.0", "2024-01-01T10:00:00+00:00", is_yanked=False),
        PublishedRelease("1.1", "", is_yanked=True),
    ]


def test_versions_are_ordered_as_versions() -> None:
    """1.10 comes after 1.9."""
    found = collect_releases(read_files(*map(make_file, ("1.10", "1.9", "1.9.post1"))))
    assert [release.version for release in found] == ["1.9", "1.9.post1", "1.10"]


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
    assert [release.version for release in found] == expected


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
    with pytest.raises(UserError, match=said):
        select_releases("thing", RELEASES, first, last)


def test_an_empty_range_is_refused() -> None:
    """A package that has pre-releases only is reported as such."""
    with pytest.raises(UserError, match=r"thing has no final release.*--pre"):
        select_releases("thing", [PublishedRelease("1.0a1")])


def test_a_package_is_named_without_a_version() -> None:
    """Names are normalised; what is no name is refused."""
    assert normalise_name("Prometheus_Client") == "prometheus-client"
    for text in ("tenacity==8.2.3", "", "a b", "../x"):
        with pytest.raises(UserError, match="is no package; expected its name alone"):
            normalise_name(text)
