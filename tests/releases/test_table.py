"""A release history for people: the table says what changed, the pictures can be read."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from resilience_bench._model import Estimate
from resilience_bench.releases import table
from resilience_bench.releases.history_file import History, Release
from resilience_bench.releases.page import make_release_row
from resilience_bench.releases.pictures import make_pictures
from resilience_bench.report.plots.style import render_figure, use_settings
from tests.releases.factories import CASE, OTHER, make_history, make_release, make_step
from tests.report.drawing import assert_readable, drawn, texts


def printed(history: History, width: int = 80) -> str:
    """The table of a history."""
    console = Console(width=width, force_terminal=False, no_color=True)
    with console.capture() as capture:
        table.render(history, console)
    return capture.get()


def line_of(text: str, start: str) -> str:
    """The first line that starts like this."""
    return next(line.rstrip() for line in text.splitlines() if line.startswith(start))


def test_every_release_has_a_line_with_its_status() -> None:
    """Its date, how many cases were measured, and what it changed; or why it was not measured."""
    text = printed(make_history(), 200)
    assert line_of(text, "0.9.0").endswith(
        "does not import: ModuleNotFoundError: No module named 'six'"
    )
    assert line_of(text, "1.4.0").split() == ["1.4.0", "2024-05-03", "2", "-"]
    assert line_of(text, "1.5.0").split() == ["1.5.0", "2024-06-03", "2", "2", "slower"]
    assert "10 of 11 releases measured, 2 cases" in text


def test_steps_say_by_how_much_and_how_sure() -> None:
    """Numbers stand right under their headings; counts have no chance."""
    text = printed(make_history())
    assert "1.5.0 (2024-06-03) against 1.4.0" in text
    heading = next(line.rstrip() for line in text.splitlines() if "latency ×" in line)
    first, second = line_of(text, CASE), line_of(text, OTHER)
    assert first.split() == [CASE, "1.500", "±0.015", "-", "<1e-09"]
    assert second.split() == [OTHER, "-", "1.500", "-"]
    assert len(heading) == len(first) == len(second)
    assert heading.split() == ["latency", "×", "instr", "×", "by", "chance"]
    assert "a step is surely more than 5 % of latency or 1 % of instructions" in text
    assert "not decided (1):" in text
    assert f"1.7.0 {CASE} latency, seen 1.030 ×: not yet" in text
    assert text.rstrip().endswith("1 of 9 releases changed something; 1 decision stays open")
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_long_name_is_broken_where_its_library_begins() -> None:
    """In a narrow window every case has two lines; none is cut within a word."""
    scenario, bracket, library = CASE.partition("[")
    wide, narrow = printed(make_history(), 80), printed(make_history(), 55)
    assert line_of(wide, CASE).split()[:2] == [CASE, "1.500"]
    assert line_of(narrow, f"{scenario} ").split()[:2] == [scenario, "1.500"]
    assert f"\n  {bracket}{library}" in narrow


def test_a_case_counts_once_and_as_slower_first() -> None:
    """Faster in one signal and slower in another is slower."""
    steps = (
        make_step("1.5.0", "1.4.0", 0.5, quantity="instructions"),
        make_step("1.5.0", "1.4.0", 1.5),
        make_step("1.6.0", "1.5.0", 0.5),
    )
    found = [make_release_row(release, steps) for release in make_history(steps=steps).releases]
    assert {row.version: row.changed for row in found if row.changed} == {
        "1.5.0": {"regressed": 1},
        "1.6.0": {"improved": 1},
    }


def test_odd_histories_are_shown() -> None:
    """No step, no date, one release, a withdrawn one, and something in the place of nothing."""
    quiet = make_history(steps=(), undecided=(), releases=(make_release("1.0"),), notes=("a note",))
    text = printed(quiet)
    assert "not known" in text
    assert "note: a note" in text
    assert "0 of 0 releases changed something" in text
    assert "by chance" not in text
    withdrawn = make_history(
        releases=(make_release("1.4.0"), make_release("1.5.0", is_yanked=True)),
        steps=(replace(make_step("1.5.0", "1.4.0", 2.0), change=None),),
    )
    text = printed(withdrawn)
    assert "1.5.0 (withdrawn)" in text
    assert "from 0" in text


def test_names_cannot_steer_the_terminal() -> None:
    """Reasons come from pip and from libraries: control codes and markup are shown as text."""
    bad = Release("1.0", "", "does not import", "\x1b[31mred [bold]x[/bold]\nnext")
    text = printed(make_history(releases=(bad, make_release("1.5.0"), make_release("1.4.0"))), 200)
    assert "\x1b" not in text
    assert "[31mred [bold]x[/bold] next" in text


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    """The pictures of a history by name."""
    return {picture.name: drawn(picture) for picture in make_pictures(make_history())}


def test_there_is_a_picture_a_signal(figures: dict[str, Figure]) -> None:
    """With a panel for each scenario, in which the marked releases are named."""
    assert set(figures) == {"latency", "instructions", "allocations"}
    found = [each.get_text() for each in texts(figures["latency"])]
    assert "tenacity: time per call, release by release" in found
    assert {"retry.first_try", "composed.guarded", "1.5.0"} <= set(found)
    assert any(each.endswith(("µs", "ns")) for each in found)
    assert "1.5.0" not in {each.get_text() for each in texts(figures["allocations"])}


def test_nothing_covers_anything(figures: dict[str, Figure]) -> None:
    """In a history with one step, and in one with many that stand close."""
    for figure in figures.values():
        assert_readable(figure)
    names = [each.version for each in make_history().measured]
    steps = tuple(
        make_step(release, before, 1.1 + number / 10, case=case)
        for number, (before, release) in enumerate(itertools.pairwise(names))
        for case in (CASE, OTHER)
    )
    for picture in make_pictures(make_history(steps=steps)):
        assert_readable(drawn(picture))


def test_many_scenarios_and_libraries_stay_readable() -> None:
    """Seven panels with five libraries each, one of which has a long name."""
    cases = {
        f"composed.scenario_{scenario}[{'pyresilience+' * library}tenacity,metric=labels]": "What."
        for scenario in range(7)
        for library in range(5)
    }

    def of(number: int) -> Release:
        release = make_release(f"1.{number}.0", f"20{10 + number}-01-01T00:00:00+00:00")
        value = release.values[CASE]
        return replace(release, values=dict.fromkeys(cases, value))

    history = make_history(cases=cases, releases=tuple(map(of, range(10))), steps=())
    for picture in make_pictures(history):
        assert_readable(drawn(picture))


@pytest.mark.parametrize(
    "dates",
    [
        ["", ""],
        ["2024-01-01T00:00:00+00:00"],
        ["2024-01-01T00:00:00+00:00", "2024-01-03T00:00:00+00:00"],
        ["2024-01-01T00:00:00+00:00", "2024-08-03T00:00:00+00:00"],
        ["2019-01-01T00:00:00+00:00", "2024-08-03T00:00:00+00:00"],
        ["2024-08-03T00:00:00+00:00", "2019-01-01T00:00:00+00:00"],
    ],
)
def test_dates_of_any_distance_are_drawn(dates: list[str]) -> None:
    """Days, months, years, a release of an older line that came later, and dates nobody knows."""
    releases = tuple(make_release(f"1.{number}", date) for number, date in enumerate(dates))
    for picture in make_pictures(make_history(releases=releases, steps=())):
        figure = drawn(picture)
        assert_readable(figure)
        with use_settings():
            assert set(render_figure(figure)) == {"svg", "png"}


def test_a_case_of_no_cost_is_drawn() -> None:
    """A quantity that is 0 in all releases has an axis all the same."""
    release = make_release("1.0", "2024-01-01T00:00:00+00:00")
    values = {
        name: replace(each, quantities={"peak_bytes": Estimate(0, 0, 0)})
        for name, each in release.values.items()
    }
    free = replace(release, values=values)
    [picture] = make_pictures(make_history(releases=(free,), steps=()))
    assert_readable(drawn(picture))
