"""Every block gets one good result, whatever becomes of hosts and scheduler."""

from __future__ import annotations

import collections
import random

import pytest

from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.dispatch import PATIENCE_S
from resilience_bench.fleet.errors import FleetError, SchedulerLostError
from resilience_bench.fleet.journal import Journal, open_journal
from tests.fleet.scripted_pool import (
    ScriptedPool,
    answer_well,
    list_numbers,
    run_blocks,
)


def test_every_block_is_measured_once_and_in_order(journal: Journal) -> None:
    """Replies are in the order of the blocks, one each."""
    pool = ScriptedPool({"a", "b", "c"})
    replies, notes = run_blocks(pool, journal)
    assert list_numbers(replies) == list(range(8))
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
    run_blocks(pool, journal)
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
        run_blocks(pool, journal)
    again = ScriptedPool({"a"})
    replies, _ = run_blocks(again, open_journal(journal.path, "kind"))
    assert list_numbers(replies) == list(range(8))
    assert {name for name, _ in pool.measured}.isdisjoint(name for name, _ in again.measured)
    assert len(pool.measured) + len(again.measured) == 8


def test_a_journal_of_another_kind_does_not_count(journal: Journal) -> None:
    """Results are never mixed across kinds of hosts."""
    run_blocks(ScriptedPool({"a"}), journal)
    other = ScriptedPool({"z"})
    replies, _ = run_blocks(other, open_journal(journal.path, "other kind"))
    assert {reply.host for reply in replies} == {"z"}
    assert len(other.measured) == 8


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
    replies, notes = run_blocks(pool, journal)
    assert {reply.host for reply in replies} == {"a", "c"}
    assert list_numbers(replies) == list(range(8))
    assert any(f"host b is {word}" in note for note in notes)


def test_a_noisy_host_alone_is_said_to_be_noisy(journal: Journal) -> None:
    """Without another host the result is kept, and said to be doubtful; that ends."""
    pool = ScriptedPool({"a"})
    pool.answer = lambda key, block, host, _: Reply(
        key, host, 1.0, dict(block.content), noise="differs"
    )
    replies, notes = run_blocks(pool, journal, 2)
    assert len(replies) == len(pool.measured) == 2
    assert sum("kept: no other host is left" in note for note in notes) == 2


def test_a_stalled_block_is_measured_elsewhere(journal: Journal) -> None:
    """A host that takes far longer than others loses its block to an idle one."""
    pool = ScriptedPool({"a", "b"})
    pool.answer = lambda key, block, host, number: (
        None if host == "b" else answer_well(key, block, host, number)
    )
    replies, notes = run_blocks(pool, journal, 4)
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
    replies, notes = run_blocks(pool, journal)
    assert state["lost"]
    assert list_numbers(replies) == list(range(8))
    assert set(collections.Counter(name for name, _ in pool.measured).values()) == {1}
    assert notes[-1] == "the scheduler is back"


def test_a_block_that_fails_on_two_hosts_is_an_error_with_its_reason(journal: Journal) -> None:
    """One host may lack something; if a second fails too, it is reported."""
    pool = ScriptedPool({"a", "b", "c"})
    pool.answer = lambda key, _block, host, _: Reply(key, host, failure="valgrind is gone")
    with pytest.raises(FleetError, match=r"block \d: failed on host ., .: valgrind is gone; mend"):
        run_blocks(pool, journal)


def test_a_block_that_fails_on_one_host_is_measured_on_another(journal: Journal) -> None:
    """A failure is a matter of its host until another host has failed too."""
    pool = ScriptedPool({"a", "b"})
    pool.answer = lambda key, block, host, number: (
        Reply(key, host, failure="disk full")
        if host == "a"
        else answer_well(key, block, host, number)
    )
    replies, _ = run_blocks(pool, journal, 3)
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
        run_blocks(pool, journal)
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
    replies, _ = run_blocks(pool, journal, 30)
    assert list_numbers(replies) == list(range(30))
    assert set(collections.Counter(name for name, _ in pool.measured).values()) == {1}
