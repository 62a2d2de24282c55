"""What a project can do with the wheel: everything but history without extras, the rest with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from resilience_bench.cli.init import FILES
from tests.conftest import ROOT
from tests.installed.conftest import SCENARIO, UV, Installation, execute, install

MEMORY = ("--signals", "allocations")
"""What is judged does not depend on how busy the machine is."""
SEEDS = {"my-guard", "pip", "setuptools", "wheel"}
UNWANTED = ("asv", "psutil", "pybreaker", "pyperf", "pytest", "tenacity", "prometheus-client")


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    """What a command printed, which has to succeed."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def prepare(installed: Installation) -> Installation:
    """Let the project measure its own guard, once."""
    if not (installed.project / "benchmarks").exists():
        written = succeed(installed.bench("init"))
        assert all(name in written for name in FILES)
        assert "3 of 3 cases are available" in succeed(installed.bench("list"))
        (installed.project / "benchmarks" / "guard.py").write_text(SCENARIO)
        succeed(
            installed.bench("run", "--signals", "latency,allocations", "-o", "results/first.json")
        )
    return installed


@pytest.fixture
def project(base: Installation) -> Installation:
    """A project that measures its guard with the wheel alone."""
    return prepare(base)


def test_the_base_brings_no_more_than_it_needs(base: Installation) -> None:
    """Nothing that only history, peers or tests need is installed with the wheel."""
    installed = base.list_distributions()
    assert not set(UNWANTED) & installed
    assert len(installed - SEEDS) <= 24, sorted(installed)


def test_a_project_is_measured_and_shown(project: Installation) -> None:
    """List, show, plot, report and export work without extras, and write what they say."""
    assert "1 of 1 case is available" in succeed(project.bench("list"))
    file = "results/first.json"
    assert "guard.success" in succeed(project.bench("show", file))
    shown = json.loads(succeed(project.bench("show", file, "--format", "json")))
    assert [case["status"] for case in shown["cases"]] == ["measured"]
    succeed(project.bench("plot", file, "-o", "pictures"))
    assert list((project.project / "pictures").glob("*.svg"))
    succeed(project.bench("report", file, "-o", "report.html"))
    assert "Our guard lets a call through." in (project.project / "report.html").read_text()
    succeed(project.bench("export", file, "--format", "pyperf", "-o", "pyperf.json"))
    assert json.loads((project.project / "pyperf.json").read_text())["benchmarks"]
    succeed(project.bench("export", file, "--format", "openmetrics", "-o", "run.prom"))
    assert "resilience_bench_latency_seconds{" in (project.project / "run.prom").read_text()


def test_a_project_is_gated(project: Installation) -> None:
    """A baseline is learned beside the suite, and the same code lies within it."""
    succeed(project.bench("baseline", "learn", "--runs", "2", *MEMORY))
    assert list((project.project / "baselines").glob("*.json"))
    for source in ((), ("--result", "results/first.json")):
        judged = succeed(project.bench("check", *source, *MEMORY))
        assert "1 case judged: 0 regressed" in judged


def test_two_revisions_of_a_project_are_compared(project: Installation) -> None:
    """The package at the top of the repository is what differs; the one that keeps memory fails."""
    done = project.bench("compare", "git:HEAD~1", "git:HEAD", *MEMORY)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 regressed" in done.stdout


@pytest.mark.parametrize("arguments", [("history",), ("releases", "packaging")])
def test_what_needs_an_extra_says_which(arguments: tuple[str, ...], project: Installation) -> None:
    """One line names the extra to install, and nothing was done."""
    done = project.bench(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"resilience-bench: {arguments[0]} needs ")
    assert "type: pip install 'resilience-bench[history]'" in done.stderr


def test_the_site_is_made_without_the_history(project: Installation) -> None:
    """Runs are shown; the first page says what the history of commits needs."""
    (project.project / "asv.conf.json").write_text((ROOT / "asv.conf.json").read_text())
    succeed(project.bench("site"))
    page = (project.project / "results" / "site" / "index.html").read_text()
    assert "resilience-bench[history]" in page


@pytest.mark.parametrize(
    ("extra", "program"),
    [
        ("history", ("-m", "asv", "--version")),
        ("peers", ("-c", "import pybreaker, tenacity, prometheus_client")),
        (
            "dev",
            (
                "-m",
                "pytest",
                "benchmarks",
                "-q",
                "--benchmark-disable",
                "-o",
                "scenario_files=benchmarks/*.py",
            ),
        ),
    ],
)
def test_each_extra_adds_what_it_is_for(
    extra: str, program: tuple[str, ...], make_installation: Callable[[str], Installation]
) -> None:
    """With an extra the project is measured as before, and what the extra is for works."""
    installed = prepare(make_installation(f"[{extra}]"))
    assert "guard.success" in succeed(installed.bench("show", "results/first.json"))
    succeed(execute(installed.python, *program, cwd=installed.project))
    done = installed.bench("history")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert ("pip install" in done.stderr) == (extra != "history")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with what is installed from one."""
    folder = tmp_path_factory.mktemp("clone")
    names = ("pyproject.toml", "README.md", "LICENSE", "src")
    for name in names:
        succeed(execute("cp", "-r", ROOT / name, folder, cwd=folder))
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "all")):
        succeed(execute("git", *identity, *arguments, cwd=folder))
    return folder


def test_pip_installs_from_a_git_url(clone: Path, tmp_path: Path) -> None:
    """``pip install git+URL`` builds the tool from its sources."""
    install(UV, "venv", "-q", "--seed", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    install(python, "-m", "pip", "install", "-q", "--no-deps", f"git+file://{clone}", cwd=tmp_path)
    done = execute(python, "-m", "pip", "show", "resilience-bench", cwd=tmp_path)
    assert "Name: resilience-bench" in succeed(done)


def test_uvx_runs_it_without_installing(clone: Path, tmp_path: Path) -> None:
    """``uvx --from git+URL resilience-bench`` works where nothing is installed."""
    command = (UV, "tool", "run", "-q", "--from", f"git+file://{clone}", "resilience-bench")
    install(*command, "--version", cwd=tmp_path)
    succeed(execute(*command, "init", cwd=tmp_path))
    assert "3 of 3 cases are available" in succeed(execute(*command, "list", cwd=tmp_path))
