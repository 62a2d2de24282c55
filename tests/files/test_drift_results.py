"""Long runs in a results file: what is written is read, and what makes no sense is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.errors import UnreadableResultError
from resilience_bench.files import results
from tests.drift_factories import make_drift_result
from tests.factories import sample_result

Change = Callable[[dict[str, Any]], None]


def points(stored: dict[str, Any]) -> dict[str, Any]:
    """The points of the first case."""
    found: dict[str, Any] = stored["drifts"][0]["points"]
    return found


def set_case(stored: dict[str, Any]) -> None:
    """Name a case that there is not."""
    stored["drifts"][0]["case"] = "another.one"


def swap(stored: dict[str, Any]) -> None:
    """Have the calls go back."""
    points(stored)["calls"][3:5] = reversed(points(stored)["calls"][3:5])


def clear(stored: dict[str, Any]) -> None:
    """Leave no point."""
    points(stored).update({key: [] for key in points(stored)})


def test_long_runs_survive_the_way_to_the_disk(tmp_path: Path) -> None:
    """Every point is read as it was written."""
    result = make_drift_result()
    results.write(result, tmp_path / "out.json")
    assert results.read(tmp_path / "out.json") == result


def test_a_file_from_before_there_were_long_runs_is_read(tmp_path: Path) -> None:
    """Without the key there are none."""
    results.write(sample_result(), tmp_path / "out.json")
    stored = json.loads((tmp_path / "out.json").read_text())
    del stored["drifts"]
    (tmp_path / "out.json").write_text(json.dumps(stored))
    assert results.read(tmp_path / "out.json") == sample_result()


@pytest.mark.parametrize(
    ("change", "key", "part"),
    [
        (set_case, "drifts[0].case", "one of the names in cases"),
        (clear, "drifts[0].points.calls", "expected points, found none"),
        (swap, "drifts[0].points.calls[4]", "expected more than"),
        (
            lambda stored: points(stored)["operation_ns"].pop(),
            "drifts[0].points.operation_ns",
            "as many numbers as there are of calls, 60, found 59",
        ),
        (
            lambda stored: points(stored)["blocks"].pop(),
            "drifts[0].points.blocks",
            "found 59",
        ),
        (
            lambda stored: points(stored)["reference_ns"].__setitem__(2, -1.0),
            "drifts[0].points.reference_ns[2]",
            "0 or more",
        ),
        (
            lambda stored: points(stored)["calls"].__setitem__(2, "many"),
            "drifts[0].points.calls[2]",
            "Expected `int`",
        ),
    ],
)
def test_points_that_make_no_sense_are_refused_with_their_key(
    tmp_path: Path, change: Change, key: str, part: str
) -> None:
    """One line has the file, the key, and what was expected there."""
    path = tmp_path / "out.json"
    results.write(make_drift_result(), path)
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(UnreadableResultError) as caught:
        results.read(path)
    text = str(caught.value)
    assert f"key {key}: " in text
    assert part in text
    assert "\n" not in text


def test_memory_may_be_missing(tmp_path: Path) -> None:
    """Not every interpreter and system tells it."""
    path = tmp_path / "out.json"
    results.write(make_drift_result(), path)
    stored = json.loads(path.read_text())
    points(stored).update(blocks=[], resident_bytes=[])
    path.write_text(json.dumps(stored))
    assert results.read(path).drifts[0].points.blocks == ()
