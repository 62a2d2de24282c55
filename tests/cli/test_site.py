"""The command ``site``: what it makes and says, how it serves, what it refuses."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.files import results
from tests.factories import make_case, measured_result

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one run that a test stands in."""
    monkeypatch.chdir(tmp_path)
    result = measured_result({make_case("a"): 1000.0, make_case("b"): 2000.0})
    (tmp_path / "results").mkdir()
    results.write(result, tmp_path / "results" / "quick.json")
    return tmp_path


def failed(capsys: Captured, *arguments: str) -> str:
    """The one line with which a call is refused."""
    assert main.main(["site", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    return captured.err


def test_it_says_where_the_site_is(project: Path, capsys: Captured) -> None:
    """With how many pages it has, and nothing else where nothing was skipped."""
    assert main.main(["site"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "results/site/index.html: 2 pages\n"
    assert "could not be read" not in captured.err
    assert (project / "results" / "site" / "index.html").exists()
    # A second time, over the first one.
    assert main.main(["site", "-o", "elsewhere"]) == 0
    assert main.main(["site", "-o", "elsewhere"]) == 0
    assert (project / "elsewhere" / "index.html").exists()


def test_a_port_that_is_taken_is_exit_code_2(project: Path, capsys: Captured) -> None:
    """It says so before it makes anything, with what to type."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = failed(capsys, "--serve", "--port", str(port))
    assert f"cannot serve on port {port} of 127.0.0.1: it is taken" in text
    assert f"type 'resilience-bench site --serve --port {port + 1}'" in text
    assert not (project / "results" / "site").exists()


def test_a_port_without_serving_is_exit_code_2(project: Path, capsys: Captured) -> None:
    """Nobody should wait for a page that is not served."""
    assert "goes with --serve" in failed(capsys, "--port", "8001")


def test_a_port_that_there_is_not_is_exit_code_2(project: Path, capsys: Captured) -> None:
    """In click's words."""
    assert "70000" in failed(capsys, "--serve", "--port", "70000")


def test_no_folder_of_results_is_exit_code_2(project: Path, capsys: Captured) -> None:
    """A site of nothing helps nobody; in the wrong folder the message says so."""
    text = failed(capsys, "--results", "nowhere")
    assert "nowhere: expected the folder of results, found none" in text
    assert not (project / "results" / "site").exists()


def test_a_folder_with_other_files_is_exit_code_2(project: Path, capsys: Captured) -> None:
    """Its files stay."""
    (project / "mine").mkdir()
    (project / "mine" / "letter.txt").write_text("dear")
    assert "letter.txt" in failed(capsys, "-o", "mine")
    assert (project / "mine" / "letter.txt").exists()


def test_it_is_served_to_this_machine_until_it_is_stopped(project: Path) -> None:
    """On loopback, without a word more than the address; stopping it is no failure."""
    command = [sys.executable, "-m", "resilience_bench", "site", "--serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=project) as serving:
        assert serving.stdout
        assert serving.stdout.readline() == "results/site/index.html: 2 pages\n"
        said = serving.stdout.readline()
        assert said.startswith("serving http://127.0.0.1:")
        address = said.split()[1]
        with urllib.request.urlopen(address) as page:
            assert b"What resilience costs" in page.read()
        with urllib.request.urlopen(f"{address}runs/quick.html") as page:
            assert page.status == 200
        serving.terminate()
        assert serving.wait() == 0


def test_it_says_which_part_it_makes(project: Path, capsys: Captured) -> None:
    """A log has a line for each part, and none with --no-progress or -q."""
    assert project.exists()
    assert main.main(["site"]) == 0
    steps = capsys.readouterr().err.splitlines()
    assert steps[0] == "making the site: reading the results"
    assert "making the site: page of run 1 of 1: quick.json" in steps
    for flag in ("--no-progress", "-q"):
        assert main.main([flag, "site"]) == 0
        assert capsys.readouterr().err == ""
