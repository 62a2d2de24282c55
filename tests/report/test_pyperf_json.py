"""The export, as pyperf's own commands read it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyperf
import pytest

from resilience_bench._model import Result
from resilience_bench.errors import UserError
from resilience_bench.report import pyperf_json
from tests.factories import (
    make_allocations,
    make_case,
    make_instructions,
    make_record,
    make_result,
    make_weight,
    measured_result,
    sample_result,
    with_all_signals,
)


def loaded(tmp_path: Path, text: str) -> pyperf.BenchmarkSuite:
    """The export as pyperf has it."""
    (tmp_path / "export.json").write_text(text)
    return pyperf.BenchmarkSuite.load(str(tmp_path / "export.json"))


def test_every_worker_is_a_run_and_every_sample_a_value(tmp_path: Path) -> None:
    """Values are seconds per call, with the number of loops beside them."""
    case = make_case()
    suite = loaded(tmp_path, pyperf_json.render(measured_result({case: 1000.0}, workers=3)))
    benchmark = suite.get_benchmark(case.name)
    assert benchmark.get_nrun() == 3
    assert benchmark.get_values() == pytest.approx([1e-6] * 36)
    assert benchmark.get_loops() == 100
    assert benchmark.get_metadata()["cpu_model_name"] == "AMD EPYC 7B13"


def test_cases_without_samples_are_left_out(tmp_path: Path) -> None:
    """Only what was measured is a benchmark, also where some workers miss a case."""
    result = sample_result()
    first, *others = result.workers
    result = replace(result, workers=(first, *(replace(each, operations={}) for each in others)))
    suite = loaded(tmp_path, pyperf_json.render(result))
    assert len(suite.get_benchmarks()) == len(first.operations)


def test_instructions_and_bytes_are_benchmarks_of_their_own(tmp_path: Path) -> None:
    """Each has its unit and a run a process; a case without latency is exported too."""
    case = make_case()
    result = make_result(
        [make_record(case)],
        instructions=tuple(make_instructions({case: 7731}, index) for index in range(2)),
        allocations=(make_allocations({case: make_weight(result_blocks=9.0, result_bytes=569.0)}),),
    )
    suite = loaded(tmp_path, pyperf_json.render(result))
    found = {each.get_name(): (each.get_unit(), each.get_values()) for each in suite}
    assert found == {
        f"{case.name} instructions": ("integer", (7731, 7731)),
        f"{case.name} peak bytes": ("byte", (448,)),
        f"{case.name} object bytes": ("byte", (569,)),
    }


def test_nothing_weighed_is_no_benchmark(tmp_path: Path) -> None:
    """Pyperf knows no 0: a call that allocates nothing has no bytes in the export."""
    case = make_case()
    allocations = (make_allocations({case: make_weight(peak_bytes=0.0)}),)
    result = measured_result({case: 1000.0}, allocations=allocations)
    suite = loaded(tmp_path, pyperf_json.render(result))
    assert suite.get_benchmark_names() == [case.name]


@pytest.mark.parametrize(
    "result", [sample_result(), with_all_signals(sample_result())], ids=["latency", "all"]
)
@pytest.mark.parametrize(
    "command", [["stats"], ["hist"], ["show"], ["compare_to", "export.json"], ["check"]]
)
def test_pyperf_commands_work_on_it(tmp_path: Path, command: list[str], result: Result) -> None:
    """stats, hist, show, compare_to and check read the file, also with units side by side."""
    loaded(tmp_path, pyperf_json.render(result))
    done = subprocess.run(
        [sys.executable, "-m", "pyperf", *command, "export.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "breaker.closed_success[pybreaker]" in done.stdout or "compare_to" in command


def test_nothing_measured_is_an_error() -> None:
    """Pyperf has no empty file; the message says to measure first."""
    with pytest.raises(UserError, match="nothing was measured"):
        pyperf_json.render(make_result())
