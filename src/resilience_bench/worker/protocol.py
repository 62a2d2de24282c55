"""What parent and worker say to each other: a plan in, one JSON message a line out."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from resilience_bench._model import (
    Case,
    CaseInfo,
    Counts,
    DriftPoints,
    LoadSamples,
    Samples,
    Tally,
    Weight,
)

Action = Literal["discover", "inspect", "measure", "count", "weigh", "load", "drift"]
HEAVY_CALLS: Final = (0, 1)
"""The two numbers of calls between which a heavy case is counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one worker is to do.

    ``discover`` lists the cases below ``paths``; ``inspect`` also builds each of ``cases``, to
    find out which are available; ``measure`` checks and times them, ``count`` has callgrind count
    their instructions, ``weigh`` measures what they allocate, ``load`` measures their rates under
    their loads, and ``drift`` keeps them going. ``heavy`` cases are known to be so slow that
    callgrind counts one call of them. ``plants`` names cases whose operation is to do so many turns
    of an empty loop more, ``waits`` those that are to wait for so many nanoseconds: a gate that is
    tested on itself has to find them.

    ``under`` says which of the cases are under a load: their names, the names of the same cases
    without it, load and payload. ``rounds`` is how often such a case is sampled, ``window_ns`` how
    long a sample lasts, ``case_limit_s`` how long it may take before it counts as hung, ``timed``
    over how many windows single calls are timed as well. ``drift_s`` is how long each case is kept
    going.
    """

    action: Action
    paths: tuple[str, ...]
    cases: tuple[str, ...] = ()
    check: bool = True
    samples: int = 1
    sample_ns: int = 100_000
    case_ns: int = 10_000_000
    fewest_samples: int = 5
    time_limit_s: float = 60.0
    heavy: tuple[str, ...] = ()
    plants: tuple[tuple[str, int], ...] = ()
    waits: tuple[tuple[str, int], ...] = ()
    under: tuple[tuple[str, str, str, str], ...] = ()
    rounds: int = 1
    window_ns: int = 0
    case_limit_s: float = 0.0
    timed: int = 3
    drift_s: float = 0.0

    def to_json(self) -> str:
        """The plan as the worker reads it from standard input."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        tuples = {name: tuple(each) for name, each in fields.items() if isinstance(each, list)}
        return cls(**{**fields, **tuples})


@dataclass(frozen=True, slots=True)
class DeclarationMessage:
    """A case that a scenario file declares."""

    info: CaseInfo


@dataclass(frozen=True, slots=True)
class ProblemMessage:
    """A scenario file that could not be used; ``text`` is ``path:line: message``."""

    text: str


@dataclass(frozen=True, slots=True)
class StartMessage:
    """A case is about to be built, checked or calibrated; if the worker ends now, it is why."""

    case: str


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """What became of a case before it was timed; ``reason`` is empty when it is fine."""

    case: str
    status: Literal["ready", "not installed", "not available", "broken", "failed"]
    reason: str = ""
    control: str = ""


@dataclass(frozen=True, slots=True)
class SamplesMessage:
    """The samples of the reference, of a control or of the operation of a case."""

    kind: Literal["reference", "control", "operation"]
    name: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class MarkMessage:
    """Process ``process`` dumped callgrind's counters around two numbers of calls."""

    kind: Literal["control", "operation"]
    name: str
    process: int
    calls: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CountsMessage:
    """What callgrind counted of a control or of the operation of a case."""

    kind: Literal["control", "operation"]
    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class WeightMessage:
    """What the operation of a case allocates."""

    case: str
    weight: Weight


@dataclass(frozen=True, slots=True)
class LoadMessage:
    """What the callers of a control, or of the operation of a case, did."""

    kind: Literal["control", "operation"]
    name: str
    samples: LoadSamples


@dataclass(frozen=True, slots=True)
class TallyMessage:
    """What the operation of a case did under its load, counted."""

    case: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class DriftMessage:
    """What became of the operation of a case that was kept going."""

    case: str
    points: DriftPoints


@dataclass(frozen=True, slots=True)
class EndMessage:
    """The last message of a worker that came to its end."""

    clock_resolution_ns: float = 0.0
    gil_enabled: bool = True


Message = (
    DeclarationMessage
    | ProblemMessage
    | StartMessage
    | StatusMessage
    | SamplesMessage
    | MarkMessage
    | CountsMessage
    | WeightMessage
    | LoadMessage
    | TallyMessage
    | DriftMessage
    | EndMessage
)

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Message)}


class InvalidMessageError(Exception):
    """A line that is not a message; the text says what was found."""


def encode(message: Message) -> str:
    """One line of JSON, without the line's end."""
    return json.dumps({"message": type(message).__name__, **dataclasses.asdict(message)})


def decode(line: str) -> Message:
    """Read what `encode` wrote.

    Raises:
        RubbishError: If the line is anything else.
    """
    try:
        fields = json.loads(line)
        kind = _KINDS[fields.pop("message")]
        if kind is SamplesMessage:
            fields["samples"] = _read_samples(**fields["samples"])
        if kind is DeclarationMessage:
            fields["info"] = _read_case_info(**fields["info"])
        if kind is MarkMessage:
            fields["calls"] = tuple(fields["calls"])
        if kind is CountsMessage:
            fields["counts"] = Counts(
                **{key: tuple(each) for key, each in fields["counts"].items()}
            )
        if kind is WeightMessage:
            fields["weight"] = Weight(**fields["weight"])
        if kind is LoadMessage:
            fields["samples"] = _read_load_samples(**fields["samples"])
        if kind is TallyMessage:
            fields["tally"] = Tally(**fields["tally"])
        if kind is DriftMessage:
            fields["points"] = _read_drift_points(**fields["points"])
        message: Message = kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidMessageError(repr(line[:80])) from error
    return message


def _read_samples(calls: int, elapsed_ns: list[int], beside: list[int]) -> Samples:
    if (
        calls < 1
        or not elapsed_ns
        or not all(type(each) is int and each >= 0 for each in elapsed_ns)
    ):
        message = f"samples with calls={calls!r}"
        raise ValueError(message)
    return Samples(calls, tuple(elapsed_ns), tuple(beside))


def _read_load_samples(latencies: dict[str, int], **rest: Any) -> LoadSamples:
    tuples: dict[str, Any] = {
        key: tuple(each) if isinstance(each, list) else each for key, each in rest.items()
    }
    samples = LoadSamples(**tuples, latencies={int(key): n for key, n in latencies.items()})
    if not samples.calls or len(samples.calls) != len(samples.elapsed_ns):
        message = f"load samples with calls={samples.calls!r}"
        raise ValueError(message)
    return samples


def _read_drift_points(**rest: list[Any]) -> DriftPoints:
    points = DriftPoints(**{key: tuple(each) for key, each in rest.items()})
    if not len(points.calls) == len(points.operation_ns) == len(points.reference_ns) > 0:
        message = f"points of {len(points.calls)} numbers of calls"
        raise ValueError(message)
    return points


def _read_case_info(case: dict[str, Any], **rest: Any) -> CaseInfo:
    parameters = tuple((key, value) for key, value in case.pop("parameters"))
    tuples: dict[str, Any] = {
        key: tuple(each) if isinstance(each, list) else each for key, each in rest.items()
    }
    return CaseInfo(case=Case(**case, parameters=parameters), **tuples)
