"""Try a fleet of 4 hosts on one machine: how fast it is, and what random kills lose."""

from __future__ import annotations

import collections
import datetime as dt
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from fleet_replay import FINISHED, Finish, read_finishes, replay
from local_fleet import LocalFleet, start_fleet

from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.fleet.facts import Needs
from resilience_bench.fleet.job import Job, open_job
from resilience_bench.releases import fleet as fleets
from resilience_bench.releases import history_file
from resilience_bench.releases.history_file import History
from resilience_bench.releases.index import PublishedRelease
from resilience_bench.releases.measure import NULL_EVERY

ROOT: Final = Path(__file__).resolve().parents[2]
HISTORIES: Final = ROOT / "results" / "releases"
HOSTS: Final = ("one", "two", "three", "four")
REPLAYED_S: Final = 30.0
"""To how long one host's time is shortened."""
KILLED_BLOCKS: Final = 60
KILLS: Final = 20
RESTARTS: Final = (7, 14)
"""After which kills the scheduler is killed and started again."""
SEED: Final = 1
UNKEPT: Final = "blocks killed at their very end, before their result was on the host's disk"
"""They are measured again, as all blocks are that are killed while they are measured."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long a history took on one host, and how long each of its releases."""

    total_s: float
    releases_s: dict[str, float]

    def add_up(self, part: fleets.Part) -> float:
        """Return how long a part takes; a null control has half as many workers."""
        own = [self.releases_s[release.version] for release in part.releases]
        return sum(own) + (sum(own[::NULL_EVERY]) / 2 if part.has_null else 0)


def estimate_durations(history: History) -> Durations:
    """Divide the time that a history took among its releases, in proportion to their cases."""
    ended, started = (dt.datetime.fromisoformat(text) for text in (history.ended, history.started))
    total_s = (ended - started).total_seconds()
    counts = {
        release.version: len([cost for cost in release.values.values() if cost.quantities])
        for release in history.measured
    }
    twice = list(counts.values())[::NULL_EVERY]
    a_case_s = total_s / (sum(counts.values()) + sum(twice) / 2)
    return Durations(total_s, {version: a_case_s * count for version, count in counts.items()})


def try_speed(job: Job, history: History) -> str:
    """Replay a history on the fleet; return a row."""
    durations = estimate_durations(history)
    usable = [PublishedRelease(release.version) for release in history.measured]
    parts = fleets.divide(usable, job.count_parts)
    blocks = [
        Block(
            f"{history.package} {number}",
            replay,
            {
                "number": f"{history.package} {number}",
                "seconds": REPLAYED_S * durations.add_up(part) / durations.total_s,
            },
            durations.add_up(part),
        )
        for number, part in enumerate(parts)
    ]
    started = time.monotonic()
    job.dispatch(blocks, lambda _block, _reply: None)
    ratio = (time.monotonic() - started) / REPLAYED_S
    row = (len(usable), len(blocks), durations.total_s, ratio * durations.total_s, ratio)
    return "{:18} {:8} {:6} {:10.0f} {:11.0f} {:6.2f}".format(history.package, *row)


@dataclass(slots=True)
class Killer:
    """Ends random workers by SIGKILL, and starts each again; the scheduler too, now and then."""

    fleet: LocalFleet
    kills: list[tuple[str, float]] = field(default_factory=list)
    restarts: int = 0

    def run(self, done: threading.Event) -> None:
        """Kill until that was done often enough."""
        chance = random.Random(SEED)  # noqa: S311 - no secret
        while len(self.kills) < KILLS and not done.is_set():
            time.sleep(chance.uniform(0.5, 2.5))
            host = chance.choice(HOSTS)
            self.fleet.kill(host)
            self.kills.append((host, time.time()))
            if len(self.kills) in RESTARTS:
                self.fleet.kill("scheduler")
                time.sleep(1)
                self.fleet.start_scheduler()
                self.restarts += 1
            self.fleet.start_worker(host)

    def was_killed(self, first: Finish, second: Finish) -> bool:
        """Return whether the first host was killed before the second one had finished."""
        return any(
            host == first.host and first.time_s <= time_s <= second.time_s
            for host, time_s in self.kills
        )


def try_kills(fleet: LocalFleet, job: Job, finished: Path) -> Iterator[str]:
    """Measure while random workers are killed; yield what was lost."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    blocks = [
        Block(f"block {number}", replay, {"number": number, "seconds": chance.uniform(1, 3)})
        for number in range(KILLED_BLOCKS)
    ]
    killer, done = Killer(fleet), threading.Event()
    thread = threading.Thread(target=killer.run, args=(done,))
    finished.write_bytes(b"")
    started = time.monotonic()
    thread.start()
    try:
        replies = job.dispatch(blocks, lambda _block, _reply: None)
    finally:
        seconds = time.monotonic() - started
        done.set()
        thread.join()
    answered = [(reply.value or {}).get("number") for reply in replies]
    lost = len(set(range(KILLED_BLOCKS)) - {number for number in answered if number is not None})
    finishes = read_finishes(finished)
    keys = {str(block.content["number"]): block.key(job.journal.job) for block in blocks}
    kept = {key: list_keepers(fleet, key) for key in keys.values()}
    yield (
        f"{len(killer.kills)} random kills of workers (SIGKILL, each started again) and "
        f"{killer.restarts} of the scheduler, while {len(HOSTS)} hosts measured {KILLED_BLOCKS} "
        f"blocks of 1 to 3 s in {seconds:.0f} s:"
    )
    yield f"blocks lost: {lost}"
    yield f"blocks with one result, that of their own: {sum(map(_is_own, blocks, replies))}"
    cases = collections.Counter(
        explain_repeat(first, second, kept[keys[first.number]], killer)
        for first, second in find_repeats(finishes)
    )
    unkept = cases.pop(UNKEPT, 0)
    yield f"results measured twice: {cases.total()}"
    for text, count in cases.most_common():
        yield f"  {count}: {text}"
    yield f"{UNKEPT}: {unkept}"


def list_keepers(fleet: LocalFleet, key: str) -> list[str]:
    """Return the hosts that have the result of a block on their disks."""
    return [host for host in HOSTS if (fleet.folder / f"cache/fleet/{host}/{key}.json").exists()]


def find_repeats(finishes: Sequence[Finish]) -> list[tuple[Finish, Finish]]:
    """Pair each measurement that was not the first of its block with the one before."""
    last: dict[str, Finish] = {}
    pairs = []
    for finish in finishes:
        if finish.number in last:
            pairs.append((last[finish.number], finish))
        last[finish.number] = finish
    return pairs


def explain_repeat(first: Finish, second: Finish, keepers: Sequence[str], killer: Killer) -> str:
    """Say why a block was measured again."""
    if not killer.was_killed(first, second):
        return "two hosts measured it at the same time; none of them was killed meanwhile"
    if first.host == second.host or first.host not in keepers:
        return UNKEPT
    return "a host was killed with the result on its disk, and another one measured it meanwhile"


def _is_own(block: Block, reply: Reply) -> bool:
    return reply.value == {"number": block.content["number"]}


def make_lines(folder: Path, packages: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the trial, as they come."""
    where = detect_environment()
    date = dt.datetime.now(dt.UTC).date()
    load = os.getloadavg()[0]
    yield (
        f"{date}, {where.python}, {where.cpu_count} x {where.cpu_model}, mean load {load:.1f}; "
        f"{len(HOSTS)} hosts are {len(HOSTS)} worker processes on loopback"
    )
    finished = folder / "finished"
    with start_fleet(folder, HOSTS, {FINISHED: str(finished)}) as fleet:
        choice = FleetChoice(fleet.address)
        journal = folder / "kills.jsonl"
        with open_job(choice, Needs(), (), journal, lambda text: click.echo(text, err=True)) as job:
            yield from try_kills(fleet, job, finished)
        yield ""
        yield "Speed, by replayed durations: one host's time is that of the committed history, and"
        yield "a host of the fleet waits as long as its block took there, in proportion to releases"
        yield f"and cases, shortened so that one host takes {REPLAYED_S:g} s. Nothing is measured."
        yield "history            releases blocks one host s fleet of 4 s  ratio"
        for package in packages:
            history = history_file.read(HISTORIES / package)
            journal = folder / f"{package}.jsonl"
            with open_job(choice, Needs(), (), journal, lambda _: None) as job:
                yield try_speed(job, history)


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default=ROOT / "results/fleet.txt")
def main(output: Path) -> None:
    """Write the results of a trial to a file."""
    packages = sorted(path.parent.name for path in HISTORIES.glob("*/releases.json"))
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for line in make_lines(Path(folder), packages):
            click.echo(line)
            lines.append(line)
    output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
