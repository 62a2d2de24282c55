"""The scripts set up what they need, once, and pass arguments on."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.lib import cost_tables

ROOT = Path(__file__).resolve().parents[1]


def call(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout."""
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def test_bench_measures_without_setting_up_again(tmp_path: Path) -> None:
    """With .venv in place, scripts/bench goes straight to measuring and passes arguments on."""
    output = tmp_path / "out.json"
    done = call("scripts/bench", "control.call", "-o", str(output))
    assert done.returncode == 0, done.stderr
    assert "setting up" not in done.stderr
    assert "control.call" in done.stdout
    assert output.exists()


def test_costs_of_the_stack_are_reported_of_a_run_that_has_some_of_them(tmp_path: Path) -> None:
    """A case that was measured has its figures beside others and the target, others say so."""
    output = tmp_path / "costs.txt"
    done = call("scripts/stack-costs", "--from", "results/quick.json", "-o", str(output))
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in output.read_text().splitlines() if line}
    guarded = lines["composed.guarded"].split()
    assert float(guarded[1]) > 0
    assert "pyresilience" in guarded
    assert "us: m" in lines["composed.guarded_failing"]
    assert "not measured" in lines["health.probe"]


def test_pages_about_the_stack_have_the_costs_that_were_measured() -> None:
    """The tables are those of results/stack-costs.txt, and a page with another figure is not."""
    measured = (ROOT / "results/stack-costs.txt").read_text()
    filled = 0
    for page in sorted((ROOT / "docs/stack").glob("*.md")):
        text = page.read_text()
        assert cost_tables.fill(text, measured) == text, f"{page.name}: type scripts/stack-costs"
        filled += "<!-- costs" in text
    assert filled == 9
    other = measured.replace("composed.guarded   ", "composed.guarded  9", 1)
    retry = (ROOT / "docs/stack/retry.md").read_text()
    assert cost_tables.fill(retry, other) != retry


def test_cost_of_a_scrape_is_measured_for_both_ways(tmp_path: Path) -> None:
    """The file has a row for each kind of scrape, and says whether the targets are met."""
    output = tmp_path / "cost.txt"
    done = call("scripts/scrape-cost", "--guards", "3", "--rounds", "1", "-o", str(output))
    assert done.returncode == 0, done.stderr
    text = output.read_text()
    lines = {
        name.strip(): int(rest.split()[0])
        for name, rest in ((line[:24], line[24:]) for line in text.splitlines())
        if rest.count(".") == 3
    }
    assert lines["nothing changed"] == lines["everything changed"] > 3 * 60
    assert lines["prometheus_client"] > 3 * 70
    assert re.search(r"\nback to back, asyncio( +[0-9]+\.[0-9]{2}){5}\n", text)
    assert "at most 50 ms a scrape: m" in text
    assert "p99 of calls during scrapes at most 1.2 x: m" in text


def test_lock_has_exact_versions_and_no_address() -> None:
    """Every line of the lock file pins one version; nothing in it says where packages come from."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = re.compile(r"[a-z0-9-]+==([0-9]+!)?[0-9][\w.]*( ; .+)?")
    assert lines
    assert all(pinned.fullmatch(line) for line in lines)


def test_lock_holds_everything_that_pyproject_asks_for() -> None:
    """No dependency, of any extra, is missing from the lock file."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *itertools.chain.from_iterable(extras)]
    names = {re.split(r"[<>=~! \[]", each)[0] for each in wanted}
    locked = {
        line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()
    }
    assert names <= locked


@pytest.mark.parametrize(
    "script", sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file())
)
def test_script_is_executable_and_says_what_it_does(script: str) -> None:
    """Each script starts with bash's strict mode below a comment that explains it."""
    path = ROOT / "scripts" / script
    assert os.access(path, os.X_OK)
    text = path.read_text()
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "set -euo pipefail" in text
    assert call("bash", "-n", str(path)).returncode == 0


def test_without_a_new_enough_python_setup_says_so(tmp_path: Path) -> None:
    """On a machine without Python 3.11 the first command says what is missing."""
    (tmp_path / "scripts" / "lib").mkdir(parents=True)
    for name in ("scripts/bench", "scripts/lib/setup.sh", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("cat", "dirname"):
        (tools / tool).symlink_to(
            f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else f"/usr/bin/{tool}"
        )
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", "scripts/bench"],
        cwd=tmp_path,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "no Python of 3.11 or newer" in done.stderr


def test_ctrl_c_while_setting_up_says_that_nothing_was_measured(tmp_path: Path) -> None:
    """The script ends with exit code 130 and one line, instead of in silence."""
    shutil.copytree(ROOT / "scripts" / "lib", tmp_path / "scripts" / "lib")
    for name in ("scripts/bench", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("stack/pyproject.toml", "demo/requirements.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || kill -INT $PPID\n')
    python.chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", "scripts/bench"],
        cwd=tmp_path,
        env={"PATH": f"{python.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr.endswith("interrupted while setting up; nothing was measured yet\n")


def test_shares_are_checked_against_known_truths(tmp_path: Path) -> None:
    """A row for each truth, and for what was covered; what is kept there already stays."""
    output = tmp_path / "share.txt"
    output.write_text("before\n")
    few = ("--runs", "2", "--workers", "2", "--neighbours", "0", "--payload", "file")
    done = call("scripts/share", *few, "-o", str(output))
    assert done.returncode == 0, done.stderr
    text = output.read_text()
    assert text.startswith("before\n\n")
    rows = [line for line in text.splitlines() if line.startswith("share_cases.")]
    assert [row.split("[")[0].partition(".")[2] for row in rows] == ["empty", "touched", "planted"]
    assert all(row.count(" %") + row.count("%") >= 4 for row in rows)
    assert rows[0].split()[1] == "0.00"


def test_shares_of_several_runs_are_compared(tmp_path: Path) -> None:
    """Each case that was measured in all runs, and how many vary little."""
    output = tmp_path / "share.txt"
    kept = tmp_path / "runs.jsonl"
    few = ("--neighbours", "0", "--profile", "quick", "--keep", str(kept), "-o", str(output))
    done = call("scripts/share-repeats", "control.call[sqlite]", *few, "--runs", "2")
    assert done.returncode == 0, done.stderr
    rows = {line.split("  ")[0]: line.split()[-5] for line in output.read_text().splitlines()[3:5]}
    assert rows == {"all bare calls, one caller": "1", "control.call[sqlite]": "1"}
    assert "of 1 cases vary by at most 1 point" in done.stdout
    runs = kept.read_text()
    assert len(runs.splitlines()) == 2
    again = call("scripts/share-repeats", "control.call[sqlite]", *few, "--runs", "2")
    assert again.stdout == done.stdout
    assert kept.read_text() == runs
    other = call("scripts/share-repeats", "control.call[file]", *few, "--runs", "2")
    assert other.returncode == 2
    assert "runs.jsonl: holds runs of other cases" in other.stderr
