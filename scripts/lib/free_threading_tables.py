"""The tables of the page on free-threaded Pythons, from results files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import CaseRecord, Measurement, Result
from resilience_bench.environments.fingerprint import format_python_name
from resilience_bench.report.blocks import format_label
from resilience_bench.report.caveats import describe_python
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.stats.correctness import collect_tallies, find_defects, sum_tallies
from resilience_bench.stats.latency import estimate

THREADS: Final = (1, 2, 4, 8)
UNKNOWN: Final = "-"
"""Stands where a library has nothing to count."""
STACK: Final = "resilience_stack"
SCALED: Final = (
    ("breaker.closed_success", NOOP),
    ("breaker.closed_success", "cpu"),
    ("retry.first_try", "cpu"),
    ("metrics.counter_inc", NOOP),
)
FAILURES: Final = frozenset({"broken", "failed", "hung"})
LAST_WORDS: Final = re.compile(r"; (?:it said|[0-9]+ threads? stood at)")
"""Begins what a worker said at its end, or where its threads stood."""
Imports = Mapping[str, Mapping[str, list[bool] | str]]


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured under one interpreter; of what ``longer`` runs have, theirs counts."""

    name: str
    result: Result
    longer: tuple[Result, ...]
    measured: Mapping[str, Measurement]
    imports: Mapping[str, list[bool] | str]

    @classmethod
    def of(cls, result: Result, longer: Sequence[Result], imports: Imports) -> Run:
        """Return the run of a results file; ``longer`` may have those of any interpreter."""
        name = format_python_name(result.environment)
        ours = tuple(one for one in longer if format_python_name(one.environment) == name)
        found = {m.case.name: m for one in (result, *ours) for m in estimate(one)}
        return cls(name.removeprefix("CPython "), result, ours, found, imports.get(name, {}))

    @property
    def sort_key(self) -> tuple[list[int], bool]:
        """Sorts by version, with the GIL first."""
        environment = self.result.environment
        numbers = environment.python.rpartition(" ")[2].split(".")
        return [int(digits) for digits in numbers if digits.isdigit()], environment.free_threaded

    @property
    def description(self) -> str:
        """The interpreter, and whether its lock was off while it was measured."""
        return describe_python(self.result)

    def find_rate(self, group: str, label: str, payload: str, threads: int) -> float | None:
        """Return the calls per second of all threads together, if it was measured."""
        return self.find_quantity("calls_per_s", group, label, payload, threads)

    def find_quantity(
        self, name: str, group: str, label: str, payload: str, threads: int
    ) -> float | None:
        """Return the value of a quantity of a case, if it was measured."""
        for measured in self.measured.values():
            case = measured.case
            if (case.group, case.load, case.payload) == (group, f"threads-{threads}", payload):
                found = measured.quantities.get(name)
                if format_label(case) == label and found is not None:
                    return found.value
        return None


@dataclass(frozen=True, slots=True)
class Correctness:
    """What one library did wrong under one interpreter, in the words of the table."""

    family: str
    library: str
    python: str
    lost: str
    let_through: str
    probes: str
    exceptions: str
    gil: str

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, let through or raised, and at most one call probed."""
        good = (self.lost.startswith("0 of") or self.lost == UNKNOWN, self.probes in {"1", UNKNOWN})
        return all(good) and self.let_through in {"0", UNKNOWN} and self.exceptions == "none"


def list_libraries(runs: Sequence[Run], family: str) -> list[str]:
    """Return the labels of a family's libraries, in their order."""
    records = [record for run in runs for record in run.result.cases]
    return list(dict.fromkeys(format_label(r.case) for r in records if r.case.family == family))


def list_correctness(runs: Sequence[Run]) -> list[Correctness]:
    """Return a row for each library under each interpreter."""
    return [
        _judge(run, family, label)
        for family in ("breaker", "retry", "metrics")
        for label in list_libraries(runs, family)
        for run in runs
    ]


def _judge(run: Run, family: str, label: str) -> Correctness:
    every = (run.result, *run.longer)
    records = [
        record
        for result in every
        for record in result.cases
        if record.case.family == family and format_label(record.case) == label
    ]
    tallies = [
        tallies
        for name in dict.fromkeys(record.case.name for record in records)
        if (tallies := [each for one in every for each in collect_tallies(one.loads, name)])
    ]
    found: Counter[str] = Counter()
    for one in tallies:
        for defect in find_defects(one):
            found[defect.kind] += abs(round(defect.observed - defect.expected))
    sums = [total for one in tallies if (total := sum_tallies(one))]
    counted = [total.promised_count or 0.0 for total in sums if total.counted is not None]
    probes = max((total.probes or 0 for total in sums), default=0)
    return Correctness(
        family,
        label,
        run.name,
        _format_lost(found["lost counts"], found["surplus counts"], sum(counted)),
        str(found["surplus runs"] + found["missing runs"]) if tallies else UNKNOWN,
        str(probes) if probes else UNKNOWN,
        _list_exceptions(records),
        _describe_gil(run, records),
    )


def _format_lost(lost: float, surplus: float, promised: float) -> str:
    if not promised:
        return UNKNOWN
    share = f" ({lost / promised:.1%})" if lost else ""
    more = f", {surplus:,.0f} too many" if surplus else ""
    return f"{lost:,.0f} of {promised:,.0f}{share}{more}"


def _list_exceptions(records: Sequence[CaseRecord]) -> str:
    failed = [record for record in records if record.status in FAILURES]
    left_out = [record for record in records if record.status != "measured"]
    reasons = {_shorten(record.reason) for record in failed or left_out}
    return "; ".join(sorted(reasons)).replace("|", "/") or "none"


def _shorten(reason: str) -> str:
    """Return the exception, or how the worker ended, without its last words."""
    first = LAST_WORDS.split(reason)[0].splitlines()[0]
    return first.partition(" raised ")[2] or first


def _describe_gil(run: Run, records: Sequence[CaseRecord]) -> str:
    """Say whether importing the library turned the GIL on."""
    if not run.result.environment.free_threaded:
        return "on"
    plain = {record.case.with_load(SINGLE, NOOP).name for record in records}
    found = [answer for name, answer in run.imports.items() if name in plain]
    if not found:
        return "unknown"
    first = found[0]
    if isinstance(first, str):
        return f"not imported: {first}"
    return "TURNED ON" if first[1] and not first[0] else "on" if first[1] else "stays off"


@dataclass(frozen=True, slots=True)
class Scaling:
    """The rates of a library under one interpreter: of one thread, and of more relative to it."""

    title: str
    library: str
    python: str
    rate: float
    speedups: tuple[float | None, ...]
    against_gil: tuple[float | None, float | None]


def list_scaling(runs: Sequence[Run]) -> dict[str, list[Scaling]]:
    """Return, by title, a row for each library under each interpreter that was measured."""
    found: dict[str, list[Scaling]] = {}
    for group, payload in SCALED:
        title = group if payload == NOOP else f"{group} around {payload}"
        family = group.partition(".")[0]
        found[title] = [
            row
            for label in list_libraries(runs, family)
            for run in runs
            for row in _scale(runs, run, (group, label, payload), title)
        ]
    return found


def _scale(
    runs: Sequence[Run], run: Run, what: tuple[str, str, str], title: str
) -> Iterator[Scaling]:
    rates = {threads: run.find_rate(*what, threads) for threads in THREADS}
    one = rates[1]
    if one is None:
        return
    twin = find_twin(runs, run)
    speedups = tuple(rate / one if rate is not None else None for rate in list(rates.values())[1:])
    against = tuple(
        _divide(rates[threads], twin.find_rate(*what, threads) if twin else None)
        for threads in (THREADS[0], THREADS[-1])
    )
    yield Scaling(title, what[1], run.name, one, speedups, (against[0], against[1]))


def find_twin(runs: Sequence[Run], run: Run) -> Run | None:
    """Return the run under a build of the same version with the GIL, for one without it.

    Without one of the same version, one of the same minor version.
    """
    environment = run.result.environment
    if not environment.free_threaded:
        return None
    locked = [other for other in runs if not other.result.environment.free_threaded]
    exact = [other for other in locked if other.result.environment.python == environment.python]
    near = [other for other in locked if other.sort_key[0][:2] == run.sort_key[0][:2]]
    return next(iter([*exact, *near]), None)


def _divide(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def summarise(runs: Sequence[Run]) -> list[str]:
    """Return, in one line each, the free-threaded findings that are wrong."""
    free = {run.name for run in runs if run.result.environment.free_threaded}
    return [
        f"{row.library} under {row.python}: "
        + ", ".join(
            text
            for text, is_shown in (
                (f"loses {row.lost}", row.lost != UNKNOWN and not row.lost.startswith("0 of")),
                (
                    f"{row.let_through} calls too many or too few",
                    row.let_through not in {"0", UNKNOWN},
                ),
                (f"{row.probes} probes at once", row.probes not in {"1", UNKNOWN}),
                (row.exceptions, row.exceptions != "none"),
            )
            if is_shown
        )
        for row in list_correctness(runs)
        if row.python in free and not row.is_clean
    ]


@dataclass(frozen=True, slots=True)
class StackComparison:
    """The stack beside the best other breakers that are correct, at one number of threads.

    ``parts`` are what is left of the bare call's rate, ``speedups`` the rate of all threads in
    those of one thread: the stack's, and the best other one's, whose name ``best`` has there.
    """

    python: str
    threads: int
    payload: str
    parts: tuple[float, float]
    speedups: tuple[float, float]
    best: tuple[str, str]


def compare_stack(runs: Sequence[Run]) -> list[StackComparison]:
    """Compare the stack with the best breakers that are correct, by interpreter and load.

    Calls take turns with the bare call, so a busy machine slows down both.
    """
    correctness = [row for row in list_correctness(runs) if row.family == "breaker"]
    clean = {(row.library, row.python) for row in correctness if row.is_clean}
    return [
        found
        for run in runs
        if run.result.environment.free_threaded
        for group, payload in SCALED[:2]
        for threads in THREADS[1:]
        if (found := _compare_at(run, clean, (group, payload), threads))
    ]


def _compare_at(
    run: Run, clean: Collection[tuple[str, str]], what: tuple[str, str], threads: int
) -> StackComparison | None:
    group, payload = what
    parts, speedups = {}, {}
    for label in list_libraries([run], "breaker"):
        part = run.find_quantity("scaling", group, label, payload, threads)
        rate, one = (run.find_rate(group, label, payload, each) for each in (threads, THREADS[0]))
        speedup = _divide(rate, one)
        if (label, run.name) in clean and part and speedup:
            parts[label], speedups[label] = part, speedup
    if STACK not in parts or len(parts) == 1:
        return None
    ours = parts.pop(STACK), speedups.pop(STACK)
    best = max(parts, key=parts.__getitem__), max(speedups, key=speedups.__getitem__)
    return StackComparison(
        run.name,
        threads,
        payload,
        (ours[0], parts[best[0]]),
        (ours[1], speedups[best[1]]),
        best,
    )
