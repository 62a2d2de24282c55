"""Runs pytest in the worker, with the tests that take a benchmark fixture as the cases.

Only a suite needs pytest, so it is imported when a plan has one.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import site
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import resilience_bench
from resilience_bench._model import Case, CaseInfo
from resilience_bench.worker import protocol
from resilience_bench.worker.benchmark_fixture import BenchmarkFixture, Work
from resilience_bench.worker.work_measurement import (
    CONTROL,
    Send,
    UnmeasurableError,
    WorkMeasurement,
)

if TYPE_CHECKING:
    import pytest

OWN: Final = "resilience_benchmark"
"""Our fixture and our marker."""
FIXTURES: Final = ("benchmark", OWN)
WHOLE_TEST: Final = ("benchmark", "codspeed_benchmark")
"""Markers with which pytest-codspeed measures a whole test."""
PERCENT: Final = {"tolerance": "ratio", "tolerance_instructions": "instructions"}
"""What our marker may allow, in per cent, and the quantity that it is for."""
UNSETTLED: Final = {
    "resilience_compare": None,  # this is the worker of that comparison
    "maxfail": 0,
    "continue_on_collection_errors": True,
    "xmlpath": None,
    "usepdb": False,
}
"""Options of pytest that are for the user's own run, and what they are here."""


def run_suite(
    plan: protocol.Plan, suite: protocol.PytestSuite, send: Send, between: Callable[[], None]
) -> None:
    """Carry out a plan whose cases are tests of a suite; what fails becomes a message."""
    os.chdir(suite.folder)
    present = set(map(os.path.realpath, sys.path))
    for folder in suite.sites:
        if os.path.realpath(folder) not in present:
            site.addsitedir(folder)
    sys.path += [folder for folder in suite.search if folder not in sys.path]
    import pytest  # noqa: PLC0415 - only a suite needs it

    # pytest would warn that a plugin's package was imported before its asserts were rewritten.
    resilience_bench.__doc__ = f"{resilience_bench.__doc__} PYTEST_DONT_REWRITE"
    plugin = SuitePlugin(plan, suite, send, WorkMeasurement(plan, send, between))
    hooks = SuitePlugin
    pytest.hookimpl(tryfirst=True)(hooks.pytest_cmdline_main)
    pytest.hookimpl(trylast=True)(hooks.pytest_sessionstart)
    pytest.hookimpl(trylast=True)(hooks.pytest_collection_modifyitems)
    pytest.hookimpl(tryfirst=True)(hooks.pytest_runtestloop)
    pytest.hookimpl(tryfirst=True)(hooks.pytest_pyfunc_call)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = int(pytest.main([*suite.arguments, f"--rootdir={suite.root}"], [plugin]))
    plugin.finish(code, said.getvalue())


class SuitePlugin:
    """The plugin that selects the cases, replaces the fixture and reports the status of each."""

    def __init__(
        self,
        plan: protocol.Plan,
        suite: protocol.PytestSuite,
        send: Send,
        measurement: WorkMeasurement,
    ) -> None:
        self._plan = plan
        self._suite = suite
        self._send = send
        self._measurement = measurement
        self._unreported = dict.fromkeys(plan.cases)
        self._failed = ""
        self._is_measured = False
        self._problem = ""
        self._internal_error = ""

    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Settle options, and have only the files with the cases collected."""
        for name, value in UNSETTLED.items():
            setattr(config.option, name, value)
        config.option.collectonly = self._plan.action == "discover"
        root = Path(self._suite.root)
        if self._plan.action == "discover":
            wanted = [Path(text.partition("::")[0]) for text in self._suite.selected]
        else:
            wanted = [root / path for path in self._plan.paths]
        # Of one that this side does not have there is nothing to collect.
        config.args = [str(path) for path in dict.fromkeys(wanted) if path.exists()]
        config.args_source = config.ArgsSource.ARGS

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Replace the fixtures of other plugins; those of the suite's conftest files still win."""
        manager = session.config.pluginmanager
        other = getattr(manager.get_plugin("benchmark"), "BenchmarkFixture", object)
        # pytest-benchmark accepts only its own kind.
        kind = type("BenchmarkFixture", (BenchmarkFixture, other), {})
        manager.register(_make_fixtures(kind, self.measure), "resilience-worker")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Report a file that did not import."""
        if report.failed:
            reason = _find_last_line(report.longreprtext)
            self._send(protocol.ProblemMessage(f"{report.nodeid}: {reason}"))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the cases, and declare them or put them into the order of the plan."""
        found = {item.nodeid: item for item in items if _is_case(item) and self._is_wanted(item)}
        if self._plan.action == "discover":
            for item in found.values():
                self._declare(item)
        order = {name: number for number, name in enumerate(self._plan.cases)}
        items[:] = sorted(found.values(), key=lambda item: order.get(item.nodeid, 0))

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note why pytest itself, or a plugin, failed."""
        self._internal_error = excinfo.exconly()

    def pytest_runtestloop(self) -> None:
        """Prepare measuring, now that everything was imported."""
        if self._plan.action != "discover":
            self._measurement.begin()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test runs, should it end this process."""
        self._send(protocol.StartMessage(nodeid))
        self._failed, self._is_measured = "", False

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Measure a test as a whole, if it asks for that by a marker."""
        if set(FIXTURES) & set(pyfuncitem.fixturenames):
            return None
        if inspect.iscoroutinefunction(pyfuncitem.obj):
            import pytest  # noqa: PLC0415 - see `run_suite`

            pytest.skip("a test that is a coroutine cannot be measured as a whole")
        names = pyfuncitem._fixtureinfo.argnames  # noqa: SLF001 - as pytest itself calls a test
        arguments = {name: pyfuncitem.funcargs[name] for name in names}
        BenchmarkFixture(pyfuncitem, lambda work: self.measure(pyfuncitem.nodeid, work))(
            pyfuncitem.obj, **arguments
        )
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note why a test has no result: it was skipped, or failed."""
        name = report.nodeid
        if self._failed or name not in self._unreported:
            return
        if report.skipped:
            self._failed = "skipped"
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "it is to fail"
            self._report(name, "not available", f"skipped: {reason.removeprefix('Skipped: ')}")
        elif report.failed:
            self._failed = "failed"
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = crash.message if crash else report.longreprtext
            where = "" if report.when == "call" else f" in its {report.when}"
            self._report(name, "broken", f"the test failed{where}: {_find_first_line(reason)}")

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Keep what a test that passed has measured."""
        if self._failed or nodeid not in self._unreported:
            return
        if self._problem:
            self._report(nodeid, "failed", self._problem)
            self._problem = ""
        elif self._is_measured:
            self._measurement.keep(nodeid)
            self._report(nodeid, "ready", "", CONTROL)
        else:
            self._report(nodeid, "not available", "it did not call its benchmark fixture")

    def measure(self, name: str, work: Work) -> Any:
        """Measure what a test handed over; a signal that it cannot have fails no test."""
        self._is_measured = True
        try:
            return self._measurement.measure(name, work)
        except UnmeasurableError as error:
            self._problem = str(error)
            return work.call_all()

    def finish(self, code: int, said: str) -> None:
        """Send all results, and say of cases without any how pytest ended."""
        said = (
            _find_first_line(self._internal_error)
            if self._internal_error
            else _find_last_line(said)
        )
        for name in list(self._unreported):
            reason = "the suite no longer has it"
            if code not in {0, 1, 5}:
                reason = f"pytest ended with exit code {code}: {said}"
            self._report(name, "failed", reason)
        if self._plan.action == "discover" and code not in {0, 1, 2, 5}:
            self._send(protocol.ProblemMessage(f"pytest: {said}"))
        self._measurement.end()

    def _report(self, name: str, status: Any, reason: str, control: str = "") -> None:
        del self._unreported[name]
        self._send(protocol.StatusMessage(name, status, reason, control))

    def _is_wanted(self, item: pytest.Item) -> bool:
        if self._plan.action != "discover":
            return item.nodeid in self._unreported
        return any(_is_below(item, text) for text in self._suite.selected)

    def _declare(self, item: pytest.Item) -> None:
        function = getattr(item, "obj", None)
        description = (inspect.getdoc(function) or "").partition("\n")[0]
        path, _, test = item.nodeid.partition("::")
        scenario, bracket, parameters = test.partition("[")
        label = parameters.removesuffix("]") if bracket else ""
        info = CaseInfo(Case(path, scenario, label), path, description)
        self._send(protocol.DeclarationMessage(info))
        marker = item.get_closest_marker(OWN)
        if marker and (tolerance := _read_tolerance(item.nodeid, marker.kwargs)):
            self._send(tolerance)


def _make_fixtures(kind: type[BenchmarkFixture], measure: Callable[[str, Work], Any]) -> object:
    import pytest  # noqa: PLC0415 - see `run_suite`

    class Fixtures:
        @pytest.fixture
        def benchmark(self, request: pytest.FixtureRequest) -> Iterator[BenchmarkFixture]:
            item = request.node
            fixture = kind(item, lambda work: measure(item.nodeid, work))
            yield fixture
            fixture.undo()

        @pytest.fixture
        def resilience_benchmark(self, benchmark: BenchmarkFixture) -> BenchmarkFixture:
            return benchmark

    return Fixtures()


def _is_case(item: pytest.Item) -> bool:
    """Return whether a test takes a fixture, or wants to be measured as a whole."""
    marker = item.get_closest_marker(OWN)
    if not hasattr(item, "fixturenames") or (marker and not marker.kwargs.get("enabled", True)):
        return False
    if set(FIXTURES) & set(item.fixturenames) or marker:
        return True
    # With pytest-benchmark its marker only sets options of the fixture.
    manager = item.config.pluginmanager
    marked = any(item.get_closest_marker(name) for name in WHOLE_TEST)
    return marked and not manager.hasplugin("benchmark")


def _is_below(item: pytest.Item, text: str) -> bool:
    """Return whether a test is what was typed, or below it."""
    path, *names = text.split("::")
    inside = item.path == Path(path) or Path(path) in item.path.parents
    tail = item.nodeid.partition("::")[2]
    wanted = "::".join(names)
    return inside and (
        not wanted or tail == wanted or tail.startswith((f"{wanted}::", f"{wanted}["))
    )


def _read_tolerance(name: str, given: Mapping[str, Any]) -> protocol.ToleranceMessage | None:
    """Read what our marker allows a test; UsageError if it says something else."""
    import pytest  # noqa: PLC0415 - see `run_suite`

    known = (*PERCENT, "floor_ns", "enabled")
    for key, value in given.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        if key not in known or (key != "enabled" and not is_number):
            raise pytest.UsageError(
                f"{name}: {OWN}({key}={value!r}): expected {', '.join(known[:-1])} with a number "
                "of 0 or more, or enabled; correct the marker"
            )
    shares = {PERCENT[key]: value / 100 for key, value in given.items() if key in PERCENT}
    floor_ns = float(given.get("floor_ns", 0.0))
    return protocol.ToleranceMessage(name, shares, floor_ns) if shares or floor_ns else None


def _find_last_line(text: str) -> str:
    return _clean(([line for line in text.splitlines() if line.strip()] or ["nothing"])[-1])


def _find_first_line(text: str) -> str:
    return _clean(([line for line in text.splitlines() if line.strip()] or ["nothing"])[0])


def _clean(line: str) -> str:
    return line.removeprefix("E ").strip()
