"""The results file survives, and every broken one is refused in one line that says why."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from resilience_bench._model import AllocationRecord, Defect, InstructionRecord, Result
from resilience_bench.errors import UnreadableResultError, UnwritableOutputError, UserError
from resilience_bench.files import atomic, results
from resilience_bench.report import data as data_report
from resilience_bench.report import markdown, pyperf_json, table
from resilience_bench.stats.latency import estimate
from tests.factories import (
    CONTROL,
    make_case,
    make_record,
    make_result,
    measured_result,
    sample_result,
)
from tests.load_factories import (
    concurrency_result,
    make_load_samples,
    make_loads,
    make_tally,
)
from tests.scripted import CONTROL_COUNTS, COUNTS, WEIGHT

Change = Callable[[dict[str, Any]], object]


def full_result() -> Result:
    """A result with every signal, and one that a case lacks."""
    name = make_case().name
    when = ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:06+00:00")
    counting = InstructionRecord(0, 0, *when, {CONTROL: CONTROL_COUNTS}, {name: COUNTS})
    rates = make_load_samples(
        (800.0, 900.0),
        reads=(5, 7),
        latencies={300: 99, 301: 2},
        longest_ns=400,
        clock_ns=40.5,
        lags_ns=(1, 2),
    )
    loading = make_loads(
        make_case(),
        (),
        controls={CONTROL: make_load_samples((9000.0, 9100.0))},
        operations={name: rates},
        tallies={name: make_tally(3)},
    )
    return replace(
        measured_result({make_case(): 1000.0}, workers=2),
        cases=(replace(make_record(make_case()), missing={"scaling": "not measured"}),),
        signals=("latency", "allocations"),
        not_available={"instructions": "valgrind is not installed"},
        instructions=(counting,),
        allocations=(AllocationRecord(0, 0, *when, {name: WEIGHT}),),
        loads=(loading,),
    )


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, Any]:
    """The JSON of a good results file."""
    results.write(full_result(), tmp_path / "good.json")
    document: dict[str, Any] = json.loads((tmp_path / "good.json").read_text())
    return document


def refusal(path: Path) -> str:
    """The one line with which a file is refused; the file stays as it is."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UnreadableResultError) as caught:
        results.read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    assert "type '" in text
    assert before == (path.read_bytes() if path.is_file() else None)
    return text


@pytest.mark.parametrize(
    "result",
    [
        sample_result(),
        make_result(),
        make_result(commit=None),
        full_result(),
        concurrency_result(workers=2),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, result: Any) -> None:
    """Everything survives the way to the disk and back."""
    results.write(result, tmp_path / "out.json")
    assert results.read(tmp_path / "out.json") == result


def test_names_can_be_searched_for_in_the_file(tmp_path: Path) -> None:
    """Every case stands in the file under its full name."""
    results.write(make_result([make_record(make_case("x"))]), tmp_path / "out.json")
    assert '"name":"breaker.closed_success[x]"' in (tmp_path / "out.json").read_text()


def test_text_that_is_no_utf8_does_not_stop_the_writing(tmp_path: Path) -> None:
    """A reason that quotes a strange file name is written all the same."""
    odd = make_result([make_record(make_case(), "failed", "file \udcff is odd")])
    results.write(odd, tmp_path / "out.json")
    assert results.read(tmp_path / "out.json").cases[0].status == "failed"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the new file, not the old one."""
    path = tmp_path / "out.json"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(UnwritableOutputError, match=r"out\.json: No space left on device; give"):
        results.write(make_result(), path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


def test_ensure_writable_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    """A path in a folder that does not exist yet can be written."""
    atomic.ensure_writable(tmp_path / "a" / "b" / "out.json")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_ensure_writable_keeps_what_is_there(tmp_path: Path) -> None:
    """Asking does not change the file, and a symbolic link stays one."""
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    atomic.ensure_writable(tmp_path / "link.json")
    results.write(make_result(), tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert results.read(tmp_path / "real.json") == make_result()


@pytest.mark.parametrize(
    "place", ["folder", "file/out.json", "/proc/out.json", "/dev/null", "a\0b", "x" * 300]
)
def test_ensure_writable_refuses_what_cannot_be_written(tmp_path: Path, place: str) -> None:
    """A folder, a file for a folder, a device, an impossible name: one line with what to type."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableOutputError, match=r"(?s)^cannot write .*--output$") as caught:
        atomic.ensure_writable(tmp_path / place)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    """What is not there, or is no file, is said so."""
    assert "No such file" in refusal(tmp_path / "nothing.json")
    assert "found a folder" in refusal(tmp_path)
    with pytest.raises(UnreadableResultError, match="found a device"):
        results.read(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("names", "found", "file"),
    [
        (("base", "head", "null"), "the folder of a 'compare'", "base.json"),
        (("run-1", "run-2"), "the folder of a 'baseline learn'", "run-1.json"),
        (("check-1", "learn-1"), "the folder of a 'prove'", "check-1.json"),
        (("mine",), "a folder", "mine.json"),
    ],
)
def test_a_folder_of_results_names_its_files(
    tmp_path: Path, names: tuple[str, ...], found: str, file: str
) -> None:
    """Who points at what a command wrote is told what it is, and which files to type instead."""
    for name in names:
        results.write(make_result(), tmp_path / f"{name}.json")
    with pytest.raises(UnreadableResultError) as caught:
        results.read(tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}: expected a results file, found {found}; name one of its")
    assert f"instead: {tmp_path / file}" in said


@pytest.mark.parametrize(
    ("content", "found", "typed"),
    [
        ('{"schema": 1, "ranges": {}}', "a baseline", "check --baseline"),
        ('{"schema": 1, "rates": []}', "what 'prove' wrote", "prove --from"),
    ],
)
def test_another_file_of_ours_says_what_it_is(
    tmp_path: Path, content: str, found: str, typed: str
) -> None:
    """What it is, and which command takes it."""
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(UnreadableResultError) as caught:
        results.read(path)
    assert f"expected a results file, found {found}; " in str(caught.value)
    assert f"type 'resilience-bench {typed} {path}'" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        (b'{"schema": 1, "cas', "cut short at line 1"),
        (b'{"schema": 1,', "cut short"),
        (b"not json", "found none"),
        (b'{"schema": 1} x', "found none"),
        (b"\xff\xfe{", "UTF-8"),
        (b'{"a": "\xc3', "UTF-8"),
        (b"[1, 2]", "found a list"),
        (b"null", "found null"),
        (b'"text"', 'found "text"'),
        (b"5", "found 5"),
        (b"{}", "key schema: expected the number 1 of a results file, found no such key"),
        (b'{"schema": 99}', "key schema: expected at most 1, found 99"),
        (b'{"schema": 0}', "found 0"),
        (b'{"schema": true}', "found true"),
        (b'{"schema": "1"}', 'found "1"'),
        (b'{"schema": 1.0}', "found 1.0"),
        (b'{"schema": NaN}', "key schema: expected a finite number, found nan"),
        (b'{"schema": 1e999}', "found inf"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5_000, "found Infinity"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "key a: expected a finite number"),
        (b'{"schema": 1, "complete": tr', "cut short"),
        (b'{"benchmarks": [], "metadata": {}, "version": "1.0"}', "no such key"),
    ],
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    """Whatever the bytes, the answer is one line."""
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert part in refusal(path)


def _set(*keys: str | int, to: Any) -> Change:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = to

    return change


def _drop(*keys: str | int) -> Change:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return change


NAME = make_case().name
OPERATION = ("workers", 0, "operations", NAME)
COUNTED = ("instructions", 0, "operations", NAME)
CONTROL_COUNTED = ("instructions", 0, "controls", CONTROL)
WEIGHED = ("allocations", 0, "operations", NAME)
LOADED = ("loads", 0, "operations", NAME)
IN_LOADED = f"loads[0].operations.{NAME}"
TALLIED = ("loads", 0, "tallies", NAME)
IN_COUNTED = f"instructions[0].operations.{NAME}"
IN_WEIGHED = f"allocations[0].operations.{NAME}"


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        (_drop("cases"), "", "cases"),
        (_drop("cases", 0, "status"), "cases[0]", "status"),
        (_set("cases", 0, "status", to="fine"), "cases[0].status", "expected one of measured, not"),
        (_set("cases", to={}), "cases", "array"),
        (_set("environment", "cpu_count", to="two"), "environment.cpu_count", "int"),
        (_set("environment", "packages", to={"x": 1}), "environment.packages.x", "str"),
        (_set(*OPERATION, to=5), f"operations.{NAME}", "object"),
        (_set("load_average", to=[float("nan")]), "load_average[0]", "finite"),
        (_set(*OPERATION, "elapsed_ns", 3, to=float("nan")), "operations", "finite"),
        (_set(*OPERATION, "elapsed_ns", 3, to=-5), "elapsed_ns[3]", "found -5"),
        (_set(*OPERATION, "elapsed_ns", to=[]), "elapsed_ns", "none"),
        (_set(*OPERATION, "elapsed_ns", to=[10**400]), "elapsed_ns[0]", "finite"),
        (_set(*OPERATION, "elapsed_ns", 0, to=1.5), "elapsed_ns[0]", "int"),
        (_set(*OPERATION, "calls", to=0), "calls", "found 0"),
        (_set("workers", 0, "reference", "elapsed_ns", to=[0]), "reference", "found 0"),
        (_set(*OPERATION, "beside", to=[0]), "beside", "found 1 for 12 samples"),
        (_set(*OPERATION, "beside", to=[99] * 12), "beside[0]", "from 0 to 11, found 99"),
        (_set("workers", 0, "controls", to={}), "workers[0].controls", "1xreturns"),
        (_set("workers", 1, "clock_resolution_ns", to=0), "clock_resolution_ns", "more than 0"),
        (_set("workers", 0, "operations", to={"who": {"calls": 1, "elapsed_ns": [1]}}), "who", ""),
        (_set(*COUNTED, "instructions", to=[-1, 5]), f"{IN_COUNTED}.instructions", "-1 and 5"),
        (_set(*COUNTED, "instructions", to=[7, 7]), f"{IN_COUNTED}.instructions", "7 and 7"),
        (_set(*COUNTED, "calls", to=[40, 10]), f"{IN_COUNTED}.calls", "found 40 and 10"),
        (_set(*COUNTED, "calls", to=[1, 2, 3]), f"{IN_COUNTED}.calls", "array"),
        (_set(*COUNTED, "calls", to=[1, "2"]), f"{IN_COUNTED}.calls[1]", "int"),
        (_set(*COUNTED, "calls", to=[1, float("nan")]), f"{IN_COUNTED}.calls[1]", "finite"),
        (_set(*COUNTED, "calls", to=[0, 10**30]), f"{IN_COUNTED}.calls", "0 and 10000"),
        (_set(*COUNTED, to=None), IN_COUNTED, "object"),
        (
            _set(*CONTROL_COUNTED, "calls", to=[9, 9]),
            f"instructions[0].controls.{CONTROL}.calls",
            "found 9 and 9",
        ),
        (_set("instructions", 0, "index", to="0"), "instructions[0].index", "int"),
        (_set("instructions", 0, "operations", "who", to=5), "operations.who", "object"),
        (
            _set(*COUNTED[:-1], to={"who": {"calls": [0, 1], "instructions": [0, 1]}}),
            "instructions[0].operations.who",
            "one of the names in cases",
        ),
        (_set("instructions", to={}), "instructions", "array"),
        (_set(*WEIGHED, "kept_bytes", to=-0.5), f"{IN_WEIGHED}.kept_bytes", "found -0.5"),
        (_set(*WEIGHED, "calls", to=-1), f"{IN_WEIGHED}.calls", "found -1"),
        (_set(*WEIGHED, "peak_bytes", to=float("inf")), f"{IN_WEIGHED}.peak_bytes", "finite"),
        (_set(*WEIGHED, "peak_bytes", to="1"), f"{IN_WEIGHED}.peak_bytes", "float"),
        (_drop(*WEIGHED, "kept_blocks"), IN_WEIGHED, "kept_blocks"),
        (
            lambda document: document["allocations"][0]["operations"].update(
                who=document["allocations"][0]["operations"].pop(NAME)
            ),
            "allocations[0].operations.who",
            "one of the names in cases",
        ),
        (_set("cases", 0, "missing", to=["latency"]), "cases[0].missing", "object"),
        (_set("signals", to=[1]), "signals[0]", "str"),
        (_set("not_available", to={"latency": 5}), "not_available.latency", "str"),
        (lambda document: document["cases"].append(document["cases"][0]), "cases[1]", "once"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(
    tmp_path: Path, stored: dict[str, Any], change: Change, key: str, expected: str
) -> None:
    """A wrong value deep in the file is found and named."""
    change(stored)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(stored))
    text = refusal(path)
    assert key in text
    assert expected in text


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        (_set("loads", to={}), "loads", "array"),
        (_set(*LOADED, "callers", to=0), f"{IN_LOADED}.callers", "expected 1 or more, found 0"),
        (_set(*LOADED, "calls", to=[]), f"{IN_LOADED}.calls", "expected samples, found none"),
        (_set(*LOADED, "calls", 1, to=-1), f"{IN_LOADED}.calls[1]", "found -1"),
        (_set(*LOADED, "calls", 1, to=10**30), f"{IN_LOADED}.calls[1]", "found 10000"),
        (_set(*LOADED, "calls", 1, to=float("nan")), "calls[1]", "finite number, found nan"),
        (_set(*LOADED, "elapsed_ns", to=[5]), f"{IN_LOADED}.elapsed_ns", "of calls, 2, found 1"),
        (_set(*LOADED, "elapsed_ns", 0, to=0), f"{IN_LOADED}.elapsed_ns[0]", "1 or more, found 0"),
        (_set(*LOADED, "most", to=[9, 9, 9]), f"{IN_LOADED}.most", "of calls, 2, found 3"),
        (_set(*LOADED, "reads", to=[9, 9, 9]), f"{IN_LOADED}.reads", "of calls, 2, found 3"),
        (_set(*LOADED, "fewest", 1, to=999), f"{IN_LOADED}.fewest[1]", "fastest caller, found 999"),
        (_set(*LOADED, "latencies", "300", to=-1), f"{IN_LOADED}.latencies.300", "found -1"),
        (_set(*LOADED, "latencies", "300", to="5"), f"{IN_LOADED}.latencies.300", "int"),
        (_set(*LOADED, "latencies", "x", to=5), f"{IN_LOADED}.latencies", "one of its names"),
        (_set(*LOADED, "latencies", "-1", to=5), "latencies.-1", "from 0 to 2205, found -1"),
        (_set(*LOADED, "latencies", "9999", to=5), "latencies.9999", "found 9999"),
        (_set(*LOADED, "clock_ns", to=float("inf")), f"{IN_LOADED}.clock_ns", "finite"),
        (_set(*LOADED, "clock_ns", to=-0.5), f"{IN_LOADED}.clock_ns", "found -0.5"),
        (_set(*LOADED, "longest_ns", to=-1), f"{IN_LOADED}.longest_ns", "found -1"),
        (_set(*LOADED, "lags_ns", 1, to=-1), f"{IN_LOADED}.lags_ns[1]", "found -1"),
        (_set(*LOADED, "release_ns", to=-1), f"{IN_LOADED}.release_ns", "found -1"),
        (_drop(*LOADED, "fewest"), IN_LOADED, "fewest"),
        (
            _set("loads", 0, "controls", CONTROL, "elapsed_ns", 0, to=-1),
            f"loads[0].controls.{CONTROL}.elapsed_ns[0]",
            "found -1",
        ),
        (_set("loads", 0, "controls", to={}), "loads[0].controls", "expected '1xreturns'"),
        (_set(*TALLIED, "payload_runs", to=-1), f"tallies.{NAME}.payload_runs", "found -1"),
        (_set(*TALLIED, "counted", to=1e300), f"tallies.{NAME}.counted", "found 1e+300"),
        (_set(*TALLIED, "probes", to=1.5), f"tallies.{NAME}.probes", "int"),
        (
            lambda document: document["loads"][0]["tallies"].update(
                who=document["loads"][0]["tallies"].pop(NAME)
            ),
            "loads[0].tallies.who",
            "one of the names in cases",
        ),
        (
            lambda document: document["loads"][0]["operations"].update(
                who=document["loads"][0]["operations"].pop(NAME)
            ),
            "loads[0].operations.who",
            "one of the names in cases",
        ),
    ],
)
def test_loads_that_make_no_sense_are_refused_with_their_key(
    tmp_path: Path, stored: dict[str, Any], change: Change, key: str, expected: str
) -> None:
    """What was measured under load is doubted like everything else."""
    test_what_makes_no_sense_is_refused_with_its_key(tmp_path, stored, change, key, expected)


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


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_that_is_cut_anywhere_is_refused(
    tmp_path: Path, stored: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever is missing from its end, the file is refused in one line."""
    text = json.dumps(stored)
    path = tmp_path / "cut.json"
    path.write_text(text[: data.draw(st.integers(0, len(text) - 1))])
    refusal(path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    with contextlib.suppress(UserError):
        pyperf_json.render(result)
