"""Finds the cases that scenario files declare, and which of them can be measured here."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resilience_bench._model import CaseInfo, CaseRecord, Samples, WorkerRecord
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure.launcher import Launcher, WorkerFailedError
from resilience_bench.measure.session import Profile, Session, list_loaded_cases, start_plan
from resilience_bench.worker.protocol import DeclarationMessage, Message, Plan, ProblemMessage


@dataclass(frozen=True, slots=True)
class Selection:
    """Cases that scenario files declare, and the files that could not be used."""

    cases: tuple[CaseInfo, ...]
    problems: tuple[str, ...]


def discover(launcher: Launcher, paths: Sequence[Path], time_limit_s: float) -> Selection:
    """List the cases below the paths, without building any.

    A file that ends its worker while it is imported is a problem of that file alone: the others
    are listed one by one.
    """
    plan = Plan("discover", tuple(map(str, paths)), time_limit_s=time_limit_s)
    try:
        messages = launcher.run(plan, hash_seed=0)
    except WorkerFailedError as error:
        if len(paths) == 1:
            return Selection((), (f"{paths[0]}:1: importing it {error}",))
        listings = [discover(launcher, [path], time_limit_s) for path in paths]
        return Selection(
            tuple(itertools.chain.from_iterable(listing.cases for listing in listings)),
            tuple(itertools.chain.from_iterable(listing.problems for listing in listings)),
        )
    return Selection(
        tuple(message.info for message in messages if isinstance(message, DeclarationMessage)),
        tuple(message.text for message in messages if isinstance(message, ProblemMessage)),
    )


def inspect(launcher: Launcher, cases: Sequence[CaseInfo], time_limit_s: float) -> list[CaseRecord]:
    """Build every case, without timing it, to find out which are available and why not."""
    profile = Profile("inspect", workers=1, samples=1, block_cases=1000, time_limit_s=time_limit_s)
    session = _Inspection(launcher, cases, profile)
    for _ in session.run():
        pass
    return list(session.records.values())


class _Inspection(Session):
    def _make_plan(self, index: int, block: Sequence[CaseInfo], profile: Profile) -> Plan:
        del index
        plan = start_plan("inspect", block)
        return replace(plan, time_limit_s=profile.time_limit_s, under=list_loaded_cases(block))

    def _build_record(
        self, messages: Sequence[Message], index: int, number: int, started: str
    ) -> WorkerRecord:
        del messages
        return WorkerRecord(index, number, index, started, now(), 0.0, Samples(1, ()))
