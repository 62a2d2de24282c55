"""A run by a fleet: the cases are divided into parts, a host each.

All cases of a scenario are in one part: people compare the libraries in it with each other. So is
what each of them is divided by, the reference and the bare call: every worker measures both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from resilience_bench._model import CaseInfo, LoadRecord, Result, Signal, WorkerRecord
from resilience_bench.errors import format_names
from resilience_bench.fleet.block import Block, Reply, pack, unpack
from resilience_bench.fleet.cases import pack_cases, unpack_cases
from resilience_bench.fleet.health import make_answer
from resilience_bench.fleet.job import Job, split
from resilience_bench.measure.counting import PLAIN_SIGNALS
from resilience_bench.measure.interleave import MeasuredVariant, measure_interleaved
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import Profile
from resilience_bench.servers.open_servers import Servers

GROUPS_A_BLOCK: Final = 8
"""A block has at least so many scenarios, if there are enough: each begins all of its workers."""
LOADED_WEIGHT: Final = 5.0
"""How many other cases take as long as one under a load."""


def measure_cases(
    job: Job,
    cases: Sequence[CaseInfo],
    profile: Profile,
    signals: Sequence[Signal],
    show: Callable[[Block, Reply], None],
) -> list[Result]:
    """Have a fleet measure cases; return the results of all parts, in the order of the cases."""
    groups: dict[str, list[CaseInfo]] = {}
    for info in cases:
        groups.setdefault(info.case.group, []).append(info)
    parts = split(list(groups.values()), job.count_parts(len(groups), GROUPS_A_BLOCK), weigh_cases)
    blocks = [
        make_block([info for group in part for info in group], profile, signals) for part in parts
    ]
    return [unpack((reply.value or {})["result"], Result) for reply in job.dispatch(blocks, show)]


def weigh_cases(cases: Sequence[CaseInfo]) -> float:
    """Return how long cases take, in cases with one caller that do nothing."""
    return sum(LOADED_WEIGHT if info.case.is_loaded else 1.0 for info in cases)


def make_block(cases: Sequence[CaseInfo], profile: Profile, signals: Sequence[Signal]) -> Block:
    """Make the block of some cases."""
    names = format_names([info.case.name for info in cases])
    content = {"cases": pack_cases(cases), "profile": pack(profile), "signals": list(signals)}
    return Block(names, measure_part, content, weigh_cases(cases))


def measure_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """Measure cases on this host as a run does."""
    profile = unpack(content["profile"], Profile)
    signals: Sequence[Signal] = content["signals"]
    with Servers() as servers, tempfile.TemporaryDirectory() as folder:
        session, loaded = create_sessions(
            ProcessLauncher(), unpack_cases(content["cases"]), profile, servers=servers
        )
        file = Path(folder) / "run.json"
        recording = Recording(session.records, profile.name, file, signals=signals)
        variant = MeasuredVariant(session, recording, loaded)
        possible = {one.signal for one in loaded if one.cases}
        possible |= set(PLAIN_SIGNALS) if session.cases else set()
        wanted = [signal for signal in signals if signal in possible]
        for _, block in measure_interleaved([variant], wanted):
            recording.add(block)
        result = recording.result(complete=True)
    return make_answer({"result": pack(result)}, result.workers)


def join_results(start: Result, parts: Sequence[Result]) -> Result:
    """Join the results of all parts; ``start`` says what the run is, and has its cases in order.

    The parts are of hosts of one kind. Blocks keep different numbers, whichever host had them.
    """
    known = {record.case.name: record for part in parts for record in part.cases}
    first = 0
    workers: list[WorkerRecord] = []
    loads: list[LoadRecord] = []
    for part in parts:
        workers += [replace(one, block=first + one.block) for one in part.workers]
        loads += [replace(one, block=first + one.block) for one in part.loads]
        blocks = {one.block for one in part.workers} | {one.block for one in part.loads}
        first += 1 + max(blocks, default=0)
    return replace(
        start,
        started=min(part.started for part in parts),
        ended=max(part.ended for part in parts),
        complete=True,
        load_average=parts[0].load_average,
        environment=parts[0].environment,
        seeds=tuple(sorted({seed for part in parts for seed in part.seeds})),
        cases=tuple(known.get(record.case.name, record) for record in start.cases),
        workers=tuple(sorted(workers, key=lambda one: (one.index, one.block))),
        instructions=tuple(one for part in parts for one in part.instructions),
        allocations=tuple(one for part in parts for one in part.allocations),
        loads=tuple(sorted(loads, key=lambda one: (one.index, one.block))),
    )
