"""asv's classes, one a family, made from the scenarios.

asv finds benchmarks by the names of methods, and what belongs to them by the names of attributes:
https://asv.readthedocs.io/en/stable/writing_benchmarks.html
Runs inside asv's environments, so: standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from resilience_bench.commits.asv_parameters import (
    Family,
    ParameterKey,
    group_by_family,
    read_installable,
)
from resilience_bench.commits.measure import SignalEstimates, TrackedSignal, measure_signal
from resilience_bench.scenarios.definition import BoundCase, Unsupported
from resilience_bench.scenarios.discovery import discover
from resilience_bench.worker.operations import NotInstalledError, load_library, open_operation
from resilience_bench.worker.payloads import copy_function
from resilience_bench.worker.reference import REFERENCE_VERSION
from resilience_bench.worker.timing import Subject, calibrate, make_sampler
from resilience_bench.worker.verification import check

PROJECT_FILE: Final = "stack/pyproject.toml"
"""The project that asv builds, seen from the top of the checkout."""
VERSIONS: Final[Mapping[str, str]] = {
    "time_call": "1",
    "track_overhead_ns": "1",
    "track_ratio": f"1-{REFERENCE_VERSION}",
    "track_instructions": "2",
    "track_scaling": "1",
    "peakmem_import": "1",
}
"""Raised when a figure means something else than before: asv then hides the older ones.

Otherwise asv would hide them whenever a line of a method is edited.
"""
PARAM_NAMES: Final = ["library", "scenario", "load"]
CONTROL: Final = "control"
"""The family of bare calls: they have no overhead, and a curve of it would show noise alone."""
NOTHING: Final = "nothing"
"""What an import is compared with: the interpreter that has imported no library."""
BATCH_NS: Final = 1_000_000
LIMIT_S: Final = 1800.0

Caches = Mapping[TrackedSignal, Callable[[], SignalEstimates]]
"""What asv calls once for all benchmarks of a signal."""


def make_classes(folder: Path) -> dict[str, type]:
    """The classes for asv, by name: one a family, and ``Import``.

    Args:
        folder: The folder of the scenario files, which lies at the top of the checkout.
    """
    found = discover([folder])
    for problem in found.problems:
        print(problem, file=sys.stderr)  # noqa: T201 - asv shows it
    tracked = group_by_family(found.bound.values(), read_installable(folder.parent / PROJECT_FILE))
    caches = _make_caches(tracked)
    made = {each.name.title(): _make_class(each, caches) for each in tracked}
    libraries = {
        bound.library.name: bound
        for each in tracked
        for bound in each.single.bound.values()
        if bound.library is not None
    }
    return {**made, "Import": _make_import_class(libraries)}


def _make_caches(tracked: Iterable[Family]) -> Caches:
    """One measurement of all families a signal: workers are started once for all of them."""
    single = [info for each in tracked for info in each.single.cases]
    loaded = [info for each in tracked for info in each.loaded.cases]

    # asv tells set-ups of a cache apart by the line that they begin at.
    def latency() -> SignalEstimates:
        return measure_signal("latency", single)

    def instructions() -> SignalEstimates:
        return measure_signal("instructions", single)

    def scaling() -> SignalEstimates:
        return measure_signal("scaling", loaded)

    for each in (latency, instructions, scaling):
        vars(each)["timeout"] = LIMIT_S
    return {"latency": latency, "instructions": instructions, "scaling": scaling}


def _make_class(family: Family, caches: Caches) -> type:
    name = family.name.title()
    latency = {"setup_cache": caches["latency"]}
    members: dict[str, Any] = {
        "__doc__": f"The scenarios of the family {family.name}.",
        "bound": {**family.single.bound, **family.loaded.bound},
        "params": family.single.params,
        "param_names": PARAM_NAMES,
        "time_call": _make_method(_time_call, "time_call"),
        "track_ratio": _make_method(_track_ratio, "track_ratio", unit="references", **latency),
        "track_instructions": _make_method(
            _track_instructions,
            "track_instructions",
            unit="instructions",
            setup_cache=caches["instructions"],
        ),
    }
    if family.name != CONTROL:
        members["track_overhead_ns"] = _make_method(
            _track_overhead_ns, "track_overhead_ns", unit="ns", **latency
        )
    if family.loaded.bound:
        members["track_scaling"] = _make_method(
            _track_scaling,
            "track_scaling",
            unit="bare calls per call",
            params=family.loaded.params,
            setup_cache=caches["scaling"],
        )
    return type(name, (_FamilyBase,), members)


def _make_method(
    function: Callable[..., Any], name: str, **attributes: object
) -> Callable[..., Any]:
    """A method of its own for one class, with what asv is to know of it."""
    made = copy_function(function)
    made.__name__ = name
    vars(made).update(attributes, version=VERSIONS[name])
    return made


class _FamilyBase:
    """What the classes of all families share."""

    bound: Mapping[ParameterKey, BoundCase] = {}
    timeout = 120.0
    rounds = 2
    repeat = (3, 10, 0.5)
    warmup_time = 0.0

    def __init__(self) -> None:
        self._subject: Subject | None = None
        self._opened = contextlib.ExitStack()

    def setup(self, *given: Any) -> None:
        """Skip what is not there; build the operation where asv itself is going to time it.

        Args:
            given: Library, scenario and load; what was measured comes before them, if it was.

        Raises:
            NotImplementedError: asv skips the combination then.
        """
        *results, library, scenario, load = given
        bound = self.bound.get((library, scenario, load))
        if bound is None:
            message = f"{library} has no {scenario} under {load}"
            raise NotImplementedError(message)
        if results:
            results[0].skip_if_absent(bound.name)
        else:
            self._open(bound)

    def teardown(self, *_given: Any) -> None:
        """Tear the operation down."""
        self._opened.close()

    def timer(self) -> float:
        """A clock for asv that runs slower by the number of calls that it takes for one."""
        calls = self._subject.calls if self._subject else 1
        return time.perf_counter() / calls

    def _open(self, bound: BoundCase) -> None:
        with contextlib.ExitStack() as stack:
            try:
                runner = stack.enter_context(asyncio.Runner())
                if self._subject is None:
                    check(bound, runner)
                operation = stack.enter_context(open_operation(bound, runner))
            except (NotInstalledError, Unsupported) as error:
                raise NotImplementedError(str(error)) from error
            sampler = make_sampler(operation, runner)
            if self._subject is None:
                self._subject = Subject(bound.name, sampler)
                calibrate(self._subject, BATCH_NS, samples=1, case_ns=BATCH_NS, fewest=1)
            self._subject.sample = sampler
            if self._subject.warm:
                sampler(self._subject.calls, 0)
            self._opened = stack.pop_all()

    def _find_case_name(self, *key: str) -> str:
        return self.bound[key[0], key[1], key[2]].name


def _time_call(self: Any, _library: str, _scenario: str, _load: str) -> None:
    """Time calls back to back.

    asv sets up before each call that it times, and so cannot make many of them. So what it takes
    for one call is a batch, and its clock counts accordingly.
    """
    self._subject.sample(self._subject.calls, 0)


def _track_overhead_ns(self: Any, results: SignalEstimates, *key: str) -> float:
    """Nanoseconds per call beyond the bare call."""
    return results.get_estimate(self._find_case_name(*key), "overhead_ns")


def _track_ratio(self: Any, results: SignalEstimates, *key: str) -> float:
    """The operation divided by the reference: what can be compared between two hours."""
    return results.get_estimate(self._find_case_name(*key), "ratio")


def _track_instructions(self: Any, results: SignalEstimates, *key: str) -> float:
    """Processor instructions per call."""
    return results.get_estimate(self._find_case_name(*key), "instructions")


def _track_scaling(self: Any, results: SignalEstimates, *key: str) -> float:
    """How many times as many calls the bare call gets done under the same load."""
    return results.get_estimate(self._find_case_name(*key), "scaling")


def _make_import_class(libraries: Mapping[str, BoundCase]) -> type:
    members = {
        "__doc__": "What importing a library costs.",
        "bound": libraries,
        "params": [[NOTHING, *libraries]],
        "param_names": ["library"],
        "peakmem_import": _make_method(_import_library, "peakmem_import"),
    }
    return type("Import", (_ImportBase,), members)


class _ImportBase:
    """What `_make_import_class` gives the method of its class."""

    bound: Mapping[str, BoundCase] = {}
    timeout = 60.0

    def setup(self, library: str) -> None:
        """Skip what is not installed.

        Raises:
            NotImplementedError: asv skips the library then.
        """
        if library == NOTHING:
            return
        try:
            needed = self.bound[library].info.distributions
            for distribution in needed:
                version(distribution)
        except PackageNotFoundError as error:
            message = f"{error.name} is not installed"
            raise NotImplementedError(message) from error


def _import_library(self: Any, library: str) -> None:
    """The most memory that the process holds after importing a library and its adapter."""
    if library != NOTHING:
        load_library(self.bound[library])
