"""The site: what it is made from, what it says where something is missing, what it skips."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.files import results
from resilience_bench.site.build import SiteSources, SiteSummary, make
from tests.factories import make_case, measured_result, sample_result
from tests.load_factories import loaded_result, make_loads
from tests.site.site_factories import (
    BROKEN,
    EVIL,
    make_history,
    make_sources,
    make_tree,
    stored_index,
    write_history,
)

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project that a test stands in."""
    folder = tmp_path / "project"
    (folder / "results").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def made(project: Path) -> tuple[SiteSummary, str]:
    """A site of a project, and its first page."""
    sources = SiteSources(Path("results"), Path("asv.conf.json"))
    found = make(sources, Path("results/site"), lambda _text: None)
    return found, (project / "results" / "site" / "index.html").read_text()


def addresses(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every address in the pages of ours."""
    for page in folder.glob("**/*.html"):
        for text in re.findall(r'(?:href|src)="([^"]*)"', page.read_text()):
            yield page, text


def test_an_empty_project_gets_a_site_that_says_what_to_type(project: Path) -> None:
    """Nothing is there yet: the page says so, part by part, and how to make it."""
    found, page = made(project)
    assert (found.pages, found.skipped) == (1, [])
    for text in (
        "There is no results file yet. Type scripts/bench",
        "There is no check yet. Type scripts/check",
        "Type scripts/history to measure commits",
        "There is no release history yet. Type",
        "The gate has not been proved here yet",
    ):
        assert text in page


def test_the_latest_run_is_the_one_that_started_last(project: Path) -> None:
    """Whatever its name, and whatever the time of the file; the others are listed."""
    for name, started in (
        ("quick", "2026-03-01T00:30:00+01:00"),
        ("run-a", "2026-03-01T00:00:00+00:00"),
        ("threads", "2026-02-28T23:59:00+00:00"),
        ("edited", "yesterday"),
    ):
        result = measured_result({make_case(f"of-{name}"): 1000.0, make_case("b"): 2000.0})
        results.write(replace(result, started=started), Path("results", f"{name}.json"))
    _, page = made(project)
    tables = page.partition('<h2 id="run">')[2].partition('<h2 id="check">')[0]
    assert "of-<wbr" not in tables
    assert "of-run-a" in tables
    assert "of-quick" not in tables
    rows = re.findall(r"<td class=\"name\">.*?([\w-]+)\.<wbr>json", page)
    assert rows == ["run-a", "threads", "quick", "edited"]
    pages = sorted(path.name for path in Path("results/site/runs").iterdir())
    assert pages == ["edited.html", "quick.html", "run-a.html", "threads.html"]


def test_the_first_page_shows_the_latest_run_of_the_whole_suite(project: Path) -> None:
    """A later run of some cases, an interrupted one and one of a small suite are only listed."""
    cases = {make_case(f"library-{number}"): 1000.0 + number for number in range(6)}
    whole = replace(measured_result(cases), selectors=())
    others = {
        "older": replace(whole, started="2026-02-28T00:00:00+00:00"),
        "whole": replace(whole, started="2026-03-01T00:00:00+00:00"),
        "some": replace(whole, started="2026-03-02T00:00:00+00:00", selectors=("breaker.*",)),
        "interrupted": replace(whole, started="2026-03-03T00:00:00+00:00", complete=False),
        "run-tiny": replace(
            measured_result(dict(list(cases.items())[:2])),
            started="2026-03-04T00:00:00+00:00",
            selectors=(),
        ),
    }
    for name, result in others.items():
        results.write(result, Path("results", f"{name}.json"))
    _, page = made(project)
    assert "Latest run of the whole suite" in page
    assert "data/whole.json" in page
    rows = re.findall(r"<td class=\"name\">.*?([\w-]+)\.<wbr>json", page)
    assert rows == ["run-tiny", "interrupted", "some", "whole", "older"]
    assert re.findall(">(all|some) cases<", page) == ["all", "all", "some", "all", "all"]
    assert not Path("results/site/runs/run-tiny.html").exists()


def test_a_run_of_real_calls_does_not_displace_the_suite(project: Path) -> None:
    """However many cases it has: its shares stand above, and the whole suite's tables below."""
    whole = replace(measured_result({make_case("a"): 1000.0}), selectors=())
    results.write(whole, Path("results/quick.json"))
    cases = [make_case(f"library-{number}", payload="sqlite") for number in range(9)]
    loads = [make_loads(case, (9_000.0,) * 3, (10_000.0,) * 3) for case in cases]
    real = loaded_result(loads, cases, selectors=(), profile="real", signals=("share",))
    later = replace(real, started="2026-12-01T00:00:00+00:00")
    for profile in ("real", "concurrency"):
        results.write(replace(later, profile=profile), Path("results", f"{profile}.json"))
    _, page = made(project)
    assert "data/quick.json" in page
    assert "data/real.json" not in page
    shares = page.partition('<h2 id="real">')[2].partition('<h2 id="run">')[0]
    assert "what resilience adds to a real call" in shares
    assert 'href="runs/real.html"' in shares
    assert shares.count("11.1 %") == len(cases)


def test_without_a_run_of_the_whole_suite_the_latest_run_is_shown(project: Path) -> None:
    """The page says that it shows some cases only."""
    some = replace(sample_result(), selectors=("breaker.*",))
    results.write(some, Path("results/some.json"))
    _, page = made(project)
    assert "data/some.json" in page
    assert "No complete run of the whole suite yet" in page
    assert "Latest run of the whole suite" not in page


def test_runs_that_nobody_kept_have_no_page(project: Path) -> None:
    """There may be hundreds of them; only the latest one is drawn."""
    for day in (1, 2, 3):
        result = replace(sample_result(), started=f"2026-03-0{day}T00:00:00+00:00")
        results.write(result, Path("results", f"run-{day}.json"))
    _, page = made(project)
    assert [path.name for path in Path("results/site/runs").iterdir()] == ["run-3.html"]
    assert "run-<wbr>1" in page or "run-1" in page


def test_files_that_cannot_be_read_are_named_counted_and_kept(
    project: Path, capsys: Captured
) -> None:
    """On the page and on the terminal; the site is made from the others."""
    make_tree(project / "tree", 3, 5)
    for each in (project / "tree").iterdir():
        each.rename(project / "moved") if each.name == "results" else each.rename(
            project / each.name
        )
    (project / "moved" / "asv").rename(project / "results" / "asv")
    results.write(sample_result(), Path("results/quick.json"))
    asvs = sorted((project / "results" / "asv" / "made-up").glob("*-existing.json"))
    broken = [
        project / "results" / "run-cut.json",
        project / "results" / "gate-proof.json",
        project / "results" / "releases" / "tenacity" / "releases.json",
        asvs[0],
    ]
    for path in broken:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BROKEN)
    assert main.main(["site"]) == 0
    captured = capsys.readouterr()
    page = (project / "results" / "site" / "index.html").read_text()
    assert "4 files could not be read" in page
    assert "4 files could not be read and stayed where they are" in captured.err
    for path in broken:
        assert path.read_text() == BROKEN
        assert str(path.relative_to(project)) in page
        assert f"skipped {path.relative_to(project)}" in captured.err.replace(f"{project}/", "")
    assert str(project) not in page
    assert "History of 2 commits" in page
    assert "quick.<wbr>json" in page
    reported = json.loads((project / "results" / "site" / "site.json").read_text())
    assert len(reported["skipped"]) == 4


def test_other_files_of_ours_are_no_loss(project: Path) -> None:
    """A baseline or a proof among the results is known for what it is."""
    Path("results/baseline.json").write_text('{"schema": 1, "ranges": {}}')
    Path("results/proof-2.json").write_text('{"schema": 1, "rates": []}')
    found, _ = made(project)
    assert found.skipped == []


def test_the_last_check_is_judged(project: Path) -> None:
    """By budgets, where there is no baseline of its environment; the sum is on top."""
    Path("baselines").mkdir()
    Path("baselines/budgets.toml").write_text(
        '[[budget]]\ncases = "breaker.closed_success[pybreaker]"\noverhead_ns = 100\nreason = "r"\n'
    )
    check = replace(sample_result(), profile="check")
    results.write(check, Path("results/check-1.json"))
    _, page = made(project)
    assert "REGRESSED" in page
    assert "1 case judged: 1 regressed" in page
    assert "budgets alone are judged, for there is no baseline of this environment" in page
    assert "There is no results file yet" in page  # a check is no run
    assert str(project) not in page


def test_a_check_that_cannot_be_judged_says_why(project: Path) -> None:
    """For instance where neither a baseline nor budgets are."""
    Path("baselines").mkdir()
    check = replace(sample_result(), profile="check")
    results.write(check, Path("results/check-1.json"))
    _, page = made(project)
    assert "The last check, results/check-1.json, could not be judged" in page


def test_every_address_is_relative_and_leads_somewhere(tmp_path: Path) -> None:
    """So the site works below any path, from any file server, without a network."""
    make_sources(tmp_path / "it")
    folder = tmp_path / "site"
    sources = SiteSources(tmp_path / "it" / "results", tmp_path / "it" / "asv.conf.json")
    found = make(sources, folder, lambda _text: None)
    assert found.pages == 7
    checked = 0
    for page, address in addresses(folder):
        path = address.partition("#")[0]
        if path.startswith("data:") or not path:
            continue
        assert not path.startswith(("/", "http:", "https:")), (page, address)
        assert (page.parent / path).exists(), (page, address)
        checked += 1
    assert checked > 20
    # What asv's own page needs from elsewhere is gone, its feed is not.
    assert (folder / "history" / "regressions.xml").exists()
    assert not list((folder / "history").glob("*.js"))


def test_names_are_escaped_everywhere(tmp_path: Path) -> None:
    """A case, a reason, a commit or a system that is named like a script stays text."""
    make_sources(tmp_path / "it")
    folder = tmp_path / "site"
    sources = SiteSources(tmp_path / "it" / "results", tmp_path / "it" / "asv.conf.json")
    make(sources, folder, lambda _text: None)
    ours = [path for path in folder.glob("**/*.html") if path.parent.name != "history"]
    assert len(ours) == 5
    for page in ours:
        text = page.read_text()
        assert EVIL not in text, page
        assert "<script" not in text, page
        assert "default-src 'none'" in text
    assert "&lt;script&gt;" in (folder / "index.html").read_text()


def test_asvs_data_is_shown_rightly(tmp_path: Path) -> None:
    """The page receives that more is worse, short units, and what commits were about."""
    make_sources(tmp_path / "it")
    folder = tmp_path / "site"
    sources = SiteSources(tmp_path / "it" / "results", tmp_path / "it" / "asv.conf.json")
    make(sources, folder, lambda _text: None)
    for place in ("history", "releases/tenacity/history"):
        stored = stored_index(folder / place)
        assert all(each["less_is_better"] for each in stored["benchmarks"].values())
        assert {each["unit"] for each in stored["benchmarks"].values()} <= {"×", "seconds", "unit"}
        messages = json.loads((folder / place / "commits.json").read_text())["by_hash"]
        assert set(messages) >= set(stored["revision_to_hash"].values()) & set(messages)
        assert len(messages) == len(stored["revision_to_hash"])


def test_a_release_history_without_asvs_data_keeps_its_page(project: Path) -> None:
    """The table is worth having also where the curves are missing."""
    folder = project / "results" / "releases" / "tenacity"
    write_history(make_history(), folder)
    (folder / "asv" / "benchmarks.json").write_text(BROKEN)
    found, page = made(project)
    assert [path.name for path, _ in found.skipped] == ["asv"]
    assert "releases/tenacity/index.html" in page
    text = (project / "results/site/releases/tenacity/index.html").read_text()
    assert "There are no curves" in text
    assert "8.3.0" in text
    assert not (project / "results/site/releases/tenacity/history").exists()


def test_a_commit_that_does_not_build_is_marked(project: Path) -> None:
    """On the first page, and where the curves name their commits."""
    make_tree(project / "tree", 3, 5)
    files = sorted((project / "tree" / "results" / "asv" / "made-up").glob("*-existing.json"))
    stored = json.loads(files[0].read_text())
    for row in stored["results"].values():
        row[0] = None
    files[0].write_text(json.dumps(stored))
    folder = project / "results" / "site"
    sources = SiteSources(project / "tree" / "results", project / "tree" / "asv.conf.json")
    make(sources, folder, lambda _text: None)
    page = (folder / "index.html").read_text()
    assert "1 commit does not build" in page
    assert stored["commit_hash"][:10] in page
    messages = json.loads((folder / "history" / "commits.json").read_text())["by_hash"]
    assert [each for each, text in messages.items() if text.startswith("DOES NOT BUILD")] == [
        stored["commit_hash"]
    ]


def test_without_asvs_results_the_site_says_so(project: Path) -> None:
    """A configuration alone is no history yet."""
    make_tree(project / "tree", 1, 1)
    (project / "tree" / "asv.conf.json").rename(project / "asv.conf.json")
    found, page = made(project)
    assert found.pages == 1
    assert "There is no history of commits" in page
    assert str(project) not in page
    assert not (project / "results/site/history").exists()
