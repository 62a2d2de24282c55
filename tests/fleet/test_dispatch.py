"""Every block gets one good result, whatever becomes of hosts and scheduler."""

from __future__ import annotations

import collections
import dataclasses
import math
import random
from pathlib import Path

import pytest

from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.dispatch import PATIENCE_S, RETURN_S, Dispatcher
from resilience_bench.fleet.errors import FleetError, SchedulerLostError
from resilience_bench.fleet.journal import Journal, open_journal
from tests.fleet.scripted_pool import ScriptedPool, answer_well, make_blocks


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal."""
    return open_journal(tmp_path / "fleet.jsonl", "kind")


def run(pool: ScriptedPool, journal: Journal, count: int = 8) -> tuple[list[Reply], list[str]]:
    """The replies to so many blocks, and what was noted."""
    notes: list[str] = []
    dispatcher = Dispatcher(
        make_blocks(count), pool, journal, note=notes.append, clock=lambda: pool.now
    )
    return dispatcher.run(), notes


def numbers(replies: list[Reply]) -> list[int]:
    """The numbers of the blocks that were answered."""
    return [(reply.value or {})["number"] for reply in replies]


def test_every_block_is_measured_once_and_in_order(journal: Journal) -> None:
    """Replies are in the order of the blocks, one each."""
    pool = ScriptedPool({"a", "b", "c"})
    replies, notes = run(pool, journal)
    assert numbers(replies) == list(range(8))
    assert len(pool.measured) == 8
    assert not notes


def test_no_more_blocks_fly_than_there_are_hosts(journal: Journal) -> None:
    """A host that joins later finds work, because none was promised to others."""
    seen: list[int] = []
    pool = ScriptedPool({"a", "b"})

    def answer(key: str, block: Block, host: str, number: int) -> Reply:
        seen.append(len(pool.running))
        return answer_well(key, block, host, number)

    pool.answer = answer
    run(pool, journal)
    assert max(seen) == 2


def test_a_typed_again_command_measures_only_what_is_missing(journal: Journal) -> None:
    """The journal of an interrupted command counts; nothing in it is measured again."""
    pool = ScriptedPool({"a"})

    def interrupt(key: str, block: Block, host: str, number: int) -> Reply:
        if number == 3:
            raise KeyboardInterrupt
        return answer_well(key, block, host, number)

    pool.answer = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(pool, journal)
    again = ScriptedPool({"a"})
    replies, _ = run(again, open_journal(journal.path, "kind"))
    assert numbers(replies) == list(range(8))
    assert {name for name, _ in pool.measured}.isdisjoint(name for name, _ in again.measured)
    assert len(pool.measured) + len(again.measured) == 8


def test_a_journal_of_another_kind_does_not_count(journal: Journal) -> None:
    """Results are never mixed across kinds of hosts."""
    run(ScriptedPool({"a"}), journal)
    other = ScriptedPool({"z"})
    replies, _ = run(other, open_journal(journal.path, "other kind"))
    assert {reply.host for reply in replies} == {"z"}
    assert len(other.measured) == 8


def test_a_lost_host_loses_no_block(journal: Journal) -> None:
    """A block whose host went away is measured on another one."""
    pool = ScriptedPool({"a", "b"})

    def answer(key: str, block: Block, host: str, number: int) -> Reply | None:
        if host == "b":
            pool.hosts.discard("b")
            return Reply(key, "", is_lost=True)
        return answer_well(key, block, host, number)

    pool.answer = answer
    replies, notes = run(pool, journal)
    assert numbers(replies) == list(range(8))
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
    replies, _ = run(pool, journal, 200)
    assert numbers(replies) == list(range(200))
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
    replies, notes = run(pool, journal, 100)
    assert numbers(replies) == list(range(100))
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
    replies, _ = run(pool, journal)
    assert numbers(replies) == list(range(8))
    assert [name for name, _ in pool.measured].count("block 1") == 1


def test_a_host_that_does_not_say_what_it_holds_gets_no_block_at_first(journal: Journal) -> None:
    """Others measure; after a while, it counts as a host that holds nothing."""
    pool = ScriptedPool({"a", "b"}, silent={"b"})
    replies, _ = run(pool, journal, 200)
    assert numbers(replies) == list(range(200))
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
    replies, notes = run(pool, journal, 1)
    assert numbers(replies) == [0]
    assert pool.canceled
    assert sum(note.startswith("lost: host") for note in notes) == 2


def test_failures_without_a_host_end_as_well(journal: Journal) -> None:
    """A block that no host can even be given is an error, not tried for ever."""
    pool = ScriptedPool({"a", "b", "c"})
    pool.answer = lambda key, _block, _host, _number: Reply(key, "", failure="it cannot be read")
    with pytest.raises(FleetError, match="it cannot be read"):
        run(pool, journal)


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
    replies, _ = run(pool, journal)
    assert len(replies) == 8


@pytest.mark.parametrize(
    ("bad", "word"),
    [({"noise": "its bare call differs"}, "noisy"), ({"reference_ns": 200.0}, "slow")],
)
def test_what_a_bad_host_measured_is_measured_again_elsewhere(
    journal: Journal, bad: dict[str, object], word: str
) -> None:
    """No result of a slow or noisy host stays while another host can measure it."""
    pool = ScriptedPool({"a", "b", "c"})

    def answer(key: str, block: Block, host: str, number: int) -> Reply:
        parts = {"reference_ns": 100.0} | (bad if host == "b" else {})
        return Reply(key, host, 1.0, dict(block.content), **parts)  # type: ignore[arg-type]

    pool.answer = answer
    replies, notes = run(pool, journal)
    assert {reply.host for reply in replies} == {"a", "c"}
    assert numbers(replies) == list(range(8))
    assert any(f"host b is {word}" in note for note in notes)


def test_a_noisy_host_alone_is_said_to_be_noisy(journal: Journal) -> None:
    """Without another host the result is kept, and said to be doubtful; that ends."""
    pool = ScriptedPool({"a"})
    pool.answer = lambda key, block, host, _: Reply(
        key, host, 1.0, dict(block.content), noise="differs"
    )
    replies, notes = run(pool, journal, 2)
    assert len(replies) == len(pool.measured) == 2
    assert sum("kept: no other host is left" in note for note in notes) == 2


def test_a_stalled_block_is_measured_elsewhere(journal: Journal) -> None:
    """A host that takes far longer than others loses its block to an idle one."""
    pool = ScriptedPool({"a", "b"})
    pool.answer = lambda key, block, host, number: (
        None if host == "b" else answer_well(key, block, host, number)
    )
    replies, notes = run(pool, journal, 4)
    assert {reply.host for reply in replies} == {"a"}
    assert any("host b has taken over" in note for note in notes)


def test_a_restarted_scheduler_loses_nothing_and_nothing_is_measured_twice(
    journal: Journal,
) -> None:
    """What hosts go on measuring meanwhile is fetched from them."""
    pool = ScriptedPool({"a", "b"}, away=3)
    state = {"lost": False}

    def answer(key: str, block: Block, host: str, number: int) -> Reply | Exception:
        if number == 4 and not state["lost"]:
            state["lost"] = True
            pool.held = {one: where for one, (where, _) in pool.running.items()}
            return SchedulerLostError()
        if key in pool.held:
            assert pool.held[key] == host
        return answer_well(key, block, host, number)

    pool.answer = answer
    replies, notes = run(pool, journal)
    assert state["lost"]
    assert numbers(replies) == list(range(8))
    assert set(collections.Counter(name for name, _ in pool.measured).values()) == {1}
    assert notes[-1] == "the scheduler is back"


def test_a_block_that_fails_on_two_hosts_is_an_error_with_its_reason(journal: Journal) -> None:
    """One host may lack something; if a second fails too, it is reported."""
    pool = ScriptedPool({"a", "b", "c"})
    pool.answer = lambda key, _block, host, _: Reply(key, host, failure="valgrind is gone")
    with pytest.raises(FleetError, match=r"block \d: failed on host ., .: valgrind is gone; mend"):
        run(pool, journal)


def test_a_block_that_fails_on_one_host_is_measured_on_another(journal: Journal) -> None:
    """A failure is a matter of its host until another host has failed too."""
    pool = ScriptedPool({"a", "b"})
    pool.answer = lambda key, block, host, number: (
        Reply(key, host, failure="disk full")
        if host == "a"
        else answer_well(key, block, host, number)
    )
    replies, _ = run(pool, journal, 3)
    assert {reply.host for reply in replies} == {"b"}


def test_a_fleet_without_hosts_is_waited_for_and_then_given_up(journal: Journal) -> None:
    """After the last host has gone, the command says where what was measured is."""
    pool = ScriptedPool({"a"})

    def answer(key: str, block: Block, host: str, number: int) -> Reply | None:
        if number == 2:
            pool.hosts.clear()
            return Reply(key, "", is_lost=True)
        return answer_well(key, block, host, number)

    pool.answer = answer
    with pytest.raises(FleetError, match="type the same command again to go on"):
        run(pool, journal)
    assert pool.now > PATIENCE_S
    assert len(open_journal(journal.path, "kind").replies) == 2


@pytest.mark.parametrize("seed", range(20))
def test_random_losses_lose_nothing(journal: Journal, seed: int) -> None:
    """Hosts that go and come at random, and a scheduler too: each block has one result."""
    chance = random.Random(seed)
    pool = ScriptedPool({"a", "b", "c", "d"})

    def answer(key: str, block: Block, host: str, number: int) -> Reply | Exception | None:
        event = chance.random()
        if event < 0.2 and len(pool.hosts) > 1:
            pool.hosts.discard(host)
            return Reply(key, "", is_lost=True)
        if event < 0.25:
            return SchedulerLostError()
        if event < 0.4:
            pool.hosts |= {"a", "b", "c", "d"}
            return None
        return answer_well(key, block, host, number)

    pool.answer = answer
    replies, _ = run(pool, journal, 30)
    assert numbers(replies) == list(range(30))
    assert set(collections.Counter(name for name, _ in pool.measured).values()) == {1}
