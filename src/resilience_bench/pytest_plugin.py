"""The pytest plugin: the gate for a suite of benchmarks, and scenario files as tests.

It is loaded in every run of pytest, so it imports the tool only when that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from resilience_bench.pytest_scenarios import ScenarioFile

MARKER: Final = (
    "resilience_benchmark(tolerance, tolerance_instructions, floor_ns, enabled): "
    "measure this test with --resilience-compare, as a whole if it takes no benchmark fixture; "
    "tolerances in per cent; enabled=False leaves it out"
)
VALUES: Final = {
    "tolerance": "how much slower a benchmark may get, in per cent",
    "tolerance-instructions": "how many more instructions there may be, in per cent",
    "signals": "what to measure, separated by commas: latency, instructions, allocations",
    "seconds": "how long to measure at most, without making the environments",
    "budgets": "a file with tolerances by test",
    "project": "the folder of the project to install, from the top of the repository; 'none'",
    "output": "a folder for the results of both, and of the base measured twice",
    "junit": "also write the judgement as JUnit XML to this file",
    "markdown": "also write the judgement as Markdown to this file",
    "annotations": "also print annotations: github",
    "explain": "show every step of the decisions on these tests",
}
"""The options of ``resilience-bench compare`` that hold here as well, and what they say."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare ``scenario_files``, patterns of scenario files, and the options of the gate."""
    parser.addini("scenario_files", "patterns of scenario files to benchmark", "args", default=[])
    group = parser.getgroup("resilience-bench")
    group.addoption(
        "--resilience-compare",
        metavar="REVISION",
        help="run the benchmarks of this git revision against those of the working tree, in turns, "
        "and fail if one got slower",
    )
    for name, text in VALUES.items():
        group.addoption(f"--resilience-{name}", metavar="VALUE", help=text)
    group.addoption(
        "--resilience-strict", action="store_true", help="exit 3 if something stayed undecided"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", MARKER)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Compare instead of running the tests, if that was asked for; return the exit code.

    Not the first of its kind: in a worker of the comparison another one comes before it.
    """
    revision = config.getoption("resilience_compare")
    if revision is None:
        return None
    from resilience_bench.cli import compare_pytest  # noqa: PLC0415 - only when asked for

    given = {name: config.getoption(f"resilience_{name.replace('-', '_')}") for name in VALUES}
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    options += ["--strict"] if config.getoption("resilience_strict") else []
    return compare_pytest.run(revision, options, config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect a file that the ini option names."""
    patterns = parent.config.getini("scenario_files")
    root = parent.config.rootpath
    if not any(file_path.match(str(root / pattern)) for pattern in patterns):
        return None
    from resilience_bench.pytest_scenarios import ScenarioFile  # noqa: PLC0415 - if there is one

    collector: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return collector


class OneCall:
    """What ``resilience_benchmark`` is in a plain run of the tests: it calls once."""

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function, and return what it returns."""
        return function(*args, **kwargs)

    def pedantic(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **counts: int,
    ) -> Any:
        """Call a target between its setup and its teardown."""
        del counts
        given, named = (setup() if setup else None) or (args, kwargs or {})
        result = target(*given, **named)
        if teardown:
            teardown(*given, **named)
        return result


@pytest.fixture
def resilience_benchmark() -> OneCall:
    """Measure a function with --resilience-compare; call it once in a plain run of the tests."""
    return OneCall()
