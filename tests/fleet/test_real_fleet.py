"""A real scheduler and real workers on loopback, ended at random by their process IDs."""

from __future__ import annotations

import collections
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.fleet import dispatch
from resilience_bench.fleet import pool as pools
from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.fleet.facts import Needs
from resilience_bench.fleet.job import open_job
from tests.fleet.commands import type_command, write_suite


def make_blocks(count: int, seconds: float) -> list[Block]:
    """Blocks that take so long."""
    from fleet_replay import replay

    return [
        Block(f"block {number}", replay, {"number": number, "seconds": seconds})
        for number in range(count)
    ]


def test_killed_hosts_and_a_restarted_scheduler_lose_nothing(tmp_path: Path) -> None:
    """Each block has its own result, although its host, or the scheduler, was killed meanwhile."""
    from fleet_replay import FINISHED, read_finishes
    from local_fleet import start_fleet

    finished = tmp_path / "finished"
    hosts = ("one", "two", "three")
    notes: list[str] = []
    seen: list[str] = []
    with start_fleet(tmp_path, hosts, {FINISHED: str(finished)}) as fleet:

        def revive_scheduler() -> None:
            # One that is back at once may not be missed.
            until_s = time.monotonic() + 60
            while not any(note.startswith("the scheduler has gone") for note in notes):
                if time.monotonic() > until_s:
                    return
                time.sleep(0.01)
            fleet.start_scheduler()

        def disturb(_block: Block, reply: Reply) -> None:
            seen.append(reply.host)
            if len(seen) == 2:
                fleet.kill("two")
                fleet.start_worker("two")
            if len(seen) == 5:
                fleet.kill("scheduler")
                threading.Thread(target=revive_scheduler).start()

        journal = tmp_path / "fleet.jsonl"
        with open_job(FleetChoice(fleet.address), Needs(), (), journal, notes.append) as job:
            replies = job.dispatch(make_blocks(12, 0.5), disturb)
            assert job.dispatch(make_blocks(12, 0.5), lambda *_: None) == replies
    assert [reply.value for reply in replies] == [{"number": number} for number in range(12)]
    times = collections.Counter(finish.number for finish in read_finishes(finished))
    assert set(times) == set(map(str, range(12)))
    assert any(note.startswith("the scheduler has gone") for note in notes)
    assert "the scheduler is back" in notes


def test_a_client_that_was_killed_gets_what_its_hosts_went_on_measuring(tmp_path: Path) -> None:
    """A block in progress is finished by its host, and fetched by the next client."""
    from fleet_replay import FINISHED, read_finishes
    from local_fleet import start_fleet

    finished, journal = tmp_path / "finished", tmp_path / "fleet.jsonl"
    with start_fleet(tmp_path, ("one", "two"), {FINISHED: str(finished)}) as fleet:
        choice = FleetChoice(fleet.address)

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        with (
            pytest.raises(KeyboardInterrupt),
            open_job(choice, Needs(), (), journal, lambda _: None) as job,
        ):
            job.dispatch(make_blocks(4, 1.0), interrupt)
        with open_job(choice, Needs(), (), journal, lambda _: None) as job:
            replies = job.dispatch(make_blocks(4, 1.0), lambda *_: None)
    assert [reply.value for reply in replies] == [{"number": number} for number in range(4)]
    assert len(read_finishes(finished)) == 4


@pytest.mark.minutes
def test_a_block_is_measured_once_although_the_scheduler_was_restarted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts join again while they measure, so no idle host gets their blocks."""
    from fleet_replay import FINISHED, read_finishes
    from local_fleet import start_fleet, wait_for

    monkeypatch.setattr(dispatch, "RETURN_S", 10.0)
    hosts, finished = ("one", "two", "three"), tmp_path / "finished"
    notes: list[str] = []
    with start_fleet(tmp_path, hosts, {FINISHED: str(finished)}) as fleet:
        choice, journal = FleetChoice(fleet.address), tmp_path / "fleet.jsonl"

        def restart() -> None:
            with pools.connect(fleet.address) as client:
                wait_for(lambda: sum(map(len, client.processing().values())) == 2)
            fleet.kill("scheduler")
            wait_for(lambda: any(note.startswith("the scheduler has gone") for note in notes))
            fleet.start_scheduler()

        with open_job(choice, Needs(), (), journal, notes.append) as job:
            thread = threading.Thread(target=restart)
            thread.start()
            replies = job.dispatch(make_blocks(2, 28.0), lambda *_: None)
            thread.join()
    assert "the scheduler is back" in notes
    assert [reply.value for reply in replies] == [{"number": 0}, {"number": 1}]
    assert sorted(finish.number for finish in read_finishes(finished)) == ["0", "1"]
    assert not [note for note in notes if "came back with it" in note]


def test_a_fleet_that_cannot_measure_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    """No scheduler, no worker, two workers on a host, other files: what differs, what to type."""
    from local_fleet import LocalFleet, wait_for

    fleet = LocalFleet(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from resilience_bench import scenario\n\n@scenario\ndef called(payload):\n"
        '    "A call."\n    return payload\n'
    )
    run = ("run", "mine.py", "--signals", "latency", "--fleet", fleet.address)

    def refuse(*arguments: str, cwd: Path = tmp_path) -> str:
        done = type_command(*arguments, cwd=cwd)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        return done.stderr

    try:
        assert "no scheduler answers" in refuse(*run)
        assert "no scheduler answers" in refuse("fleet", "worker", fleet.address)
        fleet.start_scheduler()
        assert "the fleet has no worker" in refuse(*run)
        assert "the fleet has no worker" in refuse("fleet", "status", fleet.address)
        fleet.start_worker("one")
        fleet.wait_for_workers("one")
        fleet.start_worker("one")  # its own log; the first worker goes on
        wait_for(lambda: "has a worker already" in fleet.read_log("one"))
        other = tmp_path / "other"
        other.mkdir()
        (other / "mine.py").write_text((tmp_path / "mine.py").read_text() + "# changed\n")
        assert "host one differs in mine.py" in refuse(*run, cwd=other)
        good = type_command("fleet", "status", fleet.address, cwd=tmp_path)
        assert good.returncode == 0
        assert "1 host, resilience-bench" in good.stdout
    finally:
        fleet.end()


def test_a_worker_that_is_ended_leaves_nothing_and_frees_its_host(tmp_path: Path) -> None:
    """SIGTERM ends a worker with what it started, and another one gets the lock."""
    from local_fleet import start_fleet

    with start_fleet(tmp_path, ("one",)) as fleet:
        process = fleet.processes["one"]
        fleet.kill("one", signal.SIGTERM)
        assert process.returncode in {0, 130}
        fleet.start_worker("one")
        fleet.wait_for_workers("one")


def test_a_run_by_a_fleet_is_a_run(tmp_path: Path) -> None:
    """The results file of a fleet has every case, and its journal is gone."""
    from local_fleet import start_fleet

    from resilience_bench.files import results

    names = write_suite(tmp_path, 4)
    with start_fleet(tmp_path, ("one", "two")) as fleet:
        arguments = ("run", "mine.py", "--signals", "latency", "-o", "out.json")
        done = type_command(*arguments, "--fleet", fleet.address, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = results.read(tmp_path / "out.json")
    assert [record.case.name for record in result.cases] == names
    assert {record.status for record in result.cases} == {"measured"}
    assert {(one.index, one.block) for one in result.workers} == {
        (index, block) for index in range(14) for block in range(2)
    }
    assert result.complete
    assert not list(tmp_path.glob("*.jsonl"))
