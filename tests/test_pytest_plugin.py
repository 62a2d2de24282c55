"""Scenarios under pytest-benchmark, and nothing where they were not asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SCENARIOS = """
from resilience_bench import FAILS, RESULT, PayloadError, Unsupported, scenario

@scenario(parameters={"size": (1, 2)})
def good(payload, size):
    return payload

@scenario(outcomes=(FAILS,), raises=PayloadError)
def raising(payload):
    return payload

@scenario
async def awaited(payload):
    return payload

@scenario
def impossible(payload):
    raise Unsupported("it has no such thing")

@scenario
def lying(payload):
    return lambda: RESULT
"""
FAST = (
    "--benchmark-max-time=0.001",
    "--benchmark-min-rounds=1",
    "--benchmark-calibration-precision=1",
)


def test_cases_are_benchmarked_grouped_by_scenario(pytester: pytest.Pytester) -> None:
    """Good cases are timed, impossible ones skipped with the reason, dishonest ones fail."""
    pytester.makepyfile(mine=SCENARIOS)
    pytester.makeini("[pytest]\nscenario_files = mine.py\n")
    stored = pytester.path / "out.json"
    outcome = pytester.runpytest_subprocess("-rs", *FAST, f"--benchmark-json={stored}")
    outcome.assert_outcomes(passed=4, skipped=1, failed=1)
    text = outcome.stdout.str()
    assert "it has no such thing" in text
    assert "call 1 ran the payload 0 times, expected 1" in text
    benchmarks = json.loads(stored.read_text())["benchmarks"]
    assert {(benchmark["group"], benchmark["name"]) for benchmark in benchmarks} == {
        ("mine.good", "size=1"),
        ("mine.good", "size=2"),
        ("mine.raising", "mine.raising"),
        ("mine.awaited", "mine.awaited"),
    }


def test_nothing_is_collected_unless_the_ini_file_says_so(pytester: pytest.Pytester) -> None:
    """Having the tool installed does not change what other projects' pytest collects."""
    pytester.makepyfile(mine=SCENARIOS, test_other="def test_one(): pass")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_file_that_does_not_import_is_a_collection_error(pytester: pytest.Pytester) -> None:
    """Pytest shows the file, the line and the exception."""
    pytester.makepyfile(mine="from resilience_bench import scenario\n@scenario\ndef x(y, z): ...\n")
    pytester.makeini("[pytest]\nscenario_files = mine.py\n")
    outcome = pytester.runpytest_subprocess()
    outcome.assert_outcomes(errors=1)
    assert "mine.py:2: TypeError: scenario x takes y, z" in outcome.stdout.str()


def test_the_suite_is_collected() -> None:
    """``pytest benchmarks`` finds the suite's own scenarios."""
    import subprocess
    import sys

    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "benchmarks", "--collect-only", "-q"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "benchmarks/breaker.py::closed_success[pybreaker]" in done.stdout


def test_a_plain_run_imports_nothing_of_the_tool(pytester: pytest.Pytester) -> None:
    """Without the option the plugin is all that is loaded; its fixture calls once."""
    pytester.makepyfile(
        """
        import sys
        import pytest

        def test_it(resilience_benchmark):
            assert resilience_benchmark(divmod, 7, 2) == (3, 1)
            assert resilience_benchmark.pedantic(int, setup=lambda: (("4",), {}), rounds=9) == 4

        @pytest.mark.resilience_benchmark(tolerance=5)
        def test_last():
            tool = {name for name in sys.modules if name.startswith("resilience_bench")}
            expected = {"resilience_bench", "resilience_bench.pytest_plugin"}
            assert tool == expected
            assert not {"numpy", "scipy", "rich", "click", "msgspec"} & set(sys.modules)
        """
    )
    left_out = ("benchmark", "xdist", "hypothesispytest", "randomly")
    plain = [part for name in left_out for part in ("-p", f"no:{name}")]
    pytester.runpytest_subprocess(*plain, "--strict-markers").assert_outcomes(passed=2)
