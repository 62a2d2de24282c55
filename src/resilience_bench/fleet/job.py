"""A job for a fleet, from the address to the replies: what the commands have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from resilience_bench.errors import format_amount, format_names
from resilience_bench.fleet import desk
from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.fleet.dispatch import Dispatcher
from resilience_bench.fleet.errors import FleetError, SchedulerLostError
from resilience_bench.fleet.facts import Needs, choose_hosts, describe_left_out
from resilience_bench.fleet.journal import Journal, open_journal

if TYPE_CHECKING:
    from resilience_bench.fleet.pool import DaskPool

MOST_BLOCKS: Final = 4
"""A host gets at most so many blocks, if all hosts are alike: more only cost more to begin."""

T = TypeVar("T")
Note = Callable[[str], None]


@dataclass(slots=True)
class Job:
    """A job on the hosts of a fleet that were chosen for it, and its journal."""

    dispatch: Callable[[Sequence[Block], Callable[[Block, Reply], None]], list[Reply]]
    ask: Callable[[Callable[[], str]], str]
    journal: Journal
    hosts: int

    def count_parts(self, units: int, units_a_block: int = 1) -> int:
        """Return into how many blocks to divide units of work; the same after an interruption.

        A block has at least ``units_a_block``, unless a host would then have none. Several blocks a
        host lose less with a host; fewer and larger ones measure less twice.
        """
        hosts = self.journal.remember("hosts", self.hosts)
        blocks = hosts * max(1, min(MOST_BLOCKS, units // (units_a_block * hosts)))
        return max(1, min(units, blocks))


def split(
    items: Sequence[T], parts: int, weigh: Callable[[T], float] = lambda _: 1.0
) -> list[Sequence[T]]:
    """Split items into so many runs of about the same weight, or fewer, none of them empty."""
    total = sum(map(weigh, items))
    runs: dict[int, list[T]] = {}
    before = 0.0
    for item in items:
        weight = weigh(item)
        runs.setdefault(int((before + weight / 2) / total * parts), []).append(item)
        before += weight
    return list(runs.values())


@contextlib.contextmanager
def open_job(
    choice: FleetChoice, needs: Needs, sources: Sequence[str], journal: Path, note: Note
) -> Iterator[Job]:
    """Open a job on a fleet; ``journal`` gets the kind of the hosts into its name.

    FleetError if the fleet cannot do it, see `resilience_bench.fleet.facts.choose_hosts`.
    """
    from resilience_bench.fleet import pool as pools  # noqa: PLC0415 - imports Dask

    pool = pools.DaskPool(choice.address, pools.connect(choice.address))
    try:
        with _explain_loss(choice.address):
            found = pool.find_all()
            chosen = choose_hosts(choice.address, found, needs, choice.kind)
            _compare_sources(pool, {one: facts.host for one, facts in chosen.items()}, sources)
        if left_out := describe_left_out(found, chosen):
            note(left_out)
        first = next(iter(chosen.values()))
        pool.kind = first.kind
        kept = open_journal(journal, first.kind)
        names = sorted(facts.host for facts in chosen.values())
        hosts = format_amount(len(names), "host")
        note(f"fleet: {hosts} ({format_names(names)}) of kind {first.kind}")

        def dispatch(blocks: Sequence[Block], show: Callable[[Block, Reply], None]) -> list[Reply]:
            return Dispatcher(blocks, pool, kept, show, note).run()

        def ask(function: Callable[[], str]) -> str:
            answers = pool.ask(function, addresses=list(chosen)[:1])
            if not answers:
                raise FleetError(f"host {first.host} does not answer; look at it, and type again")
            return str(next(iter(answers.values())))

        yield Job(dispatch, ask, kept, len(chosen))
    finally:
        pools.close_client(pool.client)


@contextlib.contextmanager
def _explain_loss(address: str) -> Iterator[None]:
    try:
        yield
    except SchedulerLostError:
        raise FleetError(f"{address}: the scheduler has gone; start it, and type again") from None


def _compare_sources(pool: DaskPool, hosts: dict[str, str], sources: Sequence[str]) -> None:
    names = tuple(sources)
    here = desk.digest_sources(names)
    answers = pool.ask(desk.digest_sources, names, addresses=tuple(hosts))
    for address, host in hosts.items():
        there = answers.get(address)
        if there != here:
            state = "lacks a file of" if there == "" else "differs in"
            state = "does not answer about" if there is None else state
            raise FleetError(
                f"host {host} {state} {', '.join(names)}; expected the files that are here; copy "
                "them there, and start its worker in the folder that holds them"
            )
