"""What a block gets whose host is lost: the result that the host holds, or another host."""

from __future__ import annotations

import dataclasses
import math

import pytest

from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.dispatch import RETURN_S
from resilience_bench.fleet.errors import FleetError
from resilience_bench.fleet.journal import Journal
from tests.fleet.scripted_pool import (
    ScriptedPool,
    answer_well,
    list_numbers,
    run_blocks,
)


def test_a_lost_host_loses_no_block(journal: Journal) -> None:
    """A block whose host went away is measured on another one."""
    pool = ScriptedPool({"a", "b"})

    def answer(key: str, block: Block, host: str, number: int) -> Reply | None:
        if host == "b":
            pool.hosts.discard("b")
            return Reply(key, "", is_lost=True)
        return answer_well(key, block, host, number)

    pool.answer = answer
    replies, notes = run_blocks(pool, journal)
    assert list_numbers(replies) == list(range(8))
    assert any("lost: host b" in note for note in notes)


@dataclasses.dataclass
class Kill:
    """Kills host b as soon as it has block 1; the host is back after so many seconds, or never.

    ``keeps`` says whether the result was on the host's disk before.
    """

    pool: ScriptedPool
    after_s: float
    keeps: bool
    at_s: float | None = None

    def __call__(self, key: str, block: Block, host: str, number: int) -> Reply | None:
        """See `scripted_pool.Answer`."""
        if self.at_s is not None and self.pool.now > self.at_s + self.after_s:
            if "b" not in self.pool.hosts:
                self.pool.starts["b"] += 1
            self.pool.hosts.add("b")
        if block.name == "block 1" and self.at_s is None:
            assert host == "b"
            self.at_s = self.pool.now
            self.pool.hosts.discard("b")
            if self.keeps:
                self.pool.kept[key] = answer_well(key, block, host, number)
                self.pool.measured.append((block.name, host))
            return Reply(key, "", is_lost=True)
        return answer_well(key, block, host, number)


@pytest.mark.parametrize(
    ("after_s", "keeps", "measurements"),
    [(3.0, True, 1), (3.0, False, 1), (math.inf, True, 2), (math.inf, False, 1)],
)
def test_a_block_waits_for_its_lost_host_which_may_hold_its_result(
    journal: Journal, after_s: float, *, keeps: bool, measurements: int
) -> None:
    """Only what a killed host kept and never brought back is measured a second time."""
    pool = ScriptedPool({"a", "b"})
    pool.answer = Kill(pool, after_s, keeps)
    replies, _ = run_blocks(pool, journal, 200)
    assert list_numbers(replies) == list(range(200))
    assert [name for name, _ in pool.measured].count("block 1") == measurements


def test_a_host_that_comes_back_late_with_a_result_ends_the_other_measurement(
    journal: Journal,
) -> None:
    """What is held is taken, and the host that measures the block meanwhile stops."""
    pool = ScriptedPool({"a", "b"})
    kill = Kill(pool, RETURN_S + 10, keeps=True)

    def answer(key: str, block: Block, host: str, number: int) -> Reply | None:
        reply = kill(key, block, host, number)
        if block.name == "block 1" and host == "a":  # it takes long
            return None
        return reply

    pool.answer = answer
    # Somebody has to let the time go by.
    replies, notes = run_blocks(pool, journal, 100)
    assert list_numbers(replies) == list(range(100))
    assert pool.stopped == ["a"]
    assert replies[1].host == "b"
    assert "block 1: host b came back with it; host a need not go on" in notes


def test_a_result_that_could_not_be_sent_is_fetched_from_the_same_host(journal: Journal) -> None:
    """A host that is still there has its result, although Dask says that it was lost."""
    pool = ScriptedPool({"a", "b"})

    def answer(key: str, block: Block, host: str, number: int) -> Reply | None:
        reply = answer_well(key, block, host, number)
        if block.name == "block 1" and ("block 1", host) not in pool.measured:
            pool.kept[key] = reply
            pool.measured.append((block.name, host))
            return Reply(key, "", is_lost=True)
        return reply

    pool.answer = answer
    replies, _ = run_blocks(pool, journal)
    assert list_numbers(replies) == list(range(8))
    assert [name for name, _ in pool.measured].count("block 1") == 1


def test_a_host_that_does_not_say_what_it_holds_gets_no_block_at_first(journal: Journal) -> None:
    """Others measure; after a while, it counts as a host that holds nothing."""
    pool = ScriptedPool({"a", "b"}, silent={"b"})
    replies, _ = run_blocks(pool, journal, 200)
    assert list_numbers(replies) == list(range(200))
    first = [host for _, host in pool.measured].index("b")
    assert RETURN_S - 2 <= first <= RETURN_S + 3


def test_hosts_that_were_all_started_again_get_their_blocks_once_more(journal: Journal) -> None:
    """A worker that is started again knows nothing of a block that Dask keeps for the first one."""
    pool = ScriptedPool({"a", "b"})
    asked: list[str] = []

    def answer(key: str, block: Block, host: str, number: int) -> Reply | None:
        asked.append(host)
        if block.name == "block 0" and sum(pool.starts.values()) < 2:
            pool.starts[sorted(pool.hosts)[sum(pool.starts.values())]] += 1
            return None
        return answer_well(key, block, host, number) if pool.canceled else None

    pool.answer = answer
    replies, notes = run_blocks(pool, journal, 1)
    assert list_numbers(replies) == [0]
    assert pool.canceled
    assert sum(note.startswith("lost: host") for note in notes) == 2


def test_failures_without_a_host_end_as_well(journal: Journal) -> None:
    """A block that no host can even be given is an error, not tried for ever."""
    pool = ScriptedPool({"a", "b", "c"})
    pool.answer = lambda key, _block, _host, _number: Reply(key, "", failure="it cannot be read")
    with pytest.raises(FleetError, match="it cannot be read"):
        run_blocks(pool, journal)


def test_a_host_that_vanishes_silently_gives_its_block_back(journal: Journal) -> None:
    """Where Dask never answers for a host that has gone, the block is taken back."""
    pool = ScriptedPool({"a", "b"})
    noisy = {"b"}

    def answer(key: str, block: Block, host: str, number: int) -> Reply | None:
        if host in noisy:
            return Reply(key, host, 1.0, {}, 100.0, noise="its bare call differs")
        if block.name == "block 7" and "a" in pool.hosts and number >= 8:
            pool.hosts = {"b"}
            noisy.clear()
            return None
        return answer_well(key, block, host, number)

    pool.answer = answer
    replies, _ = run_blocks(pool, journal)
    assert len(replies) == 8
