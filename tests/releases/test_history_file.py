"""The file of a release history: written whole, read with every doubt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resilience_bench.errors import UnreadableResultError
from resilience_bench.releases.history_file import FILE_NAME, group_cases, read, write
from tests.releases.factories import CASE, OTHER, make_history


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """By the name of the file, and by that of its folder."""
    history = make_history()
    write(history, tmp_path / FILE_NAME)
    assert read(tmp_path / FILE_NAME) == read(tmp_path) == history
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "expected a release history, found: No such file"),
        ("", "found an empty file"),
        ('{"schema": 1,', "cut short"),
        ('{"schema": 99}', "a newer version wrote; type 'pip install"),
        ('{"schema": 1, "cases": []}', "key releases: expected a release history"),
    ],
)
def test_what_is_no_history_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    """One line that names the file, and what to type."""
    path = tmp_path / FILE_NAME
    if content is not None:
        path.write_text(content)
    with pytest.raises(UnreadableResultError, match=said) as caught:
        read(path)
    assert FILE_NAME in str(caught.value)
    assert "; type '" in str(caught.value)


def test_a_wrong_value_is_refused_with_its_key(tmp_path: Path) -> None:
    """Wherever it stands."""
    path = tmp_path / FILE_NAME
    write(make_history(), path)
    stored = json.loads(path.read_text())
    stored["releases"][1]["values"][CASE]["quantities"]["ratio"]["low"] = "low"
    path.write_text(json.dumps(stored))
    with pytest.raises(UnreadableResultError, match=r"releases\[1\].*low"):
        read(path)


def test_cases_of_a_quantity_are_grouped_by_scenario() -> None:
    """Those that have it in some release, in the order of the history."""
    history = make_history()
    assert group_cases(history, "ratio") == {"retry.first_try": [CASE], "composed.guarded": [OTHER]}
    assert group_cases(history, "scaling") == {}
