"""A self-test by a fleet: the builds are divided, and each part is a self-test of its own.

A part learns what is acceptable on its host and draws its builds from its host's workers, because a
build is only ever judged by what was measured on the same host.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from resilience_bench._model import Environment
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.files import results
from resilience_bench.fleet.block import Block, Reply, pack, unpack
from resilience_bench.fleet.health import make_answer
from resilience_bench.fleet.job import Job
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.selftest.builds import Build, Rate, Step, estimate_rate
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.selftest.proof_file import Proof
from resilience_bench.selftest.self_test import SelfTestOptions, prepare_self_test

BUILDS_A_PART: Final = 100
"""More than a host has: a host has one part, because each part begins with learning."""


@dataclass(frozen=True, slots=True)
class FleetProof:
    """What a fleet has proven; ``drawn`` are the rates over drawn builds of all hosts."""

    proof: Proof
    drawn: list[Rate]
    cases: int
    environment: Environment
    hosts: tuple[str, ...]


def prove(
    job: Job,
    options: SelfTestOptions,
    steps: Sequence[Step],
    show: Callable[[Block, Reply], None],
) -> FleetProof:
    """Have a fleet run builds."""
    count = job.count_parts(len(steps), BUILDS_A_PART)
    blocks = [make_block(options, steps[place::count], count, place) for place in range(count)]
    replies = job.dispatch(blocks, show)
    values = [reply.value or {} for reply in replies]
    proofs = [unpack(value["proof"], Proof) for value in values]
    builds: list[Build] = [build for proof in proofs for build in proof.builds]
    return FleetProof(
        replace(proofs[0], builds=tuple(builds)),
        join_rates(unpack(rate, Rate) for value in values for rate in value["drawn"]),
        values[0]["cases"],
        unpack(values[0]["environment"], Environment),
        tuple(sorted({reply.host for reply in replies})),
    )


def make_block(options: SelfTestOptions, steps: Sequence[Step], parts: int, place: int) -> Block:
    """Make the block of some builds, with its share of the builds that are drawn."""
    own = replace(options, drawn=-(-options.drawn // parts))
    content = {"options": pack(own), "steps": pack(list(steps)), "part": place}
    return Block(f"{len(steps)} builds, part {place + 1}", prove_part, content, len(steps))


def prove_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """Learn and run builds on this host."""
    options = unpack(content["options"], SelfTestOptions)
    console = Console(file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proof.json"
        test = prepare_self_test(ProcessLauncher(), options, None, path, console)
        test.steps = unpack(content["steps"], list[Step])
        with keep_cores_busy(test.proof.neighbours):
            calibration = test.measure()
        test.simulate(calibration)
        learned = results.read(path.with_suffix("") / "learn-1.json")
        value = {
            "proof": pack(test.proof),
            "drawn": pack(test.simulated),
            "cases": len(test.runner.cases),
            "environment": pack(detect_environment()),
        }
    return make_answer(value, learned.workers)


def join_rates(rates: Iterable[Rate]) -> list[Rate]:
    """Join the rates of all parts: builds of one kind are counted together."""
    groups: dict[tuple[Step, str, str], list[Rate]] = {}
    for rate in rates:
        step: Step = (rate.gate, rate.planted_percent, rate.kind)
        groups.setdefault((step, rate.signal, rate.builds), []).append(rate)
    joined = []
    for (step, signal, builds), some in groups.items():
        hits, trials = sum(one.hits for one in some), sum(one.trials for one in some)
        outcomes = [True] * hits + [False] * (trials - hits)
        joined.append(estimate_rate(step, signal, builds, outcomes))
    return joined
