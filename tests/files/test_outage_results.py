"""Outages in a results file: what is written is read, and what makes no sense is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.errors import UnreadableResultError
from resilience_bench.files import results
from tests.factories import sample_result
from tests.outage_factories import make_outage_result

Change = Callable[[dict[str, Any]], None]


def phase(number: int, key: str, value: object) -> Change:
    """Change a number of a phase."""

    def change(outage: dict[str, Any]) -> None:
        outage["phases"][number][key] = value

    return change


def put(key: str, value: object, place: int | None = None) -> Change:
    """Change what an outage says, as a whole or at a place."""

    def change(outage: dict[str, Any]) -> None:
        if place is None:
            outage[key] = value
        else:
            outage[key][place] = value

    return change


def clear(outage: dict[str, Any]) -> None:
    """Leave no request."""
    outage.update(arrivals_us=[], latencies_us=[], answers="")


def test_outages_survive_the_way_to_the_disk(tmp_path: Path) -> None:
    """Every request is read as it was written."""
    result = make_outage_result()
    results.write(result, tmp_path / "out.json")
    assert results.read(tmp_path / "out.json") == result


def test_a_file_from_before_there_were_outages_is_read(tmp_path: Path) -> None:
    """Without the key there are none."""
    results.write(sample_result(), tmp_path / "out.json")
    stored = json.loads((tmp_path / "out.json").read_text())
    del stored["outages"]
    (tmp_path / "out.json").write_text(json.dumps(stored))
    assert results.read(tmp_path / "out.json") == sample_result()


@pytest.mark.parametrize(
    ("change", "key", "part"),
    [
        (put("callers", 0), "callers", "expected 1 or more, found 0"),
        (put("phases", []), "phases", "expected phases, found none"),
        (phase(1, "reached", -1), "phases[1].reached", "expected 0 or more, found -1"),
        (phase(1, "cpu_us", -5), "phases[1].cpu_us", "expected 0 or more, found -5"),
        (phase(2, "starts_us", 7), "phases[2]", "expected a phase from 2000000"),
        (phase(0, "ends_us", 0), "phases[0]", "found one from 0 to 0"),
        (put("arrivals_us", 0, 17), "arrivals_us[17]", "expected 16000 or more, found 0"),
        (put("latencies_us", -1, 3), "latencies_us[3]", "expected 0 or more, found -1"),
        (put("answers", "L"), "answers", "as many numbers as there are of arrivals_us, 5000"),
        (put("answers", "?" * 5000), "answers", "expected the letters L, S, D, W, E, U"),
        (put("opened_us", -1), "opened_us", "expected 0 or more, found -1"),
        (put("opened_us", "x"), "opened_us", "got `str`"),
        (clear, "arrivals_us", "expected requests, found none"),
    ],
)
def test_nonsense_is_refused_with_its_key(
    tmp_path: Path, change: Change, key: str, part: str
) -> None:
    """In one line: the file, the key, what was expected and what was found."""
    path = tmp_path / "out.json"
    results.write(make_outage_result(), path)
    stored = json.loads(path.read_text())
    change(stored["outages"][1]["outage"])
    path.write_text(json.dumps(stored))
    with pytest.raises(UnreadableResultError) as caught:
        results.read(path)
    text = str(caught.value)
    assert f"outages[1].outage.{key}" in text
    assert part in text
    assert "\n" not in text


def test_an_outage_of_an_unknown_case_is_refused(tmp_path: Path) -> None:
    """It belongs to nothing that the file describes."""
    path = tmp_path / "out.json"
    results.write(make_outage_result(), path)
    stored = json.loads(path.read_text())
    stored["outages"][0]["case"] = "another.one"
    path.write_text(json.dumps(stored))
    with pytest.raises(UnreadableResultError, match=r"outages\[0\]\.case"):
        results.read(path)
