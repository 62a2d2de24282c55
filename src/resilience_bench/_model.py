"""The data that travel between modules: frozen, slotted, and nothing but data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["measured", "not installed", "not available", "broken", "failed", "interrupted"]
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


@dataclass(frozen=True, slots=True)
class CaseInfo:
    """A case as its scenario file declares it, before anything is built."""

    case: Case
    path: str
    description: str = ""
    distributions: tuple[str, ...] = ()


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
    """What one worker measured: one block of cases, the reference and the controls."""

    index: int
    block: int
    hash_seed: int
    started: str
    ended: str
    clock_resolution_ns: float
    reference: Samples
    controls: dict[str, Samples] = field(default_factory=dict)
    operations: dict[str, Samples] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What became of one case in a run."""

    case: Case
    status: Status
    reason: str = ""
    control: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a result was measured: everything that decides what it may be compared with."""

    python: str
    python_build: str
    free_threaded: bool
    cpu_model: str
    cpu_count: int
    os: str
    kernel: str
    machine: str
    packages: dict[str, str]


@dataclass(frozen=True, slots=True)
class Commit:
    """The git commit of the directory that a run started in."""

    revision: str
    clean: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A results file: one run, with every raw sample."""

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


@dataclass(frozen=True, slots=True)
class Quantity:
    """An estimate with its 95 % interval over workers."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """The numbers of one case: quantities by name (``latency_ns`` …) and what to doubt."""

    case: Case
    quantities: dict[str, Quantity]
    workers: int
    samples: int
    warnings: tuple[str, ...] = ()
