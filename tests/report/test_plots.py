"""Pictures: which there are, what stands in them, and that nothing covers anything else."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest

from resilience_bench._model import Case, Result
from resilience_bench.report.plots import heat, overheads, style
from resilience_bench.report.plots.pictures import Picture, plan_pictures
from resilience_bench.stats.latency import estimate
from tests.factories import make_case, make_result, measured_result, sample_result
from tests.load_factories import (
    concurrency_result,
    histogram,
    loaded_result,
    make_load_samples,
    make_loads,
    make_tally,
)
from tests.report.drawing import assert_readable, drawn, texts

IO = {"load": "threads-16", "payload": "io"}
ODD = ("_$x_{2}$ & <b>", "a" * 70, "$\\frac{1}{0}$", "_b", "x\ny", "c|d`e", "日本", "plain", "%s")


@functools.cache
def result() -> Result:
    """Breakers and metrics with and without loads."""
    return concurrency_result(workers=3)


@functools.cache
def by_name() -> dict[str, Picture]:
    """The pictures of that result."""
    return {each.name: each for each in plan_pictures(result(), estimate(result()))}


@functools.cache
def odd_pictures() -> tuple[Picture, ...]:
    """Pictures of libraries whose names mean something to matplotlib, XML, or nobody."""
    cases = [
        Case("my_$fam$/..", "run it", name, load=load, payload="io")
        for name in ODD
        for load in ("threads-2", "threads-16")
    ]
    records = []
    for position, case in enumerate(cases):
        samples = make_load_samples(
            (800.0 * (position + 1),) * 4,
            16,
            latencies=histogram([1e6 * (position + 1)] * 3000),
            longest_ns=90_000_000,
        )
        tallies = {case.name: make_tally(position % 2)}
        made = make_loads(case, (), operations={case.name: samples}, tallies=tallies)
        records.append(replace(made, controls=make_loads(case, ()).controls))
    odd = loaded_result(records, cases)
    alone = measured_result({replace(case, load="single", payload="noop"): 5e3 for case in cases})
    both = replace(odd, cases=(*alone.cases, *odd.cases), workers=alone.workers)
    return tuple(plan_pictures(both, estimate(both)))


def test_there_is_a_picture_for_each_question() -> None:
    """Rates by callers, the latencies of the largest load, scaling, and overhead by family."""
    assert list(by_name()) == [
        "overhead-breaker",
        "overhead-metrics",
        "overhead-composed",
        "overhead-control",
        "threads-breaker.closed_success-io",
        "latency-breaker.closed_success-io-single",
        "latency-breaker.closed_success-io-threads-32",
        "scaling-breaker.closed_success-io",
        "threads-breaker.closed_success-noop",
        "latency-breaker.closed_success-noop-threads-32",
        "scaling-breaker.closed_success-noop",
        "threads-metrics.labels_inc-noop",
        "processes-metrics.labels_inc-noop",
        "latency-metrics.labels_inc-noop-threads-32",
        "latency-metrics.labels_inc-noop-processes-4",
        "latency-metrics.labels_inc-noop-mixed-7-1",
        "scaling-metrics.labels_inc-noop",
        "tasks-breaker.async_closed_success-io",
        "latency-breaker.async_closed_success-io-tasks-1000",
        "scaling-breaker.async_closed_success-io",
    ]


def test_what_has_no_numbers_makes_no_picture() -> None:
    """Nothing measured, or nothing but one load: no empty axes, no line of one point."""
    assert plan_pictures(make_result(), []) == []
    case = make_case(load="threads-4")
    one = loaded_result([make_loads(case, (100.0,))], [case])
    assert [each.name for each in plan_pictures(one, estimate(one))] == [
        "scaling-breaker.closed_success-noop"
    ]
    stuck = loaded_result([make_loads(case, (0.0,), (0.0,))], [case])
    assert plan_pictures(stuck, estimate(stuck)) == []


@pytest.mark.parametrize(
    "name",
    [
        "overhead-breaker",
        "overhead-metrics",
        "overhead-control",
        "threads-breaker.closed_success-io",
        "processes-metrics.labels_inc-noop",
        "tasks-breaker.async_closed_success-io",
        "latency-breaker.closed_success-io-threads-32",
        "scaling-metrics.labels_inc-noop",
        "scaling-breaker.closed_success-io",
    ],
)
def test_no_text_covers_another_one(name: str) -> None:
    """Labels, legends, titles and the foot have room."""
    assert_readable(drawn(by_name()[name]))


@pytest.mark.parametrize("position", range(4))
def test_odd_names_are_shown_as_they_are(position: int) -> None:
    """A dollar begins no formula, an underscore hides no label, a pair of brackets is no tag."""
    figure = drawn(odd_pictures()[position])
    shown = " ".join(each.get_text() for each in texts(figure))
    for name in ("_$x_{2}$ & <b>", "$\\frac{1}{0}$", "_b", "x y", "c|d`e", "日本", "%s"):
        assert name in shown
    assert "a" * 70 in shown.replace("\n", "")
    assert_readable(figure)


def test_odd_names_make_plain_file_names() -> None:
    """Nothing in them leaves the folder, and no two are the same."""
    names = [each.name for each in odd_pictures()]
    assert len(set(names)) == len(names) == 4
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for name in names)
    cases = [Case("f", name, "x", load="threads-2") for name in ("a b", "a/b", "A_b", "a-B")]
    clash = loaded_result([make_loads(case, (10.0,)) for case in cases], cases)
    assert [each.name for each in plan_pictures(clash, estimate(clash))] == [
        "scaling-f.a-b-noop",
        "scaling-f.a-b-noop-2",
        "scaling-f.A_b-noop",
        "scaling-f.a-B-noop-3",
    ]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "threads-metrics.labels_inc-noop",
            {"naive_counter (loses counts)", "prometheus_client", "Number of threads", "32"},
        ),
        ("scaling-metrics.labels_inc-noop", {"naive_counter", "(loses counts)", "writers:readers"}),
        (
            "latency-breaker.closed_success-io-threads-32",
            {"breaker.closed_success around io under threads-32", "p99", "pybreaker", "50 ms"},
        ),
        ("overhead-breaker", {"closed_success", "open_rejects", "pybreaker", "9.22 µs"}),
    ],
)
def test_files_are_valid_and_say_what_they_show(name: str, parts: set[str]) -> None:
    """SVG with text that can be searched, PNG that can be printed, and the foot in both."""
    with style.use_settings():
        files = style.render_figure(by_name()[name].draw())
    root = ET.fromstring(files["svg"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    shown = {"".join(each.itertext()).strip() for each in root.iter() if each.tag.endswith("text")}
    assert parts <= shown
    assert any("2026-01-02" in each and "AMD EPYC 7B13" in each for each in shown)
    assert files["png"].startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", files["png"][16:24])
    assert width >= 1200
    assert height >= 300


def test_the_same_result_makes_the_same_files_whatever_the_users_settings() -> None:
    """A file that is committed changes only when its picture does."""
    picture = by_name()["overhead-metrics"]
    with style.use_settings():
        first = style.render_figure(picture.draw())
    with mpl.rc_context({"savefig.bbox": "tight", "axes.grid": True, "font.size": 30}):
        with style.use_settings():
            second = style.render_figure(picture.draw())
        assert mpl.rcParams["font.size"] == 30
    assert first == second


def test_the_bare_call_is_a_bold_black_line() -> None:
    """It is the line to reach, and the first in the legend."""
    axes = drawn(by_name()["threads-breaker.closed_success-io"]).axes[0]
    bare = axes.get_lines()[0]
    assert (bare.get_color(), bare.get_marker()) == ("#000000", "")
    assert bare.get_linewidth() > max(line.get_linewidth() for line in axes.get_lines()[1:])
    assert list(bare.get_xdata()) == [1, 2, 4, 8, 16, 32]
    labels = [each.get_text() for each in axes.get_legend().get_texts()]
    assert (labels[0], labels[-1]) == ("bare call: the line to reach", "pybreaker")


def test_a_percentile_that_was_not_reported_is_a_gap() -> None:
    """A line does not lead from p90 to the longest call; what nobody has, has no place."""
    samples = {
        name: make_load_samples(
            (900.0,), 16, latencies=histogram([1e6] * calls), longest_ns=4_000_000
        )
        for name, calls in (("few", 50), ("many", 4000))
    }
    cases = [make_case(name, **IO) for name in samples]
    operations = {case.name: samples[case.library] for case in cases}
    reported = loaded_result([make_loads(cases[0], (1e4,), operations=operations)] * 5, cases)
    [picture] = [
        each
        for each in plan_pictures(reported, estimate(reported))
        if each.name.startswith("latency")
    ]
    axes = drawn(picture).axes[0]
    labels = [each.get_text() for each in axes.get_xticklabels()]
    assert labels == ["p50", "p90", "p99", "p99.9", "longest"]
    gaps = [np.isnan(np.asarray(line.get_ydata(), float)).tolist() for line in axes.get_lines()]
    assert gaps.count([False, False, True, True, False]) == 1
    alone = loaded_result([make_loads(cases[0], (1e4,), operations=operations)], cases[:1])
    [picture] = [
        each for each in plan_pictures(alone, estimate(alone)) if each.name.startswith("latency")
    ]
    labels = [each.get_text() for each in drawn(picture).axes[0].get_xticklabels()]
    assert labels == ["p50", "longest"]


def compute_luminance(colour: Sequence[float]) -> float:
    """The brightness of a colour from 0 to 1: the relative luminance of WCAG 2.2."""
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in colour[:3]
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_cells_of_the_map_are_written_in_a_colour_that_is_read() -> None:
    """White on dark, black on bright; a mark where counts were lost; a dash where nothing is."""
    table = by_name()["scaling-breaker.closed_success-io"]
    cells = {text.get_text(): text.get_color() for text in drawn(table).axes[0].texts}
    assert (cells["0.08"], cells["0.99"]) == ("white", "black")
    for value in (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0):
        ground = compute_luminance(heat.MAP(heat.NORM(value))) + 0.05
        contrast = ground / 0.05 if value > heat.BRIGHT_FROM else 1.05 / ground
        assert contrast >= 4.5  # what WCAG asks of text
    marked = drawn(by_name()["scaling-metrics.labels_inc-noop"]).axes[0]
    assert sum(each.get_text().endswith("!") for each in marked.texts) == 12
    missing = replace(result(), cases=tuple(each for each in result().cases if each.case.library))
    kept = tuple(case for case in missing.cases if case.case != make_case("pybreaker", **IO))
    [lacking] = [
        each
        for each in plan_pictures(
            replace(missing, cases=kept), estimate(replace(missing, cases=kept))
        )
        if each.name == "scaling-breaker.closed_success-io"
    ]
    assert [each.get_text() for each in drawn(lacking).axes[0].texts].count("-") == 1


def test_doubts_are_marked_and_the_foot_says_where_to_read_them() -> None:
    """As in the table; without doubts the foot says nothing of them."""
    few = measured_result({make_case("a"): 1000.0}, workers=2)
    shown = " ".join(each.get_text() for each in texts(drawn(plan_pictures(few, estimate(few))[0])))
    assert "950 ns !" in shown
    assert "says what to doubt" in " ".join(shown.split())
    sure = measured_result({make_case("a"): 1000.0})
    shown = " ".join(
        each.get_text() for each in texts(drawn(plan_pictures(sure, estimate(sure))[0]))
    )
    assert "!" not in shown


@pytest.mark.parametrize(("largest_ns", "scale"), [(2_000.0, "linear"), (90_000.0, "log")])
def test_overheads_far_apart_have_a_logarithmic_axis(largest_ns: float, scale: str) -> None:
    """From thirty times on; otherwise the axis begins at 0, so that lengths can be compared."""
    latency_ns = {make_case("small"): 150.0, make_case("large"): largest_ns}
    apart = measured_result(latency_ns)
    axes = drawn(plan_pictures(apart, estimate(apart))[0]).axes[0]
    assert axes.get_xscale() == scale
    assert bool(axes.get_xlim()[0] == 0) is (scale == "linear")


def test_overheads_below_zero_have_a_place() -> None:
    """What is faster than its control by chance is left of 0, or at the edge."""
    below = measured_result({make_case("less"): 40.0, make_case("more"): 60.0})
    figure = drawn(plan_pictures(below, estimate(below))[0])
    assert figure.axes[0].get_xlim()[0] < -10
    assert "-10 ns" in [each.get_text() for each in texts(figure)]
    far = measured_result(
        {make_case("less"): 40.0, make_case("more"): 60.0, make_case("most"): 9e4}
    )
    axes = drawn(plan_pictures(far, estimate(far))[0]).axes[0]
    assert axes.get_xscale() == "log"
    assert [line.get_marker() for line in axes.get_lines() if line.get_marker() == "<"] == ["<"]


def test_many_panels_stand_in_two_columns_of_about_the_same_height() -> None:
    """In the order of the file, first down and then across."""
    members = {each.case.library: each for each in estimate(sample_result())[:4]}
    panels = [(str(number), members) for number in range(7)]
    left, right = overheads.split_into_columns(panels)
    assert [name for name, _members in left + right] == list("0123456")
    assert abs(len(left) - len(right)) == 1
    assert overheads.split_into_columns(panels[:3]) == [panels[:3]]
