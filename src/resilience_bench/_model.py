"""Data that all rooms share: frozen, slotted, only data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from resilience_bench._cases import Case as Case  # noqa: PLC0414 - for all rooms
from resilience_bench._cases import CaseInfo as CaseInfo  # noqa: PLC0414 - for all rooms
from resilience_bench._cases import RealPayload as RealPayload  # noqa: PLC0414 - for all rooms
from resilience_bench._outages import OutageRecord

Signal = Literal["latency", "instructions", "allocations", "scaling", "share"]
"""What is measured of a case."""

CaseStatus = Literal[
    "measured", "not installed", "not available", "broken", "failed", "hung", "interrupted"
]
"""The status of a case in a run; all but ``measured`` come with a reason."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one operation in one worker: ``elapsed_ns[i]`` is for ``calls`` calls.

    Each was taken after sample ``beside[i]`` of the reference, for which ``beside`` is empty.
    """

    calls: int
    elapsed_ns: tuple[int, ...]
    beside: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """The samples of one worker; ``gil_enabled`` is whether its global lock was on in the end."""

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
    """Callgrind's counts: ``instructions[i]`` for ``calls[i]`` calls, in rising order."""

    calls: tuple[int, int]
    instructions: tuple[int, int]

    @property
    def per_call(self) -> float:
        """Instructions per call: the slope, without what surrounds the calls."""
        fewer, more = self.instructions
        return (more - fewer) / (self.calls[1] - self.calls[0])


@dataclass(frozen=True, slots=True)
class InstructionRecord:
    """The counts of one process under valgrind."""

    index: int
    hash_seed: int
    started: str
    ended: str
    controls: dict[str, Counts] = field(default_factory=dict)
    operations: dict[str, Counts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weight:
    """Memory of one call of an operation, on average over ``calls`` calls.

    ``kept`` stays allocated when the result is dropped, ``result`` is the size of the result itself
    (a breaker, a decorated function), ``peak`` is the most that a call has allocated at a time.
    """

    calls: int
    kept_blocks: float
    kept_bytes: float
    result_blocks: float
    result_bytes: float
    peak_bytes: float


@dataclass(frozen=True, slots=True)
class AllocationRecord:
    """The allocations that one worker measured."""

    index: int
    hash_seed: int
    started: str
    ended: str
    operations: dict[str, Weight] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadSamples:
    """Samples of several callers of one operation (or control) in one worker.

    In sample i all callers together made ``calls[i]`` calls in ``elapsed_ns[i]``, from their
    release to the end of the last call, less ``release_ns``, the time of a release without calls.
    The slowest caller made ``fewest[i]`` calls, the fastest ``most[i]``; the readers beside writers
    made ``reads[i]``.

    In a separate pass each call is timed: ``latencies[b]`` calls took from ``BUCKET ** b`` to
    ``BUCKET ** (b + 1)`` ns. ``longest_ns`` is the longest of them, ``clock_ns`` what timing adds
    to a call. ``lags_ns`` is how late each tick of a task beside the callers was.
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
"""The ratio of a latency bucket's ends: a percentile is accurate to 1 %."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts under load, against those that the scenario promises for ``calls`` calls.

    ``counted`` is by how much the library's own counter moved, None without a counter; ``probes``
    is the largest number of calls that a half-open breaker let through at once.
    """

    calls: int
    payload_runs: int
    promised_runs: int
    counted: float | None = None
    promised_count: float | None = None
    probes: int | None = None


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """The samples of one worker under loads; for ``gil_enabled`` see `WorkerRecord`."""

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
    """Points of a long run of an operation, each after ``calls[i]`` calls in all.

    ``operation_ns`` and ``reference_ns`` are the 10 % quantiles of ns per call since the previous
    point; ``blocks`` and ``resident_bytes`` are the memory in use after a garbage collection, and
    empty if unknown.
    """

    calls: tuple[int, ...]
    operation_ns: tuple[float, ...]
    reference_ns: tuple[float, ...]
    blocks: tuple[int, ...] = ()
    resident_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DriftRecord:
    """The long run of one case in one worker."""

    case: str
    hash_seed: int
    started: str
    ended: str
    points: DriftPoints


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """The status of one case in a run; ``missing`` says which signals it lacks, and why."""

    case: Case
    status: CaseStatus
    reason: str = ""
    control: str = ""
    description: str = ""
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Environment:
    """What decides which results are comparable; ``gil_enabled`` is that at the start."""

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

    ``signals`` were measured; ``not_available`` says why others could not be.
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
    outages: tuple[OutageRecord, ...] = ()


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
