"""A baseline is read with every doubt, found by its environment, and holds for that one."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_bench._model import Environment
from resilience_bench.errors import (
    ForeignBaselineError,
    UnreadableBaselineError,
    UnwritableOutputError,
)
from resilience_bench.gate import baseline
from tests.factories import make_baseline, make_case, make_environment, make_range

Change = Callable[[dict[str, Any]], object]
NAME = make_case().name


# The file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Everything survives the way to the disk and back, in a folder that is made for it."""
    values = {"ratio": 1 / 3, "instructions": 14953.968, "allocated_bytes": 0.0}
    held = {name: make_range(value) for name, value in values.items()}
    written = make_baseline({NAME: held}, reason="wörds")
    path = tmp_path / "baselines" / "here.json"
    baseline.write(written, path)
    assert baseline.read(path) == written
    assert [each.name for each in path.parent.iterdir()] == ["here.json"]


def test_a_range_stands_on_one_line_and_cases_are_sorted(tmp_path: Path) -> None:
    """A diff shows which range of which case moved, and new cases do not move old ones."""
    both = make_baseline({name: {"ratio": make_range()} for name in "ba"})
    baseline.write(both, tmp_path / "here.json")
    lines = (tmp_path / "here.json").read_text().splitlines()
    first = lines.index('  "a": {')
    assert lines[first + 1].startswith('   "ratio": {"expected": 1.0, "low": 0.9, "high": 1.1')
    assert lines[first + 2 :][:2] == ["  },", '  "b": {']


def test_no_ranges_are_written_and_read(tmp_path: Path) -> None:
    """An empty baseline is a good file."""
    baseline.write(make_baseline({}), tmp_path / "here.json")
    assert baseline.read(tmp_path / "here.json") == make_baseline({})


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A folder in the place of the file is refused."""
    with pytest.raises(UnwritableOutputError, match="cannot write"):
        baseline.write(make_baseline(), tmp_path)


def refusal(path: Path) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(UnreadableBaselineError) as caught:
        baseline.read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{path}: ")
    assert "type '" in text
    return text


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, Any]:
    """The JSON of a good baseline."""
    baseline.write(make_baseline(), tmp_path / "good.json")
    document: dict[str, Any] = json.loads((tmp_path / "good.json").read_text())
    return document


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "expected a baseline, found an empty file"),
        ('{"schema": 1, "ran', "cut short at line 1"),
        ("<<<<<<< HEAD\n{}", "expected JSON, found none"),
        ("[]", "found a list"),
        ("{}", "key schema: expected the number 1 of a baseline, found no such key"),
        ('{"schema": 2}', "expected at most 1, found 2, which a newer version wrote; type 'pip"),
        ('{"schema": "1"}', 'found "1"'),
        ('{"schema": NaN}', "key schema: expected a finite number, found nan"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, content: str, part: str) -> None:
    """Whatever stands in the file, the answer is one line."""
    (tmp_path / "bad.json").write_text(content)
    assert part in refusal(tmp_path / "bad.json")


def test_missing_files_are_refused(tmp_path: Path) -> None:
    """What is not there is named, with what to type."""
    assert "found: No such file" in refusal(tmp_path / "nothing.json")


def _set(*keys: str, to: Any) -> Change:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = to

    return change


RATIO = ("ranges", NAME, "ratio")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda document: document.pop("ranges"), "required field `ranges`"),
        (_set("environment", "cpu_count", to=0), "key environment.cpu_count: expected 1 or more"),
        (_set("environment", "packages", "x", to=1), "key environment.packages.x: Expected `str`"),
        (_set("reference_version", to=-1), "key reference_version: expected 1 or more, found -1"),
        (_set("commit", to={"revision": 1, "clean": True}), "key commit.revision: Expected `str`"),
        (_set(*RATIO, to=5), f"key ranges.{NAME}.ratio: Expected `object`, got `int`"),
        (_set(*RATIO, "high", to="1"), f"key ranges.{NAME}.ratio.high: Expected `float`"),
        (_set(*RATIO, "high", to=float("inf")), f"ranges.{NAME}.ratio.high: expected a finite"),
        (_set(*RATIO, "low", to=float("nan")), "expected a finite number, found nan"),
        (_set(*RATIO, "high", to=10**350), f"key ranges.{NAME}.ratio.high: "),
        (_set(*RATIO, "low", to=-0.5), f"ranges.{NAME}.ratio.low: expected 0 or more, found -0.5"),
        (_set(*RATIO, "spread", to=-0.5), ".spread: expected 0 or more"),
        (_set(*RATIO, "low", to=1.05), "expected low <= expected <= high, found 1.05, 1.0, 1.1"),
        (_set(*RATIO, "high", to=0.95), "expected low <= expected <= high, found 0.9, 1.0, 0.95"),
        (_set(*RATIO, "runs", to=0), ".runs: expected 1 or more, found 0"),
        (_set(*RATIO, "runs", to=1.5), ".runs: Expected `int`, got `float`"),
        (_set(*RATIO, "workers", to=0), ".workers: expected 1 or more, found 0"),
        (_set("ranges", NAME, "speed", to={}), f"key ranges.{NAME}.speed: Object missing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(
    tmp_path: Path, stored: dict[str, Any], change: Change, part: str
) -> None:
    """A wrong value deep in the file is found and named."""
    change(stored)
    (tmp_path / "bad.json").write_text(json.dumps(stored))
    assert part in refusal(tmp_path / "bad.json")


def test_a_quantity_that_is_not_judged_is_refused(tmp_path: Path) -> None:
    """A range that nothing looks at would be believed to protect something."""
    path = tmp_path / "bad.json"
    baseline.write(make_baseline({NAME: {"ratios": make_range()}}), path)
    assert f"ranges.{NAME}.ratios: expected one of ratio, instructions" in refusal(path)
    assert 'found "ratios"' in refusal(path)


@given(data=st.data())
def test_any_value_in_any_place_is_read_or_refused(
    tmp_path: Path, stored: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever stands where something else should, there is an answer and no traceback."""
    document = copy.deepcopy(stored)
    place: Any = document
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    odd: list[Any] = [
        "\ud800",
        "a\nb",
        "",
        None,
        True,
        -1,
        0,
        1.5,
        [],
        {},
        [[]],
        10**30,
        {"": None},
    ]
    place[key] = data.draw(st.sampled_from(odd))
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(document))
    with contextlib.suppress(UnreadableBaselineError):
        baseline.write(baseline.read(path), path)
        baseline.read(path)


# Environments


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        (make_environment(), "cpython-3.11-linux-x86_64-amd-epyc-7b13-2cpu"),
        (
            make_environment(
                python="CPython 3.14.0rc1",
                cpu_model="Intel(R) Xeon(R) Processor",
                free_threaded=True,
            ),
            "cpython-3.14-linux-x86_64-intel-xeon-processor-2cpu-nogil",
        ),
        (
            make_environment(
                python="PyPy 3.11.13",
                os="Darwin 24.1",
                machine="arm64",
                cpu_model="Intel(R) Core(TM) i7/8 CPU @ 2.20GHz",
                cpu_count=12,
            ),
            "pypy-3.11-darwin-arm64-intel-core-i7-8-cpu-2.20ghz-12cpu",
        ),
    ],
)
def test_an_environment_has_a_readable_name(environment: Environment, name: str) -> None:
    """The name says which interpreter on which machine."""
    assert baseline.make_environment_name(environment) == name


@given(cpu=st.text(), python=st.text(), machine=st.text())
def test_a_name_can_always_be_a_file(cpu: str, python: str, machine: str) -> None:
    """Whatever a processor calls itself, it cannot lead out of the folder."""
    odd = make_environment(cpu_model=cpu, python=python, machine=machine)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", baseline.make_environment_name(odd))


ALL = ("latency", "instructions", "allocations", "scaling", "share")
CLOCKED = ("latency", "scaling", "share")


@pytest.mark.parametrize(
    ("more", "signals"),
    [
        ({}, ()),
        ({"packages": {}, "kernel": "7", "os": "Ubuntu"}, ()),
        ({"cpu_model": "X"}, CLOCKED),
        ({"cpu_count": 8}, CLOCKED),
        ({"python_build": "X"}, ("instructions",)),
        ({"python": "CPython 3.11.10"}, ("instructions",)),
        ({"python": "CPython 3.12.9"}, ALL),
        ({"python": "PyPy 3.11.9"}, ALL),
        ({"free_threaded": True}, ALL),
        ({"machine": "aarch64"}, ALL),
    ],
)
def test_what_differs_stops_the_signals_that_it_decides(
    more: dict[str, Any], signals: tuple[str, ...]
) -> None:
    """Each signal is stopped by what it depends on, and by nothing else."""
    found = baseline.find_differences(make_environment(), make_environment(**more))
    assert tuple(found) == ALL
    assert tuple(signal for signal, texts in found.items() if texts) == signals


def test_differences_show_both_sides() -> None:
    """The text says what it was and what it is."""
    here = make_environment(cpu_model="X", free_threaded=True)
    assert baseline.find_differences(make_environment(), here)["latency"] == (
        "cpu_model: baseline 'AMD EPYC 7B13', here 'X'",
        "free_threaded: baseline False, here True",
    )


def test_the_same_environment_is_comparable() -> None:
    """All signals are judged, or those that were asked for."""
    same = make_environment()
    assert baseline.select_comparable(make_baseline(), same, 1, None) == ALL
    assert baseline.select_comparable(make_baseline(), same, 1, ["allocations"]) == ("allocations",)


def foreign(here: Environment, signals: Sequence[str] | None, reference_version: int = 1) -> str:
    """The text with which a baseline is refused."""
    with pytest.raises(ForeignBaselineError) as caught:
        baseline.select_comparable(make_baseline(), here, reference_version, signals)
    return str(caught.value)


def test_another_processor_is_refused_until_other_signals_are_asked_for() -> None:
    """The text says what differs, and what to type for what compares all the same."""
    here = make_environment(cpu_model="X")
    differs = "(cpu_model: baseline 'AMD EPYC 7B13', here 'X')"
    start = "the baseline cannot be compared with what is measured here: latency"
    end = "; instructions and allocations can be: type --signals instructions,allocations"
    assert foreign(here, None) == f"{start} {differs}; scaling {differs}; share {differs}{end}"
    assert foreign(here, ["latency"]) == f"{start} {differs}{end}"
    assert foreign(here, ["latency", "allocations"]).endswith("type --signals allocations")
    left = ["instructions", "allocations"]
    assert baseline.select_comparable(make_baseline(), here, 1, left) == tuple(left)


def test_another_python_is_refused_altogether() -> None:
    """Where nothing compares, a new baseline is to be learned."""
    text = foreign(make_environment(python="CPython 3.12.1"), None)
    assert "allocations (python: baseline 'CPython 3.11', here 'CPython 3.12')" in text
    assert text.endswith("nothing else can be: type 'resilience-bench baseline learn' here first")


def test_another_reference_stops_latency_only() -> None:
    """A ratio means nothing once what it is relative to has changed."""
    text = foreign(make_environment(), None, reference_version=2)
    assert "latency (reference_version: baseline 1, here 2)" in text
    assert baseline.select_comparable(make_baseline(), make_environment(), 2, ALL[1:]) == ALL[1:]


def test_a_baseline_is_found_by_its_environment(tmp_path: Path) -> None:
    """The file of this environment is taken, whatever lies beside it."""
    path = tmp_path / f"{baseline.make_environment_name(make_environment())}.json"
    baseline.write(make_baseline(), path)
    baseline.write(make_baseline(), tmp_path / "other.json")
    assert baseline.find(tmp_path, make_environment()) == path


def test_a_missing_baseline_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    """The text names folder, wanted name, and what could be named instead."""
    (tmp_path / "b.json").touch()
    (tmp_path / "a.json").touch()
    with pytest.raises(UnreadableBaselineError) as caught:
        baseline.find(tmp_path, make_environment())
    assert str(caught.value) == (
        f"{tmp_path}: expected cpython-3.11-linux-x86_64-amd-epyc-7b13-2cpu.json, the baseline of "
        "this environment, found a.json, b.json; type 'resilience-bench baseline learn' to make "
        "it, name another one with --baseline, or judge budgets alone with --baseline none"
    )


def test_a_missing_folder_is_no_baseline_at_all(tmp_path: Path) -> None:
    """A first use ends in the same text."""
    with pytest.raises(UnreadableBaselineError, match="found no baseline at all; type"):
        baseline.find(tmp_path / "nowhere", make_environment())
