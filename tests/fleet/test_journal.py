"""The journal keeps every finished block, whatever happens while it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resilience_bench.fleet.block import Reply
from resilience_bench.fleet.errors import FleetError
from resilience_bench.fleet.journal import open_journal
from tests.fleet.scripted_pool import make_blocks


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    """Replies, the plan and the job are as they were."""
    path = tmp_path / "results" / "fleet.jsonl"
    journal = open_journal(path, "kind")
    reply = Reply("key", "a", 1.5, {"number": 1}, 100.0, tried=("b",))
    journal.add(reply)
    assert journal.remember("hosts", 4) == 4
    again = open_journal(path, "kind")
    assert again.replies == {"key": reply}
    assert again.job == journal.job
    assert again.remember("hosts", 9) == 4
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_line_that_was_cut_short_is_measured_again(tmp_path: Path, cut: int) -> None:
    """A crash within a write loses that block alone, and the next write begins a line."""
    path = tmp_path / "fleet.jsonl"
    journal = open_journal(path, "kind")
    journal.add(Reply("first", "a"))
    journal.add(Reply("second", "a"))
    path.write_bytes(path.read_bytes()[:-cut])
    again = open_journal(path, "kind")
    assert set(again.replies) == {"first"}
    again.add(Reply("second", "b"))
    assert {one.host for one in open_journal(path, "kind").replies.values()} == {"a", "b"}


def test_a_later_result_of_a_block_replaces_the_earlier_one(tmp_path: Path) -> None:
    """What was measured again elsewhere counts."""
    path = tmp_path / "fleet.jsonl"
    journal = open_journal(path, "kind")
    journal.add(Reply("key", "slow"))
    journal.add(Reply("key", "fast", tried=("slow",)))
    assert open_journal(path, "kind").replies["key"].host == "fast"


@pytest.mark.parametrize(
    "content",
    ["[]\n", "nonsense\n", '{"schema": 99}\n', "{}\n", '{"schema": 1, "job": "x"}\n{"kind": 1}\n'],
)
def test_another_file_is_refused_and_stays_as_it_is(tmp_path: Path, content: str) -> None:
    """A file of another sort is named, in one line."""
    path = tmp_path / "fleet.jsonl"
    path.write_text(content)
    with pytest.raises(FleetError) as caught:
        open_journal(path, 1)  # type: ignore[arg-type]
    assert str(path.name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_text() == content


def test_keys_are_those_of_the_content() -> None:
    """The same content has the same key in a job, and another one in another job."""
    first, second = make_blocks(2)
    [again] = make_blocks(1)
    assert first.key("job") == again.key("job")
    assert first.key("job") != second.key("job")
    assert first.key("job") != first.key("another job")
    assert json.loads(json.dumps(first.content)) == first.content
