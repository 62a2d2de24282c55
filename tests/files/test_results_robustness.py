"""Old files are read; files that are cut or changed anywhere are shown or refused."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from resilience_bench._model import Defect
from resilience_bench.cli.export import FORMATS
from resilience_bench.errors import UnreadableResultError, UserError
from resilience_bench.files import results
from resilience_bench.report import data as data_report
from resilience_bench.report import markdown, table
from resilience_bench.stats.latency import estimate
from tests.files.results_factories import NAME, full_result, refusal


def test_a_counter_that_was_reset_is_read(tmp_path: Path, stored: dict[str, Any]) -> None:
    """A library's counter may have moved backwards; that is a mark, not a broken file."""
    stored["loads"][0]["tallies"][NAME]["counted"] = -5.0
    (tmp_path / "reset.json").write_text(json.dumps(stored))
    [measured] = estimate(results.read(tmp_path / "reset.json"))
    assert measured.defects == (Defect("lost counts", -5, 1000),)


def test_a_file_from_before_there_were_loads_is_read(
    tmp_path: Path, stored: dict[str, Any]
) -> None:
    """The key may be missing; nothing was measured under load then."""
    del stored["loads"]
    (tmp_path / "old.json").write_text(json.dumps(stored))
    assert results.read(tmp_path / "old.json") == replace(full_result(), loads=())


def test_unknown_keys_are_let_through(tmp_path: Path, stored: dict[str, Any]) -> None:
    """A file with more in it than this version knows is read, as long as its schema is known."""
    stored["more"] = stored["cases"][0]["more"] = 1
    (tmp_path / "more.json").write_text(json.dumps(stored))
    assert results.read(tmp_path / "more.json").cases


@settings(max_examples=300)
@given(data=st.data())
def test_a_file_that_is_cut_anywhere_is_refused(
    tmp_path: Path, stored: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever is missing from its end, the file is refused in one line."""
    text = json.dumps(stored)
    path = tmp_path / "cut.json"
    path.write_text(text[: data.draw(st.integers(0, len(text) - 1))])
    refusal(path)


@settings(max_examples=300)
@given(data=st.data())
def test_any_value_in_any_place_is_shown_or_refused(
    tmp_path: Path, stored: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever stands where something else should, there is an answer and no traceback."""
    document = copy.deepcopy(stored)
    place: Any = document
    while True:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        deeper = isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans())
        if not deeper:
            break
        place = place[key]
    odd: list[Any] = [
        "\ud800",
        "a\nb\x1b[2J",
        "",
        None,
        True,
        -1,
        0,
        1.5,
        "x",
        [],
        {},
        [[]],
        10**30,
        float("inf"),
        {"": None},
    ]
    place[key] = data.draw(st.sampled_from(odd))
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(document))
    with contextlib.suppress(UnreadableResultError):
        show_everything(results.read(path))


def show_everything(result: Any) -> None:
    """Every report and export of a result."""
    measurements = estimate(result)
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    console = Console(file=file, width=80)
    for sort in ("latency", "overhead", "ratio", "name"):
        table.render(result, measurements, sort, console)
        file.write(markdown.render(result, measurements, sort))
        file.write(data_report.render(result, measurements, sort))
    for render, _ in FORMATS.values():
        with contextlib.suppress(UserError):
            file.write(render(result))
