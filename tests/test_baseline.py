"""Ranges contain what was seen, loosen only with a reason, and hold for one environment."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from resilience_bench import baseline
from resilience_bench._model import (
    Baseline,
    Case,
    Environment,
    Measurement,
    Quantity,
    Range,
    Result,
)
from resilience_bench.errors import (
    ForeignBaselineError,
    RefusedLearningError,
    UnreadableBaselineError,
    UnwritableOutputError,
)
from tests.factories import make_case, make_environment, make_record, make_result

Run = tuple[Result, list[Measurement]]
Change = Callable[[dict[str, Any]], object]
CASE = make_case()
NAME = CASE.name


def make_run(
    values: Mapping[str, float], case: Case = CASE, status: str = "measured", **more: Any
) -> Run:
    """A run in which one case has these quantities, with 8 workers behind them."""
    quantities = {name: Quantity(value, value, value) for name, value in values.items()}
    measurement = Measurement(case, quantities, workers=8, samples=80)
    return make_result([make_record(case, status)], **more), [measurement]


def learned(quantity: str, *values: float) -> Range:
    """The range that is learned from runs with these values."""
    runs = [make_run({quantity: value}) for value in values]
    return baseline.learn(runs, "first").ranges[NAME][quantity]


def make_range(expected: float = 1.0, width: float = 0.1, **more: Any) -> Range:
    """A range of this half width."""
    parts: dict[str, Any] = {
        "expected": expected,
        "low": expected * (1 - width),
        "high": expected * (1 + width),
        "runs": 5,
        "workers": 40,
        "spread": 0.01,
    }
    return Range(**{**parts, **more})


def make_baseline(ranges: Mapping[str, Mapping[str, Range]] | None = None, **more: Any) -> Baseline:
    """A baseline with these ranges."""
    parts: dict[str, Any] = {
        "schema": 1,
        "tool_version": "0.1.0",
        "reference_version": 1,
        "environment": make_environment(),
        "commit": None,
        "learned": "2026-01-02T03:05:00+00:00",
        "reason": "first",
        "ranges": {NAME: {"ratio": make_range()}} if ranges is None else ranges,
    }
    return Baseline(**{**parts, **more})


def of_ratio(each: Range, name: str = NAME) -> Baseline:
    """A baseline with the range of one ratio."""
    return make_baseline({name: {"ratio": each}})


# Learning


def test_expected_is_the_median_and_the_spread_is_relative_to_it() -> None:
    """One odd run moves the spread, not what is expected."""
    found = learned("ratio", 1.0, 1.02, 1.5)
    assert found.expected == 1.02
    assert found.spread == pytest.approx(0.5 / 1.02)


@pytest.mark.parametrize(("quantity", "width"), baseline.WIDTHS.items())
def test_runs_that_agree_get_the_least_width(quantity: str, width: float) -> None:
    """Equal values are no reason for a range of no width."""
    found = learned(quantity, 10_000.0, 10_000.0, 10_000.0)
    assert found.low == pytest.approx(10_000 * (1 - width))
    assert found.high == pytest.approx(10_000 * (1 + width))
    assert found.spread == 0


def test_runs_that_disagree_get_a_margin() -> None:
    """A range reaches further than the runs did, on the side on which they did."""
    found = learned("ratio", 1.0, 1.0, 1.4)
    assert (found.low, found.high) == pytest.approx((0.9, 1.6))


def test_widths_can_be_given() -> None:
    """Another half width takes the place of the usual one."""
    runs = [make_run({"ratio": 2.0})]
    found = baseline.learn(runs, "wide", {**baseline.WIDTHS, "ratio": 0.5}).ranges[NAME]["ratio"]
    assert (found.low, found.high) == (1.0, 3.0)


@pytest.mark.parametrize("quantity", ["allocated_bytes", "object_bytes"])
def test_bytes_have_a_slack(quantity: str) -> None:
    """Nothing kept, or a hair less than nothing, still leaves room for one small block."""
    for value in (0.0, -0.25):
        found = learned(quantity, value)
        assert (found.expected, found.low, found.high, found.spread) == (0, 0, 16, 0)


@settings(deadline=None)
@given(
    quantity=st.sampled_from(sorted(baseline.SIGNALS)),
    values=st.lists(st.just(0.0) | st.floats(1e-6, 1e12), min_size=1, max_size=7),
)
@example(quantity="ratio", values=[1.0, 1.1])
@example(quantity="allocated_bytes", values=[0.0, 40.0])
def test_a_range_contains_every_run_and_is_wide_enough(quantity: str, values: list[float]) -> None:
    """Whatever the runs say, all of them are acceptable, and so is the least width around them."""
    found = learned(quantity, *values)
    assert all(found.low <= value <= found.high for value in values)
    assert found.expected == statistics.median(values)
    width = baseline.WIDTHS[quantity]
    assert 0 <= found.low <= found.expected * (1 - width) * (1 + 1e-9)
    assert found.high >= found.expected * (1 + width) * (1 - 1e-9)
    assert found.runs == len(values)
    assert found.spread >= 0


def test_workers_are_counted_for_latency_and_runs_for_the_rest() -> None:
    """Every worker is a ratio of its own, but a run has one count of instructions."""
    runs = [make_run({"ratio": 1.0, "instructions": 9.0})] * 3
    found = baseline.learn(runs, "first").ranges[NAME]
    assert (found["ratio"].workers, found["ratio"].runs) == (24, 3)
    assert (found["instructions"].workers, found["instructions"].runs) == (3, 3)


def test_only_what_is_judged_and_finite_is_learned() -> None:
    """Nanoseconds inform only, and what is not a number is nothing to hold others against."""
    values = {"ratio": 1.0, "latency_ns": 5.0, "instructions": float("inf")}
    found = baseline.learn([make_run(values)], "first")
    assert list(found.ranges[NAME]) == ["ratio"]


def test_only_cases_that_were_measured_are_learned() -> None:
    """A case that failed in one run rests on the other runs."""
    runs = [make_run({"ratio": 9.0}, status="failed"), make_run({"ratio": 1.0})]
    found = baseline.learn(runs, "first").ranges[NAME]["ratio"]
    assert (found.expected, found.runs) == (1.0, 1)


def test_the_rest_comes_from_the_last_run() -> None:
    """Commit, time and version are those of the run that ended last."""
    runs = [make_run({"ratio": 1.0}, ended="2026-01-01"), make_run({"ratio": 1.0}, commit=None)]
    found = baseline.learn(runs, "first")
    assert found.learned == runs[1][0].ended
    assert found.commit is None
    assert found.environment == runs[1][0].environment
    assert (found.schema, found.tool_version, found.reason) == (1, "0.1.0", "first")


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"reference_version": 2}, "reference_version (1, then 2)"),
        ({"environment": make_environment(cpu_model="x")}, "cpu_model ('AMD EPYC 7B13', then 'x')"),
        ({"environment": make_environment(python_build="x")}, "python_build ("),
        (
            {"environment": make_environment(packages={"pybreaker": "1.4.1", "tenacity": "8"})},
            "packages.tenacity ('9.2.1', then '8')",
        ),
        ({"environment": make_environment(packages={})}, "packages.pybreaker ('1.4.1', then None)"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(more: dict[str, Any], part: str) -> None:
    """A baseline holds for one environment, so it is learned in one."""
    with pytest.raises(RefusedLearningError) as caught:
        baseline.learn([make_run({"ratio": 1.0}), make_run({"ratio": 1.0}, **more)], "first")
    assert f"run 2 differs from run 1 in {part}" in str(caught.value)
    assert "type 'resilience-bench baseline learn'" in str(caught.value)


def test_another_kernel_does_not_matter() -> None:
    """What decides nothing may differ."""
    other = make_run({"ratio": 1.0}, environment=make_environment(kernel="7", os="Ubuntu"))
    assert baseline.learn([make_run({"ratio": 1.0}), other], "first").environment.kernel == "7"


@pytest.mark.parametrize(
    ("runs", "part"),
    [([], "there are no runs"), ([make_run({"latency_ns": 1.0})], "nothing was measured")],
)
def test_nothing_to_learn_from_is_refused(runs: Sequence[Run], part: str) -> None:
    """A baseline without ranges would let everything through."""
    with pytest.raises(RefusedLearningError, match=f"cannot learn: {part}"):
        baseline.learn(runs, "first")


# What moved


def test_rounding_is_no_move() -> None:
    """What differs by less than 0.1 % does not differ."""
    assert baseline.moves(of_ratio(make_range(1.0)), of_ratio(make_range(1.0005))) == []


@pytest.mark.parametrize(
    ("after", "loosens"),
    [
        (make_range(1.0, high=1.2), True),
        (make_range(1.0, low=0.8), True),
        (make_range(1.05, low=0.95, high=1.1), True),
        (make_range(1.0, high=1.05), False),
        (make_range(1.0, low=0.95), False),
        (make_range(0.95, low=0.9, high=1.1), False),
        (make_range(0.5), False),
        (make_range(0.5, low=0.2, high=0.9), True),
        (make_range(0.8, low=0.6, high=0.8), False),
    ],
)
def test_a_range_loosens_by_its_width_its_high_end_or_what_it_expects(
    after: Range, loosens: Any
) -> None:
    """What gets wider or higher needs a reason; what moves down as a whole does not."""
    [move] = baseline.moves(of_ratio(make_range(1.0)), of_ratio(after))
    assert (move.case, move.quantity, move.after) == (NAME, "ratio", after)
    assert move.loosens is loosens


def test_new_cases_and_those_that_are_gone_move_but_do_not_loosen() -> None:
    """A case that comes or goes is shown, and needs no reason."""
    before, after = of_ratio(make_range(), "a"), of_ratio(make_range(), "b")
    gone, new = baseline.moves(before, after)
    assert (gone.case, gone.after, gone.loosens) == ("a", None, False)
    assert (new.case, new.before, new.loosens) == ("b", None, False)
    assert str(new) == "b ratio no range -> 1 [0.9, 1.1]"
    assert baseline.accepted(before, after, None) == after


def test_looser_ranges_need_a_reason() -> None:
    """Without one the text counts them, names three and says what to type."""
    before = make_baseline({name: {"ratio": make_range()} for name in "abcde"})
    after = make_baseline({name: {"ratio": make_range(1.5)} for name in "abcd"})
    for reason in (None, " "):
        with pytest.raises(RefusedLearningError) as caught:
            baseline.accepted(before, after, reason)
        assert str(caught.value) == (
            "cannot learn: 4 ranges would get looser: a ratio 1 [0.9, 1.1] -> 1.5 [1.35, 1.65]; "
            "b ratio 1 [0.9, 1.1] -> 1.5 [1.35, 1.65]; c ratio 1 [0.9, 1.1] -> 1.5 [1.35, 1.65]; "
            '1 more; if that is right, type --accept "reason"'
        )


def test_the_reason_is_kept_with_exactly_what_got_looser() -> None:
    """Each other range keeps the reason that it had, and takes the new numbers."""
    before = make_baseline(
        {
            "a": {"ratio": make_range(reason="old")},
            "b": {"ratio": make_range(reason="old"), "instructions": make_range(reason="older")},
        }
    )
    tighter = make_range(0.95, low=0.9, high=1.0)
    after = make_baseline(
        {
            "a": {"ratio": make_range(2.0)},
            "b": {"ratio": tighter, "instructions": make_range(1.0001)},
            "c": {"ratio": make_range()},
        }
    )
    found = baseline.accepted(before, after, "the breaker now logs").ranges
    assert found["a"]["ratio"] == make_range(2.0, reason="the breaker now logs")
    assert found["b"]["ratio"] == replace(tighter, reason="old")
    assert found["b"]["instructions"] == make_range(1.0001, reason="older")
    assert found["c"]["ratio"].reason == ""


# The file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Everything survives the way to the disk and back, in a folder that is made for it."""
    values = {"ratio": 1 / 3, "instructions": 14953.968, "allocated_bytes": 0.0}
    written = baseline.learn([make_run(values)], "wörds")
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
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
    assert baseline.environment_name(environment) == name


@given(cpu=st.text(), python=st.text(), machine=st.text())
def test_a_name_can_always_be_a_file(cpu: str, python: str, machine: str) -> None:
    """Whatever a processor calls itself, it cannot lead out of the folder."""
    odd = make_environment(cpu_model=cpu, python=python, machine=machine)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", baseline.environment_name(odd))


ALL = ("latency", "instructions", "allocations")


@pytest.mark.parametrize(
    ("more", "signals"),
    [
        ({}, ()),
        ({"packages": {}, "kernel": "7", "os": "Ubuntu"}, ()),
        ({"cpu_model": "X"}, ("latency",)),
        ({"cpu_count": 8}, ("latency",)),
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
    found = baseline.differences(make_environment(), make_environment(**more))
    assert tuple(found) == ALL
    assert tuple(signal for signal, texts in found.items() if texts) == signals


def test_differences_show_both_sides() -> None:
    """The text says what it was and what it is."""
    here = make_environment(cpu_model="X", free_threaded=True)
    assert baseline.differences(make_environment(), here)["latency"] == (
        "cpu_model: baseline 'AMD EPYC 7B13', here 'X'",
        "free_threaded: baseline False, here True",
    )


def test_the_same_environment_is_comparable() -> None:
    """All signals are judged, or those that were asked for."""
    same = make_environment()
    assert baseline.comparable(make_baseline(), same, 1, None) == ALL
    assert baseline.comparable(make_baseline(), same, 1, ["allocations"]) == ("allocations",)


def foreign(here: Environment, signals: Sequence[str] | None, reference_version: int = 1) -> str:
    """The text with which a baseline is refused."""
    with pytest.raises(ForeignBaselineError) as caught:
        baseline.comparable(make_baseline(), here, reference_version, signals)
    return str(caught.value)


def test_another_processor_is_refused_until_other_signals_are_asked_for() -> None:
    """The text says what differs, and what to type for what compares all the same."""
    here = make_environment(cpu_model="X")
    expected = (
        "the baseline cannot be compared with what is measured here: latency (cpu_model: baseline "
        "'AMD EPYC 7B13', here 'X'); instructions and allocations can be: "
        "type --signals instructions,allocations"
    )
    assert foreign(here, None) == expected
    assert foreign(here, ["latency"]) == expected
    assert foreign(here, ["latency", "allocations"]).endswith("type --signals allocations")
    left = ["instructions", "allocations"]
    assert baseline.comparable(make_baseline(), here, 1, left) == tuple(left)


def test_another_python_is_refused_altogether() -> None:
    """Where nothing compares, a new baseline is to be learned."""
    text = foreign(make_environment(python="CPython 3.12.1"), None)
    assert "allocations (python: baseline 'CPython 3.11', here 'CPython 3.12')" in text
    assert text.endswith("nothing else can be: type 'resilience-bench baseline learn' here first")


def test_another_reference_stops_latency_only() -> None:
    """A ratio means nothing once what it is relative to has changed."""
    text = foreign(make_environment(), None, reference_version=2)
    assert "latency (reference_version: baseline 1, here 2)" in text
    assert baseline.comparable(make_baseline(), make_environment(), 2, ALL[1:]) == ALL[1:]


def test_a_baseline_is_found_by_its_environment(tmp_path: Path) -> None:
    """The file of this environment is taken, whatever lies beside it."""
    path = tmp_path / f"{baseline.environment_name(make_environment())}.json"
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
        "it, or name another one with --baseline"
    )


def test_a_missing_folder_is_no_baseline_at_all(tmp_path: Path) -> None:
    """A first use ends in the same text."""
    with pytest.raises(UnreadableBaselineError, match="found no baseline at all; type"):
        baseline.find(tmp_path / "nowhere", make_environment())


def test_reasons_do_not_make_a_move() -> None:
    """A range with other words beside the same numbers has not moved."""
    before = of_ratio(make_range())
    after = replace(before, ranges={NAME: {"ratio": make_range(reason="why", runs=9)}})
    assert baseline.moves(before, after) == []
