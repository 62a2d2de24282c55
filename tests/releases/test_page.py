"""What the site shows of a release history: steps, releases, costs."""

from __future__ import annotations

from dataclasses import replace

from resilience_bench._model import Estimate
from resilience_bench.releases.page import make_release_page
from tests.site.site_factories import EVIL, make_history

HISTORY = make_history()
STEP = HISTORY.steps[0]


def test_every_release_is_there_the_newest_first() -> None:
    """With its date, and why one was not measured."""
    rows = [
        (release.version, release.date, release.status)
        for release in make_release_page(HISTORY).releases
    ]
    assert rows == [
        ("8.3.0", "2024-05-07", "measured"),
        ("8.2.4", "2023-09-01", f"does not install: no wheel {EVIL}"),
        ("8.2.3", "2023-08-14", "measured"),
    ]
    assert make_release_page(HISTORY).measured == 2


def test_a_step_says_by_how_much_and_how_sure_that_is() -> None:
    """A change, its interval, and the chance; a count that all agree on has neither."""
    (step,) = make_release_page(HISTORY).steps
    assert (step.release, step.before, step.outcome) == ("8.3.0", "8.2.3", "regressed")
    assert step.change == "+50.0%"
    assert step.interval == "× 1.500 (1.480 - 1.520)"
    assert step.chance == "1e-09"
    counted = replace(STEP, change=Estimate(1.1, 1.1, 1.1), p_value=None)
    (step,) = make_release_page(replace(HISTORY, steps=(counted,))).steps
    assert (step.change, step.interval, step.chance) == ("+10.0%", "", "-")
    from_nothing = replace(STEP, change=None)
    (step,) = make_release_page(replace(HISTORY, steps=(from_nothing,))).steps
    assert (step.change, step.interval) == ("-", "")


def test_a_case_counts_once_as_slower_first() -> None:
    """However many of its quantities changed, and whichever came first."""
    cheaper = replace(STEP, outcome="improved", quantity="instructions")
    other = replace(cheaper, case="retry.call_object[tenacity]")
    page = make_release_page(replace(HISTORY, steps=(cheaper, STEP, other)))
    assert page.releases[0].changed == {"regressed": 1, "improved": 1}
    assert page.releases[0].largest == page.steps[0]
    assert not page.releases[2].changed


def test_there_is_a_table_of_what_each_costs() -> None:
    """By quantity, a row a release, in a unit that is read easily."""
    tables = {each.title: each for each in make_release_page(HISTORY).tables}
    assert list(tables) == [
        "retry.first_try, per call",
        "retry.first_try, ratio: per call divided by the reference",
    ]
    table = tables["retry.first_try, per call"]
    assert table.cases == ("tenacity",)
    assert table.rows == (("8.3.0", "15.00 µs"), ("8.2.3", "10.00 µs"))


def test_what_is_doubtful_is_said() -> None:
    """An interrupted history, an unknown date, a withdrawn release."""
    first = replace(HISTORY.releases[0], date="", is_yanked=True)
    page = make_release_page(replace(HISTORY, releases=(first,), complete=False))
    assert any("INTERRUPTED" in line for line in page.headline)
    assert (page.releases[0].version, page.releases[0].date) == ("8.2.3 (withdrawn)", "not known")
    assert page.notes == (f"instructions: not available: no valgrind {EVIL}",)
