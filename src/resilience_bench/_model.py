"""The data that travel between modules: frozen, slotted, and nothing but data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

Signal = Literal["latency", "instructions", "allocations", "scaling"]
"""What is measured of a case."""

CaseStatus = Literal[
    "measured", "not installed", "not available", "broken", "failed", "hung", "interrupted"
]
"""What became of a case; everything but ``measured`` comes with a reason."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One scenario with one library, under one load, around one payload."""

    family: str
    scenario: str
    library: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    load: str = "single"
    payload: str = "noop"

    @property
    def group(self) -> str:
        """The name without the brackets: what libraries are compared in."""
        return f"{self.family}.{self.scenario}"

    @property
    def label(self) -> str:
        """What stands in the brackets; ``single`` and ``noop`` are left out."""
        parts = [self.library] if self.library else []
        parts += [f"{key}={value}" for key, value in self.parameters]
        parts += [self.load] if self.load != "single" else []
        parts += [self.payload] if self.payload != "noop" else []
        return ",".join(parts)

    @property
    def name(self) -> str:
        """The full name, e.g. ``breaker.closed_success[pybreaker,threads-8,io]``."""
        return f"{self.group}[{self.label}]" if self.label else self.group

    @property
    def is_loaded(self) -> bool:
        """Whether it is measured by its rate under a load, not by its latency alone."""
        return (self.load, self.payload) != ("single", "noop")

    def with_load(self, load: str, payload: str) -> Case:
        """The same scenario and library under another load, around another payload."""
        return replace(self, load=load, payload=payload)


@dataclass(frozen=True, slots=True)
class CaseInfo:
    """A case as its scenario file declares it, before anything is built.

    ``loads`` are the kinds of load (``threads``, ``tasks``, ``processes``, ``mixed``) and
    ``payloads`` the payloads that make sense for it; ``in_profile`` are the kinds of load, or
    single loads, that the concurrency profile takes.
    """

    case: Case
    path: str
    description: str = ""
    distributions: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    payloads: tuple[str, ...] = ("noop",)
    in_profile: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one operation in one worker: ``elapsed_ns[i]`` is for ``calls`` calls.

    ``elapsed_ns[i]`` was taken after the reference's sample ``beside[i]`` and before its next one;
    ``beside`` is empty for the reference itself.
    """

    calls: int
    elapsed_ns: tuple[int, ...]
    beside: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """What one worker measured: one block of cases, the reference and the controls.

    ``gil_enabled`` says whether its interpreter had its global lock on when it had measured.
    """

    index: int
    block: int
    hash_seed: int
    started: str
    ended: str
    clock_resolution_ns: float
    reference: Samples
    controls: dict[str, Samples] = field(default_factory=dict)
    operations: dict[str, Samples] = field(default_factory=dict)
    gil_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Counts:
    """What callgrind counted: ``instructions[i]`` for ``calls[i]`` calls, the second more."""

    calls: tuple[int, int]
    instructions: tuple[int, int]

    @property
    def per_call(self) -> float:
        """Instructions per call: the slope, so that what surrounds the calls falls out."""
        fewer, more = self.instructions
        return (more - fewer) / (self.calls[1] - self.calls[0])


@dataclass(frozen=True, slots=True)
class InstructionRecord:
    """What one process under valgrind counted."""

    index: int
    hash_seed: int
    started: str
    ended: str
    controls: dict[str, Counts] = field(default_factory=dict)
    operations: dict[str, Counts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weight:
    """What one call of an operation does to memory, on average over ``calls`` calls.

    ``kept`` stays allocated when the result is dropped, ``result`` is what the result itself
    weighs (a breaker, a decorated function), ``peak`` is the most that a call holds at a time.
    """

    calls: int
    kept_blocks: float
    kept_bytes: float
    result_blocks: float
    result_bytes: float
    peak_bytes: float


@dataclass(frozen=True, slots=True)
class AllocationRecord:
    """What one worker weighed."""

    index: int
    hash_seed: int
    started: str
    ended: str
    operations: dict[str, Weight] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadSamples:
    """What several callers of one operation (or control) did in one worker.

    In sample i all callers together made ``calls[i]`` calls in ``elapsed_ns[i]``, counted from
    their release to the end of the last one, less ``release_ns``, which is what releasing them
    takes when they make no calls. The slowest caller made ``fewest[i]`` calls, the fastest
    ``most[i]``. ``reads`` are those of the readers beside writers.

    ``latencies`` come from a pass of its own in which each call is timed: how many calls took from
    ``BUCKET ** b`` to ``BUCKET ** (b + 1)`` ns, by b. ``longest_ns`` is the longest of them,
    ``clock_ns`` what timing adds to a call. ``lags_ns`` says how late a ticking task was meanwhile,
    tick by tick, where the callers are tasks.
    """

    callers: int
    calls: tuple[int, ...]
    elapsed_ns: tuple[int, ...]
    fewest: tuple[int, ...]
    most: tuple[int, ...]
    release_ns: int = 0
    reads: tuple[int, ...] = ()
    latencies: dict[int, int] = field(default_factory=dict)
    longest_ns: int = 0
    clock_ns: float = 0.0
    lags_ns: tuple[int, ...] = ()


BUCKET: Final = 1.02
"""The width of a bucket of latencies: a percentile is known to within 1 %."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What an operation did under load, counted: a fast wrong answer is not a good result.

    ``payload_runs`` against what the scenario promises for so many ``calls``; ``counted`` against
    what the library's own counter should have moved by, None where there is no counter. ``probes``
    is how many calls at once a half-open breaker let through, at the most.
    """

    calls: int
    payload_runs: int
    promised_runs: int
    counted: float | None = None
    promised_count: float | None = None
    probes: int | None = None


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """What one worker measured of operations under load; controls by key, operations by case.

    ``gil_enabled`` is that of `WorkerRecord`.
    """

    index: int
    block: int
    hash_seed: int
    started: str
    ended: str
    controls: dict[str, LoadSamples] = field(default_factory=dict)
    operations: dict[str, LoadSamples] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    gil_enabled: bool = True


@dataclass(frozen=True, slots=True)
class DriftPoints:
    """An operation kept going, point by point: after ``calls[i]`` calls in all.

    ``operation_ns`` and ``reference_ns`` are the 10 % quantiles of ns per call since the point
    before; ``blocks`` and ``resident_bytes`` are the memory in use at the point, after a garbage
    collection, and empty where the interpreter or the system does not tell them.
    """

    calls: tuple[int, ...]
    operation_ns: tuple[float, ...]
    reference_ns: tuple[float, ...]
    blocks: tuple[int, ...] = ()
    resident_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DriftRecord:
    """What one worker saw that kept the operation of one case going."""

    case: str
    hash_seed: int
    started: str
    ended: str
    points: DriftPoints


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What became of one case in a run; ``missing`` says which signals it lacks, and why."""

    case: Case
    status: CaseStatus
    reason: str = ""
    control: str = ""
    description: str = ""
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a result was measured: everything that decides what it may be compared with.

    ``free_threaded`` says how the interpreter was built, ``gil_enabled`` whether its global lock is
    on when it starts.
    """

    python: str
    python_build: str
    free_threaded: bool
    cpu_model: str
    cpu_count: int
    os: str
    kernel: str
    machine: str
    packages: dict[str, str]
    gil_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Commit:
    """The git commit of the directory that a run started in."""

    revision: str
    clean: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A results file: one run, with every raw sample.

    ``signals`` were asked for and could be measured; ``not_available`` says why others could not.
    """

    schema: int
    tool_version: str
    reference_version: int
    profile: str
    selectors: tuple[str, ...]
    seeds: tuple[int, ...]
    started: str
    ended: str
    complete: bool
    load_average: tuple[float, ...]
    commit: Commit | None
    environment: Environment
    cases: tuple[CaseRecord, ...]
    workers: tuple[WorkerRecord, ...]
    notes: tuple[str, ...] = ()
    signals: tuple[str, ...] = ("latency",)
    not_available: dict[str, str] = field(default_factory=dict)
    instructions: tuple[InstructionRecord, ...] = ()
    allocations: tuple[AllocationRecord, ...] = ()
    loads: tuple[LoadRecord, ...] = ()
    drifts: tuple[DriftRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate with its 95 % interval over workers."""

    value: float
    low: float
    high: float


DefectKind = Literal[
    "lost counts", "surplus counts", "surplus runs", "missing runs", "simultaneous probes"
]


@dataclass(frozen=True, slots=True)
class Defect:
    """A count that differs from what its scenario promises, under load and over all workers."""

    kind: DefectKind
    observed: float
    expected: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """The estimates of one case: quantities by name (``latency_ns`` …), with their warnings.

    ``defects`` were found under load; ``timed_calls`` is how many calls the percentiles rest on.
    """

    case: Case
    quantities: dict[str, Estimate]
    workers: int
    samples: int
    warnings: tuple[str, ...] = ()
    defects: tuple[Defect, ...] = ()
    timed_calls: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """What is acceptable of one quantity of a case, and what that rests on.

    ``spread`` is (largest - smallest) / middle of the values of the runs. ``reason`` was given by
    the person who let the range get looser or higher.
    """

    expected: float
    low: float
    high: float
    runs: int
    workers: int
    spread: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is acceptable in one environment; ``ranges`` by case name, then by quantity."""

    schema: int
    tool_version: str
    reference_version: int
    environment: Environment
    commit: Commit | None
    learned: str
    reason: str
    ranges: dict[str, dict[str, Range]]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit that a person wrote: ``quantity`` of the cases that match is at most ``limit``."""

    cases: str
    quantity: str
    limit: float
    reason: str


Outcome = Literal["regressed", "improved", "within", "inconclusive", "not measured"]
"""What was decided of one quantity of a case."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision, with the evidence.

    ``seen`` is the estimate with its interval, in the unit of ``quantity``; in a comparison it is
    HEAD divided by BASE, and so are ``expected`` (1.0), ``low`` and ``high``. ``p_value`` bounds
    how often chance alone shows as much or more when the case lies within its range, and ``level``
    is what it had to fall below. ``steps`` explain the decision, a line each.
    """

    case: str
    signal: str
    quantity: str
    outcome: Outcome
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    seen: Estimate | None = None
    p_value: float | None = None
    level: float | None = None
    workers: int = 0
    reason: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that `check` or `compare` decided.

    ``headline`` says what was held against what, a line each; ``notes`` what could not be
    compared, or what makes the whole doubtful.
    """

    title: str
    headline: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
