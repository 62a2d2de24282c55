"""Everything that a site is made from: small, made up, and with names that want to do harm."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from resilience_bench._model import Estimate, Result
from resilience_bench.files import results
from resilience_bench.releases import asv_results, history_file
from resilience_bench.releases.history_file import CaseCost, Decision, History, Release
from tests.factories import make_case, make_environment, make_record, sample_result
from tests.load_factories import make_load_record, make_loads

ROOT = Path(__file__).resolve().parents[2]
EVIL = "<script>alert(1)</script>"
"""A name that must be read, and never be run."""
BROKEN = '{"schema": 1, "cas'
COMMITS = 12
CASES = 25


def make_tree(folder: Path, commits: int = COMMITS, cases: int = CASES) -> str:
    """Make a repository with asv's results in it; the commit that made something slower."""
    script = ROOT / "scripts" / "lib" / "asv_tree.py"
    command = [sys.executable, script, folder, "--commits", str(commits), "--cases", str(cases)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def evil_result(**more: Any) -> Result:
    """A result with every status, a load, and names that want to do harm."""
    result = sample_result()
    loaded = make_case("pybreaker", load="threads-8", payload="io")
    cases = [case for case in result.cases if not case.case.is_loaded]
    kept = {each.case.name for each in cases}
    workers = tuple(
        replace(
            worker,
            operations={name: each for name, each in worker.operations.items() if name in kept},
        )
        for worker in result.workers
    )
    evil = make_record(make_case(EVIL, "breaker.closed_success"), "failed", f"said {EVIL}")
    parts: dict[str, Any] = {
        "signals": ("latency", "scaling"),
        "cases": (*cases, evil, make_load_record(loaded)),
        "workers": workers,
        "loads": tuple(
            make_loads(loaded, [900.0 + index] * 6, [10_000.0] * 6, index=index)
            for index in range(6)
        ),
        "environment": make_environment(os=f"Linux {EVIL}"),
    }
    return replace(result, **{**parts, **more})


def evil_labels() -> Result:
    """A result whose measured library has a name that wants to do harm."""
    from tests.factories import measured_result

    return measured_result({make_case(EVIL): 900.0, make_case("pybreaker"): 1200.0})


def make_history(package: str = "tenacity") -> History:
    """A release history of three releases, of which one is slower and one does not install."""
    case = "retry.first_try[tenacity]"

    def release(version: str, ns: float, date: str) -> Release:
        quantities = {
            "latency_ns": Estimate(ns, ns * 0.99, ns * 1.01),
            "ratio": Estimate(ns / 4000, ns / 4040, ns / 3960),
        }
        return Release(
            version, date, "measured", values={case: CaseCost("measured", "", quantities)}
        )

    step = Decision(
        "8.3.0",
        "8.2.3",
        case,
        "latency",
        "ratio",
        "regressed",
        Estimate(1.5, 1.48, 1.52),
        1e-9,
        1e-4,
        30,
        "",
    )
    return History(
        schema=history_file.SCHEMA,
        package=package,
        tool_version="0.1.0",
        reference_version=1,
        started="2026-01-02T03:04:05+00:00",
        ended="2026-01-02T03:30:00+00:00",
        complete=True,
        environment=make_environment(),
        selectors=("retry.*",),
        signals=("latency",),
        not_available={"instructions": f"no valgrind {EVIL}"},
        tolerances={"ratio": 0.05},
        cases={case: "The first attempt succeeds."},
        releases=(
            release("8.2.3", 10_000.0, "2023-08-14T00:00:00+00:00"),
            Release("8.2.4", "2023-09-01T00:00:00+00:00", "does not install", f"no wheel {EVIL}"),
            release("8.3.0", 15_000.0, "2024-05-07T00:00:00+00:00"),
        ),
        steps=(step,),
        undecided=(),
        counts={"regressed": 1, "within": 3},
    )


def write_history(history: History, folder: Path) -> None:
    """Write a release history as 'resilience-bench releases' does, with a picture."""
    folder.mkdir(parents=True)
    history_file.write(history, folder / history_file.FILE_NAME)
    asv_results.write(history, folder / "asv")
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 20">'
        '<text x="1" y="12">cost</text></svg>'
    )
    (folder / "cost.svg").write_text(picture)


def make_sources(folder: Path) -> str:
    """Make a project with all that a site shows; the commit that made something slower."""
    slower = make_tree(folder)
    held = folder / "results"
    results.write(evil_result(), held / "quick.json")
    for name, day, selectors in (("run-newest", 1, ()), ("run-some", 2, ("breaker.*",))):
        started = f"2026-03-0{day}T00:00:00+00:00"
        result = replace(evil_labels(), started=started, selectors=selectors)
        results.write(result, held / f"{name}.json")
    checked = replace(sample_result(), profile="check")
    results.write(checked, held / "check-1.json")
    (held / "run-broken.json").write_text(BROKEN)
    shutil.copyfile(ROOT / "results" / "gate-proof.json", held / "gate-proof.json")
    write_history(make_history(), held / "releases" / "tenacity")
    (held / "releases" / "broken").mkdir()
    (held / "releases" / "broken" / history_file.FILE_NAME).write_text(BROKEN)
    return slower


def stored_index(folder: Path) -> dict[str, Any]:
    """What asv has published in a folder."""
    found: dict[str, Any] = json.loads((folder / "index.json").read_text())
    return found
