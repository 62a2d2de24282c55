"""What a requirements file installs, and which releases are newer."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from resilience_bench._model import Estimate
from resilience_bench._verdicts import Judgement, Verdict
from resilience_bench.environments import requirement_files
from resilience_bench.errors import UserError
from resilience_bench.releases import watch_table
from resilience_bench.releases.index import PublishedRelease
from resilience_bench.releases.watch import Watched, collect_pip_settings, find_newer

RELEASES = {
    "thing": ("1.0", "1.1", "2.0", "2.1rc1"),
    "other": ("1.0", "3.0"),
    "idle": ("0.1", "0.2"),
}


def list_releases(package: str) -> list[PublishedRelease]:
    """The releases of an index with three packages; the newest of `idle` is withdrawn."""
    if package not in RELEASES:
        message = f"{package}: no releases found: no index lists it; expected a name; type 'pip'"
        raise UserError(message)
    return [
        PublishedRelease(version, is_yanked=(package, version) == ("idle", "0.2"))
        for version in RELEASES[package]
    ]


def find(folder: Path, text: str) -> dict[str, Watched]:
    """What is found of a requirements file with this text, by name."""
    (folder / "all.txt").write_text(text)
    file = requirement_files.read(folder / "all.txt")
    return {one.name: one for one in find_newer(file, list_releases, {"thing": 2}.get)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "current", "newest"),
    [
        ("thing==1.0", "1.0", "2.0"),
        ("Thing == 1.* # why", "1.1", "2.0"),
        ("thing>=1.0,<2", "1.1", "2.0"),
        ("thing", "2.0", "2.0"),
        ("thing==2.1rc1", "2.1rc1", "2.1rc1"),
        ("thing==1.0 --hash=sha256:01", "1.0", "2.0"),
        ("thing<2\nthing>1.0", "1.1", "2.0"),
        ("idle==0.2", "0.2", "0.2"),
        ("idle", "0.1", "0.1"),
    ],
)
def test_current_is_what_the_file_installs_and_newest_what_there_is(
    tmp_path: Path, line: str, current: str, newest: str
) -> None:
    """Pre-releases and withdrawn ones are not newer, but a pin on one holds."""
    [one] = find(tmp_path, line).values()
    assert (one.current, one.newest) == (current, newest)
    assert one.has_newer == (current != newest)
    assert not one.reason


def test_constraints_bound_what_is_installed_and_are_not_watched_themselves(tmp_path: Path) -> None:
    """What only a file of constraints names is installed by something else, if at all."""
    (tmp_path / "bounds.txt").write_text("thing<2\nother==1.0\n")
    found = find(tmp_path, "-c bounds.txt\nthing\n")
    assert found == {"thing": Watched("thing", "1.1", "2.0", cases=2)}


def test_what_has_no_newer_release_or_does_not_hold_here_is_distinguished(tmp_path: Path) -> None:
    """URLs, unknown packages, impossible versions; lines for another Python are left out."""
    found = find(
        tmp_path,
        "other==1.0\nnowhere==1\nidle>9\nfar @ https://x.example/far-1.tar.gz\n"
        "thing==1.0 ; python_version < '3'\n",
    )
    assert found.keys() == {"other", "nowhere", "idle", "far"}
    assert found["nowhere"].reason == "no releases found: no index lists it"
    assert found["idle"].reason == "no release is within >9"
    assert "URL" in found["far"].reason
    assert found["other"].has_newer
    assert not any(found[name].has_newer for name in ("nowhere", "idle", "far"))


def test_if_no_package_can_be_looked_up_the_first_error_says_so(tmp_path: Path) -> None:
    """Without an index there is nothing to compare: one line, with what to type."""
    with pytest.raises(UserError, match=r"^never: no releases found: .*; type 'pip'$"):
        find(tmp_path, "nowhere==1\nnever==2\n")


def test_pip_looks_where_the_file_says(tmp_path: Path) -> None:
    """In addition to where it looks anyway; folders are found from the file's."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "all.txt").write_text(
        "--no-index\n--find-links wheels\n-f https://x.example/links\n"
        "--index-url=https://x.example/simple\nthing\n"
    )
    file = requirement_files.read(tmp_path / "all.txt")
    assert collect_pip_settings(file, tmp_path, {"PIP_FIND_LINKS": "/old"}) == {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"/old {tmp_path / 'wheels'} https://x.example/links",
        "PIP_INDEX_URL": "https://x.example/simple",
    }
    (tmp_path / "all.txt").write_text("thing==1.0\n")
    assert collect_pip_settings(requirement_files.read(tmp_path / "all.txt"), tmp_path) == {}


def test_the_table_says_what_each_newer_release_changes() -> None:
    """The cases by outcome, the largest change of each way, and why others were not measured."""
    slower, more, faster = (
        Verdict(case, signal, quantity, outcome, 1.0, None, 1.03, Estimate(value, value, value))
        for case, signal, quantity, outcome, value in (
            ("one[thing]", "latency", "ratio", "regressed", 1.5),
            ("two[thing]", "instructions", "instructions", "regressed", 2.5),
            ("three[thing]", "latency", "ratio", "improved", 0.5),
        )
    )
    watched = [
        Watched("thing", "1.0", "2.0", cases=3),
        Watched("broken", "1.0", "2.0", cases=1),
        Watched("idle", "1.0", "2.0"),
        Watched("same", "1.0", "1.0", cases=1),
    ]
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as captured:
        watch_table.render(
            watched,
            {"thing": Judgement("compare", (), (slower, more, faster))},
            {"broken": "it does not install"},
            console,
        )
    rows = {line.split()[0]: line for line in captured.get().splitlines()}
    assert (
        "2 slower (two[thing]: instr 2.500 ×); 1 faster (three[thing]: latency 0.5"
        in (rows["thing"])
    )
    assert "not measured: it does not install" in rows["broken"]
    assert "not measured: no case needs it" in rows["idle"]
    assert "nothing newer" in rows["same"]
