"""The classes in which asv finds benchmarks, one a family, made from the scenarios.

asv finds benchmarks by the names of methods, and what belongs to them by the names of attributes:
https://asv.readthedocs.io/en/stable/writing_benchmarks.html
Runs inside asv's environments, so: standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from resilience_bench.commits import asv_parameters
from resilience_bench.commits.asv_parameters import Family, ParameterKey
from resilience_bench.commits.measure import SignalEstimates, TrackedSignal, measure_signal
from resilience_bench.scenarios.definition import BoundCase, Unsupported
from resilience_bench.scenarios.discovery import discover
from resilience_bench.worker.operations import NotInstalledError, load_library, open_operation
from resilience_bench.worker.reference import REFERENCE_VERSION
from resilience_bench.worker.timing import Subject, calibrate, make_sampler
from resilience_bench.worker.verification import check

PROJECT_FILE: Final = "stack/pyproject.toml"
"""The project that asv builds, relative to the top of the checkout."""
VERSIONS: Final[Mapping[str, str]] = {
    "time_call": "1",
    "track_overhead_ns": "1",
    "track_ratio": f"1-{REFERENCE_VERSION}",
    "track_instructions": "2",
    "track_scaling": "1",
    "peakmem_import": "1",
}
"""Increased when a figure gets another meaning: asv then hides the older ones.

Without versions, asv would hide them whenever a line of a method is edited.
"""
PARAM_NAMES: Final = ["library", "scenario", "load"]
CONTROL: Final = "control"
"""The family of bare calls: it has no overhead, and a curve of it would show noise alone."""
NOTHING: Final = "nothing"
"""Stands in the axis of imported libraries for the interpreter that has imported none."""
BATCH_NS: Final = 1_000_000
LIMIT_S: Final = 1800.0
TRACKED: Final[Sequence[tuple[str, str, TrackedSignal]]] = (
    ("ratio", "references", "latency"),
    ("overhead_ns", "ns", "latency"),
    ("instructions", "instructions", "instructions"),
    ("scaling", "bare calls per call", "scaling"),
)
"""The tracked quantities with their units, and the signal that each belongs to."""

Cache = Callable[[], SignalEstimates]
"""A function that asv calls once for all benchmarks of a signal."""


def make_classes(folder: Path) -> dict[str, type]:
    """Make the classes for asv, by name: one a family, and ``Import``.

    ``folder`` has the scenario files, and lies at the top of the checkout.
    """
    found = discover([folder])
    for problem in found.problems:
        print(problem, file=sys.stderr)  # noqa: T201 - asv shows it
    installable = asv_parameters.read_installable(folder.parent / PROJECT_FILE)
    families = asv_parameters.group_by_family(found.bound.values(), installable)
    caches = _make_caches(families)
    libraries = {
        bound.library.name: bound
        for family in families
        for bound in family.single.bound.values()
        if bound.library is not None
    }
    imports = {"bound": libraries, "params": [[NOTHING, *libraries]]}
    return {
        **{family.name.title(): _make_class(family, caches) for family in families},
        "Import": type("Import", (_ImportBase,), imports),
    }


def _make_caches(families: Iterable[Family]) -> Mapping[TrackedSignal, Cache]:
    """Make one measurement a signal for all families, so that workers are started once."""
    single = [info for family in families for info in family.single.cases]
    loaded = [info for family in families for info in family.loaded.cases]

    # Not in a loop: asv identifies set-ups of a cache by the line that they begin at.
    def latency() -> SignalEstimates:
        return measure_signal("latency", single)

    def instructions() -> SignalEstimates:
        return measure_signal("instructions", single)

    def scaling() -> SignalEstimates:
        return measure_signal("scaling", loaded)

    for cache in (latency, instructions, scaling):
        vars(cache)["timeout"] = LIMIT_S
    return {"latency": latency, "instructions": instructions, "scaling": scaling}


def _make_class(family: Family, caches: Mapping[TrackedSignal, Cache]) -> type:
    members: dict[str, Any] = {
        "__doc__": f"The scenarios of the family {family.name}.",
        "bound": {**family.single.bound, **family.loaded.bound},
        "params": family.single.params,
        "time_call": _time_call,
    }
    for quantity, unit, signal in TRACKED:
        grid = family.loaded if signal == "scaling" else family.single
        if grid.bound and (quantity, family.name) != ("overhead_ns", CONTROL):
            method = _make_tracker(quantity, unit, grid.params, caches[signal])
            members[method.__name__] = method
    return type(family.name.title(), (_FamilyBase,), members)


def _make_tracker(
    quantity: str, unit: str, params: list[list[str]], cache: Cache
) -> Callable[..., float]:
    def track(self: _FamilyBase, results: SignalEstimates, *key: str) -> float:
        return results.get_estimate(self.bound[key[0], key[1], key[2]].name, quantity)

    name = f"track_{quantity}"
    track.__name__ = name
    vars(track).update(unit=unit, params=params, setup_cache=cache, version=VERSIONS[name])
    return track


def _time_call(self: Any, _library: str, _scenario: str, _load: str) -> None:
    """Make a batch of calls back to back.

    asv sets up before each call that it times, so it cannot make many of them. Therefore what it
    takes for one call is a batch, and its clock runs slower by the number of calls.
    """
    self.subject.sample(self.subject.calls, 0)


vars(_time_call)["version"] = VERSIONS["time_call"]


class _FamilyBase:
    """The base of the classes of all families."""

    bound: Mapping[ParameterKey, BoundCase] = {}
    param_names = PARAM_NAMES
    timeout = 120.0
    rounds = 2
    repeat = (3, 10, 0.5)
    warmup_time = 0.0

    def __init__(self) -> None:
        self.subject: Subject | None = None
        self._opened = contextlib.ExitStack()

    def setup(self, *given: Any) -> None:
        """Build the operation where asv itself is going to time it; NotImplementedError skips it.

        ``given`` are library, scenario and load, after the estimates where there are some.
        """
        *results, library, scenario, load = given
        bound = self.bound.get((library, scenario, load))
        if bound is None:
            raise NotImplementedError(f"{library} has no {scenario} under {load}")
        if results:
            results[0].skip_if_absent(bound.name)
        else:
            self._open(bound)

    def teardown(self, *_given: Any) -> None:
        """Tear the operation down."""
        self._opened.close()

    def timer(self) -> float:
        """Return the time by a clock that runs slower by the number of calls in a batch."""
        calls = self.subject.calls if self.subject else 1
        return time.perf_counter() / calls

    def _open(self, bound: BoundCase) -> None:
        with contextlib.ExitStack() as stack:
            try:
                runner = stack.enter_context(asyncio.Runner())
                if self.subject is None:
                    check(bound, runner)
                operation = stack.enter_context(open_operation(bound, runner))
            except (NotInstalledError, Unsupported) as error:
                raise NotImplementedError(str(error)) from error
            sampler = make_sampler(operation, runner)
            if self.subject is None:
                self.subject = Subject(bound.name, sampler)
                calibrate(self.subject, BATCH_NS, samples=1, case_ns=BATCH_NS, fewest=1)
            self.subject.sample = sampler
            if self.subject.warm:
                sampler(self.subject.calls, 0)
            self._opened = stack.pop_all()


class _ImportBase:
    """The cost of importing a library."""

    bound: Mapping[str, BoundCase] = {}
    param_names = ("library",)
    timeout = 60.0
    version = VERSIONS["peakmem_import"]

    def setup(self, library: str) -> None:
        """Have asv skip what is not installed, by NotImplementedError."""
        try:
            for distribution in (
                self.bound[library].info.distributions if library != NOTHING else ()
            ):
                version(distribution)
        except PackageNotFoundError as error:
            raise NotImplementedError(f"{error.name} is not installed") from error

    def peakmem_import(self, library: str) -> None:
        """Import a library and its adapter; asv reads the most memory that the process held."""
        if library != NOTHING:
            load_library(self.bound[library])
