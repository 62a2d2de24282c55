"""``pytest --resilience-compare``: the gate for a suite of benchmarks, end to end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.wheels import write_project

WORK = """
def work(n):
    return [object() for _ in range(n)]
"""
SLOWER = WORK.replace("range(n)", "range(3 * n)")
"""Three times the work, which is counted and not timed."""
SUITE = """
import pytest
from work import work

class TestWork:
    @pytest.mark.parametrize("n", [50, 100])
    def test_sizes(self, benchmark, n):
        assert len(benchmark(work, n)) in {n, 3 * n}

@pytest.fixture
def size():
    return 70

@pytest.mark.benchmark(group="own")
def test_pedantic(benchmark, size):
    benchmark.pedantic(work, setup=lambda: ((size,), {}), rounds=5)

def test_plain():
    assert work(1)
"""
OWN = """
import pytest
from work import work

def test_fixture(resilience_benchmark):
    assert resilience_benchmark(work, 60)

@pytest.mark.resilience_benchmark
def test_whole():
    kept.append(work(80))

@pytest.mark.resilience_benchmark(tolerance=400)
def test_allowed(resilience_benchmark):
    resilience_benchmark(work, 60)

@pytest.mark.resilience_benchmark(enabled=False)
def test_left_out(resilience_benchmark):
    resilience_benchmark(work, 60)

kept = []
"""
COUNTED = ("--resilience-signals", "allocations")
OTHERS = ("-p", "no:randomly", "-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:anyio")
"""Plugins that a small suite does not need, each of which takes time in every worker."""


class Project:
    """A project in a git repository, and pytest in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q")

    def git(self, *arguments: str) -> None:
        """Run git as a user without settings."""
        identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
        command = ["git", *identity, *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files into the work tree."""
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")

    def commit(self, files: Mapping[str, str]) -> None:
        """Commit files."""
        self.write(files)
        self.git("add", ".")
        self.git("commit", "-q", "-m", "a commit")

    def compare(
        self, *arguments: str, revision: str = "HEAD", others: tuple[str, ...] = OTHERS
    ) -> subprocess.CompletedProcess[str]:
        """Run pytest with the option, as a user does."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        option = ("--resilience-compare", revision, "--resilience-output", "out")
        return subprocess.run(
            [sys.executable, "-m", "pytest", *others, *option, *arguments],
            cwd=self.folder,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project(tmp_path)


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2 and one line with the words, behind notes of progress."""
    assert done.returncode == 2, done.stdout + done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("resilience-bench: ")]
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in line


def test_a_slower_work_tree_fails(project: Project) -> None:
    """Classes, parameters, fixtures and pedantic benchmarks are judged, under their node IDs."""
    project.commit({"work.py": WORK, "bench/test_work.py": SUITE, "conftest.py": ""})
    project.write({"work.py": SLOWER})
    done = project.compare(*COUNTED)
    assert done.returncode == 1, done.stdout + done.stderr
    for name in ("TestWork::test_sizes[50]", "TestWork::test_sizes[100]", "test_pedantic"):
        assert f"REGRESSED  bench/test_work.py::{name}\n" in done.stdout
    assert "test_plain" not in done.stdout
    assert (project.folder / "out" / "head.json").is_file()
    assert not (project.folder / "bench" / "__pycache__").exists()


def test_an_unchanged_work_tree_passes(project: Project) -> None:
    """The same code on both sides; -k selects as usual."""
    project.commit({"work.py": WORK, "test_work.py": SUITE})
    done = project.compare(*COUNTED, "-k", "sizes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 cases judged: 0 regressed" in done.stdout


def test_times_are_judged_as_compare_does(project: Project) -> None:
    """Latency and instructions of three times the work regress, unless a marker allows it."""
    project.commit({"work.py": WORK, "test_own.py": OWN})
    project.write({"work.py": SLOWER})
    done = project.compare("--resilience-signals", "latency")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "REGRESSED  test_own.py::test_fixture\n" in done.stdout
    assert "REGRESSED  test_own.py::test_allowed\n" not in done.stdout
    assert "test_left_out" not in done.stdout


@pytest.mark.needs("valgrind")
def test_instructions_are_counted(project: Project) -> None:
    """A test's calls are counted under valgrind, in a process of their own."""
    project.commit({"work.py": WORK, "test_work.py": SUITE})
    project.write({"work.py": SLOWER})
    done = project.compare("--resilience-signals", "instructions", "-k", "sizes and 50")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "instructions" in done.stdout


def test_our_own_fixture_and_marker_need_no_other_plugin(project: Project) -> None:
    """Without pytest-benchmark a test may take either fixture, or be measured as a whole."""
    project.commit({"work.py": WORK, "test_own.py": OWN, "test_work.py": SUITE})
    project.write({"work.py": SLOWER})
    done = project.compare(*COUNTED, others=(*OTHERS, "-p", "no:benchmark"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "REGRESSED  test_own.py::test_fixture\n" in done.stdout
    assert "REGRESSED  test_work.py::TestWork::test_sizes[50]\n" in done.stdout
    assert "REGRESSED  test_own.py::test_whole\n" in done.stdout


def test_a_suite_without_benchmarks_is_no_pass(project: Project) -> None:
    """Exit code 2, also if -k leaves none."""
    project.commit({"work.py": WORK, "test_work.py": SUITE})
    assert_refused(project.compare("-k", "plain"), "no benchmark in this suite")


def test_tests_of_one_side_are_listed(project: Project) -> None:
    """They fail nothing; without any other there is nothing to judge."""
    project.commit({"work.py": WORK, "test_work.py": SUITE})
    project.write({"test_new.py": SUITE, "test_work.py": SUITE.replace("test_pedantic", "test_x")})
    done = project.compare(*COUNTED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "only the working tree has test_new.py::TestWork::test_sizes[50]" in done.stdout
    assert "only HEAD has test_work.py::test_pedantic" in done.stdout
    assert_refused(project.compare("test_new.py"), "no benchmark that both sides have")


def test_a_test_that_fails_is_named_and_not_judged(project: Project) -> None:
    """As a case that is broken: not measured, exit code 3 with --resilience-strict, else 0."""
    project.commit({"work.py": WORK, "test_work.py": SUITE})
    broken = SUITE.replace("in {n, 3 * n}", "in {50, 7}")
    project.write({"test_work.py": broken})
    done = project.compare(*COUNTED, "--resilience-strict")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "the test failed: " in done.stdout
    assert "test_work.py::TestWork::test_sizes[100]" in done.stdout


@pytest.mark.parametrize("side", ["HEAD", "the working tree"])
def test_a_side_that_does_not_import_is_refused(project: Project, side: str) -> None:
    """One line with the file and the error, whichever side it is."""
    good, bad = {"work.py": WORK}, {"work.py": "import not_there\n" + WORK}
    project.commit({**(bad if side == "HEAD" else good), "test_work.py": SUITE})
    project.write(good if side == "HEAD" else bad)
    assert_refused(project.compare(), f"{side}: test_work.py", "not_there")


def test_what_cannot_be_together_is_refused(project: Project) -> None:
    """An unknown revision, processes of pytest-xdist, a misspelt marker: one line each."""
    project.commit({"work.py": WORK, "test_own.py": OWN})
    assert_refused(project.compare(revision="origin/nowhere"), "no revision 'origin/nowhere'")
    assert_refused(project.compare("-n", "2", others=("-p", "no:randomly")), "-n 2", "'-n 0'")
    project.write({"test_own.py": OWN.replace("tolerance=400", "tolerence=400")})
    assert_refused(project.compare(), "tolerence=400", "correct the marker")


def test_the_project_is_installed_on_both_sides(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests import is what each side's own sources build."""
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    write_project(project.folder, "work", "1", WORK)
    project.commit({"tests/test_work.py": SUITE})
    project.write({"content.txt": SLOWER})
    done = project.compare(*COUNTED, "tests", "-k", "sizes")
    assert done.returncode == 1, done.stdout + done.stderr
