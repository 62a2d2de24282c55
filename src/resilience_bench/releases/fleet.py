"""A release history by a fleet: neighbouring releases are divided into parts, a host each.

A part is measured and judged as a whole history is, on one host and side by side. Its first release
is the last one of the part before, so that every release is compared with its neighbour. A part has
the share of the error rate that it has of all comparisons, so all parts together err no more often
than one history does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from resilience_bench._model import Result, WorkerRecord
from resilience_bench._verdicts import Verdict
from resilience_bench.environments import interpreters, variants
from resilience_bench.errors import UserError
from resilience_bench.fleet.block import Block, Reply, pack, unpack
from resilience_bench.fleet.cases import pack_cases, unpack_cases
from resilience_bench.fleet.health import make_answer
from resilience_bench.fleet.job import Job, split
from resilience_bench.gate.criteria import describe_null_failure
from resilience_bench.gate.decide import FLAGS
from resilience_bench.gate.trial import Criterion
from resilience_bench.measure.shared_path import create_shared_path
from resilience_bench.releases.changes import ReleaseCase
from resilience_bench.releases.index import PublishedRelease
from resilience_bench.releases.measure import (
    NULL_EVERY,
    POLICY,
    SAMPLES_FOLDER,
    JudgedReleases,
    MeasurementRequest,
    judge_releases,
    make_measured_releases,
)
from resilience_bench.releases.prepare import PreparedRelease, check_import, prepare_releases
from resilience_bench.releases.timeline import MeasuredRelease, Timeline

PAIRS_A_BLOCK: Final = 8
"""A block compares at least so many releases, if there are enough: each begins with one more."""
JOURNAL: Final = "fleet.jsonl"
"""The journal, beside the history; an interrupted command goes on from it."""
Show = Callable[[Block, Reply], None]


@dataclass(frozen=True, slots=True)
class FleetHistory:
    """What a fleet measured and decided; ``results`` by version, of the part that ends with it."""

    prepared: list[PreparedRelease]
    results: dict[str, Result]
    screened: range
    judged: JudgedReleases
    hosts: tuple[str, ...]


def measure_releases(
    job: Job,
    wanted: MeasurementRequest,
    published: Sequence[PublishedRelease],
    python: str | None,
    show: Show,
) -> FleetHistory:
    """Have a fleet prepare releases, and then measure them."""
    common = {
        "package": wanted.package,
        "needed": wanted.needed,
        "beside": list(wanted.beside),
        "python": python,
    }
    blocks = [
        Block(
            f"preparing {describe_part(part)}",
            prepare_part,
            common | _pack_releases(part),
            len(part),
        )
        for part in split(published, job.count_parts(len(published)))
    ]
    prepared = [
        PreparedRelease(release, None, found["status"], found["reason"])
        for block, reply in zip(blocks, job.dispatch(blocks, show), strict=True)
        for release, found in zip(
            _unpack_releases(block.content), _read(reply)["releases"], strict=True
        )
    ]
    usable = [one.release for one in prepared if one.status == "measured"]
    blocks = make_blocks(wanted, usable, common, job.count_parts)
    replies = job.dispatch(blocks, show)
    values = [_read(reply) for reply in replies]
    return FleetHistory(
        prepared,
        collect_results(values),
        range(*values[0]["screened"]) if values else range(0),
        join_judgements(values),
        tuple(sorted({reply.host for reply in replies})),
    )


def make_blocks(
    wanted: MeasurementRequest,
    usable: Sequence[PublishedRelease],
    common: Mapping[str, Any],
    count_parts: Callable[[int, int], int],
) -> list[Block]:
    """Make the blocks of the releases that can be measured."""
    content = {
        **common,
        "cases": pack_cases(wanted.cases),
        "signals": list(wanted.signals),
        "not_available": dict(wanted.not_available),
        "selectors": list(wanted.selectors),
        "tolerances": dict(wanted.tolerances),
    }
    pairs = max(1, len(usable) - 1)
    return [
        Block(
            describe_part(part.releases),
            measure_part,
            content
            | _pack_releases(part.releases)
            | {"share": part.pairs / pairs, "has_null": part.has_null},
            part.count_measurements(),
        )
        for part in divide(usable, count_parts)
    ]


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring releases that one host measures; ``has_null`` if some are measured twice."""

    releases: Sequence[PublishedRelease]
    has_null: bool

    @property
    def pairs(self) -> int:
        """How many releases are compared with the one before."""
        return max(1, len(self.releases) - 1)

    def count_measurements(self) -> float:
        """Return how many releases are measured; null controls have half as many workers."""
        return len(self.releases) + (-(-self.pairs // NULL_EVERY) / 2 if self.has_null else 0)


def divide(
    usable: Sequence[PublishedRelease], count_parts: Callable[[int, int], int]
) -> list[Part]:
    """Divide releases into parts that overlap by one, for each release to meet its neighbour.

    Parts differ by one pair at most, and the newer ones are the shorter ones: newer releases can do
    more cases. There are as many null controls as in a history on one machine: the shortest parts
    have them.
    """
    if not usable:
        return []
    pairs = range(max(1, len(usable) - 1))
    count = count_parts(len(pairs), PAIRS_A_BLOCK)
    runs = np.array_split(pairs, min(count, len(pairs)))  # the first ones are the longer ones
    nulls = -(-len(usable) // NULL_EVERY)
    shortest = sorted(range(len(runs)), key=lambda number: len(runs[number]))[:nulls]
    return [
        Part(usable[run[0] : run[-1] + 2], number in shortest) for number, run in enumerate(runs)
    ]


def describe_part(part: Sequence[PublishedRelease]) -> str:
    """Name a part by its first and last release."""
    return f"{part[0].version} to {part[-1].version}"


def _pack_releases(part: Sequence[PublishedRelease]) -> dict[str, Any]:
    return {"releases": pack(list(part))}


def _unpack_releases(content: Mapping[str, Any]) -> list[PublishedRelease]:
    return unpack(content["releases"], list[PublishedRelease])


def _read(reply: Reply) -> dict[str, Any]:
    return reply.value or {}


def prepare_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """Make the environments of some releases on this host; return the status of each."""
    made = [
        {"status": one.status, "reason": one.reason}
        for one in _prepare(content, _unpack_releases(content))
    ]
    return {"value": {"releases": made}}


def _prepare(
    content: Mapping[str, Any], releases: Sequence[PublishedRelease]
) -> list[PreparedRelease]:
    base = interpreters.find_base(content["python"])
    make = partial(variants.make, needed=content["needed"], base=base)
    beside = content["beside"]
    return prepare_releases(content["package"], releases, make, check_import, beside)


def measure_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """Measure and judge neighbouring releases side by side on this host."""
    prepared = _prepare(content, _unpack_releases(content))
    for one in prepared:
        if one.status != "measured":
            raise UserError(f"{one.release.version} {one.status}, but not on every host")
    with create_shared_path() as staged, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / SAMPLES_FOLDER).mkdir()
        wanted = MeasurementRequest(
            content["package"],
            unpack_cases(content["cases"]),
            tuple(content["signals"]),
            content["not_available"],
            content["selectors"],
            Path(folder),
            content["tolerances"],
        )
        measured = make_measured_releases(
            wanted,
            prepared,
            staged.launcher,
            variants.query_environment,
            lambda _: None,
            has_nulls=content["has_null"],
        )
        timeline = Timeline(measured, lambda *_: None, wanted.signals, wanted.not_available)
        policy = replace(POLICY, error_rate=POLICY.error_rate * content["share"])
        judged = judge_releases(timeline, wanted.tolerances, policy)
        value = {
            "results": [_pack_result(release) for release in measured],
            "judged": pack(judged),
            "screened": [timeline.screened.start, timeline.screened.stop],
        }
        workers = [one for release in measured for one in release.recording.select(WorkerRecord)]
        workers.sort(key=lambda worker: worker.index)
        return make_answer(value, workers, describe_flags(judged))


def _pack_result(release: MeasuredRelease) -> dict[str, Any]:
    result = release.recording.result(complete=True)
    return {
        "version": release.name,
        "is_null": release.is_null,
        "result": pack(result),
    }


def describe_flags(judged: JudgedReleases) -> str:
    """Say which release differs from itself, if one does."""
    for criterion, verdict in zip(judged.criteria, judged.verdicts, strict=True):
        if criterion.is_null and verdict.outcome in FLAGS:
            place = judged.places[verdict.case]
            return describe_null_failure(verdict, place.case, place.before)
    return ""


def collect_results(values: Iterable[Mapping[str, Any]]) -> dict[str, Result]:
    """Return the results by version; a release of two parts has that of the earlier one."""
    found: dict[str, Result] = {}
    for value in values:
        for one in value["results"]:
            if not one["is_null"] and one["version"] not in found:
                found[one["version"]] = unpack(one["result"], Result)
    return found


def join_judgements(values: Iterable[Mapping[str, Any]]) -> JudgedReleases:
    """Join what was decided of all parts, in their order."""
    places: dict[str, ReleaseCase] = {}
    criteria: list[Criterion] = []
    verdicts: list[Verdict] = []
    for value in values:
        part = unpack(value["judged"], JudgedReleases)
        places |= part.places
        criteria += part.criteria
        verdicts += part.verdicts
    return JudgedReleases(places, tuple(criteria), tuple(verdicts))
