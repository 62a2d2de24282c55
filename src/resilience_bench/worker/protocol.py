"""The messages between parent and worker: a plan in, one JSON message a line out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from resilience_bench import _model
from resilience_bench._outages import Outage, OutagePlan, Phase, PhaseCounts

Action = Literal["discover", "inspect", "measure", "count", "weigh", "load", "drift", "outage"]
HEAVY_CALLS: Final = (0, 1)
"""The two numbers of calls between which a heavy case is counted."""


@dataclass(frozen=True, slots=True)
class PytestSuite:
    """A pytest suite whose tests are the cases, and how pytest finds and runs them.

    ``folder`` is where pytest starts, ``root`` its root directory, ``arguments`` what was typed
    (and what keeps other plugins from interfering), ``selected`` the typed files, folders and
    tests. ``sites`` are folders with the user's packages, which come after the interpreter's own,
    ``search`` further ends of the search path.
    """

    folder: str
    root: str
    arguments: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The task of one worker.

    ``discover`` lists the cases below ``paths``; ``inspect`` also builds each of ``cases``;
    ``measure`` checks and times them, ``count`` has callgrind count their instructions (one call of
    ``heavy`` ones, so many ``children`` at a time), ``weigh`` measures what they allocate, ``load``
    their rates under their loads, ``drift`` keeps them going, each for ``drift_s``, and ``outage``
    puts them through that of the plan. To test the gate on itself, ``plants`` adds turns of an
    empty loop to the operations of some cases, ``waits`` adds nanoseconds.

    ``under`` has the cases under a load: their names, the names of the same cases without it, load
    and payload. Each is sampled in ``rounds`` windows of ``window_ns``, its single calls are timed
    over ``timed`` windows, and it counts as hung after ``case_limit_s``.

    ``servers`` has the names and addresses of the servers that payloads call. With a ``suite`` the
    cases are tests of pytest, and only ``discover``, ``measure``, ``count`` and ``weigh`` exist.
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
    servers: tuple[tuple[str, str], ...] = ()
    outage: OutagePlan | None = None
    suite: PytestSuite | None = None
    children: int = 1

    def to_json(self) -> str:
        """Return the plan as the worker reads it from standard input."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        if schedule := fields.get("outage"):
            phases = tuple(Phase(**phase) for phase in schedule.pop("phases"))
            fields["outage"] = OutagePlan(phases, **schedule)
        if suite := fields.get("suite"):
            fields["suite"] = PytestSuite(**_restore_tuples(suite))
        return cls(**_restore_tuples(fields))


def _restore_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }


@dataclass(frozen=True, slots=True)
class DeclarationMessage:
    """A case that a scenario file declares."""

    info: _model.CaseInfo


@dataclass(frozen=True, slots=True)
class ToleranceMessage:
    """What the marker of a test allows: shares by quantity, 0.25 for 25 %, and a floor in ns."""

    case: str
    shares: dict[str, float]
    floor_ns: float = 0.0


@dataclass(frozen=True, slots=True)
class ProblemMessage:
    """A scenario file that could not be used; ``text`` is ``path:line: message``."""

    text: str


@dataclass(frozen=True, slots=True)
class StartMessage:
    """A case is about to be built, checked or calibrated; a worker that ends now ends in it."""

    case: str


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """The status of a case before it is timed; ``reason`` is empty when it is ready."""

    case: str
    status: Literal["ready", "not installed", "not available", "broken", "failed"]
    reason: str = ""
    control: str = ""


@dataclass(frozen=True, slots=True)
class SamplesMessage:
    """The samples of the reference, of a control or of the operation of a case."""

    kind: Literal["reference", "control", "operation"]
    name: str
    samples: _model.Samples


@dataclass(frozen=True, slots=True)
class MarkMessage:
    """Process ``process`` dumped callgrind's counters around two numbers of calls."""

    kind: Literal["control", "operation"]
    name: str
    process: int
    calls: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CountsMessage:
    """The instructions of a control or of the operation of a case."""

    kind: Literal["control", "operation"]
    name: str
    counts: _model.Counts


@dataclass(frozen=True, slots=True)
class WeightMessage:
    """The allocations of the operation of a case."""

    case: str
    weight: _model.Weight


@dataclass(frozen=True, slots=True)
class LoadMessage:
    """The samples of a control, or of the operation of a case, under its load."""

    kind: Literal["control", "operation"]
    name: str
    samples: _model.LoadSamples


@dataclass(frozen=True, slots=True)
class TallyMessage:
    """The counts of the operation of a case under its load."""

    case: str
    tally: _model.Tally


@dataclass(frozen=True, slots=True)
class DriftMessage:
    """The points of a case that was kept going."""

    case: str
    points: _model.DriftPoints


@dataclass(frozen=True, slots=True)
class OutageMessage:
    """The outage that a case went through."""

    case: str
    outage: Outage


@dataclass(frozen=True, slots=True)
class EndMessage:
    """The last message of a worker that came to its end."""

    clock_resolution_ns: float = 0.0
    gil_enabled: bool = True


Message = (
    DeclarationMessage
    | ToleranceMessage
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
    | OutageMessage
    | EndMessage
)

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Message)}


class InvalidMessageError(Exception):
    """A line that is not a message; the text is its beginning."""


def encode(message: Message) -> str:
    """Return one line of JSON, without a line end."""
    return json.dumps({"message": type(message).__name__, **dataclasses.asdict(message)})


def decode(line: str) -> Message:
    """Read what `encode` wrote; InvalidMessageError if the line is anything else."""
    try:
        fields = json.loads(line)
        kind = _KINDS[fields.pop("message")]
        for name, read in _READERS.get(kind, {}).items():
            fields[name] = read(fields[name])
        message: Message = kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidMessageError(repr(line[:80])) from error
    return message


def _read_samples(fields: dict[str, Any]) -> _model.Samples:
    samples = _model.Samples(**_restore_tuples(fields))
    are_whole = all(type(ns) is int and ns >= 0 for ns in samples.elapsed_ns)
    if samples.calls < 1 or not samples.elapsed_ns or not are_whole:
        raise ValueError(f"samples with calls={samples.calls!r}")
    return samples


def _read_load_samples(fields: dict[str, Any]) -> _model.LoadSamples:
    latencies = {int(bucket): count for bucket, count in fields.pop("latencies").items()}
    samples = _model.LoadSamples(**_restore_tuples(fields), latencies=latencies)
    if not samples.calls or len(samples.calls) != len(samples.elapsed_ns):
        raise ValueError(f"load samples with calls={samples.calls!r}")
    return samples


def _read_drift_points(fields: dict[str, Any]) -> _model.DriftPoints:
    points = _model.DriftPoints(**_restore_tuples(fields))
    if not len(points.calls) == len(points.operation_ns) == len(points.reference_ns) > 0:
        raise ValueError(f"points of {len(points.calls)} numbers of calls")
    return points


def _read_outage(fields: dict[str, Any]) -> Outage:
    phases = tuple(PhaseCounts(**phase) for phase in fields.pop("phases"))
    outage = Outage(**_restore_tuples(fields), phases=phases)
    if not len(outage.arrivals_us) == len(outage.latencies_us) == len(outage.answers) > 0:
        raise ValueError(f"an outage with {len(outage.arrivals_us)} requests")
    return outage


def _read_case_info(fields: dict[str, Any]) -> _model.CaseInfo:
    case = fields.pop("case")
    parameters = tuple((key, value) for key, value in case.pop("parameters"))
    payloads = fields.pop("real_payloads")
    return _model.CaseInfo(
        _model.Case(**case, parameters=parameters),
        **_restore_tuples(fields),
        real_payloads=tuple(_model.RealPayload(**_restore_tuples(payload)) for payload in payloads),
    )


_READERS: dict[type[Any], dict[str, Callable[[Any], Any]]] = {
    SamplesMessage: {"samples": _read_samples},
    DeclarationMessage: {"info": _read_case_info},
    MarkMessage: {"calls": tuple},
    CountsMessage: {"counts": lambda fields: _model.Counts(**_restore_tuples(fields))},
    WeightMessage: {"weight": lambda fields: _model.Weight(**fields)},
    LoadMessage: {"samples": _read_load_samples},
    TallyMessage: {"tally": lambda fields: _model.Tally(**fields)},
    DriftMessage: {"points": _read_drift_points},
    OutageMessage: {"outage": _read_outage},
}
