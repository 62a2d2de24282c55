"""The names of loads."""

from __future__ import annotations

import pytest

from resilience_bench.scenarios.loads import LOAD_FORMS, STANDARD_LOADS, Load, parse_load


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("single", Load("single", 1)),
        ("threads-1", Load("threads", 1)),
        ("threads-3", Load("threads", 3)),
        ("tasks-1000", Load("tasks", 1000)),
        ("processes-2", Load("processes", 2)),
        ("mixed-7-1", Load("mixed", 7, 1)),
    ],
)
def test_a_load_is_read(text: str, load: Load) -> None:
    """A kind, and how many callers of it; a mixed one has readers as well."""
    assert parse_load(text) == load


@pytest.mark.parametrize(
    "text",
    [
        "",
        "threads",
        "threads-",
        "threads-x",
        "threads--1",
        "threads-1.5",
        "threads-4-4",
        "mixed-4",
        "mixed-4-4-4",
        "fibers-8",
        "Threads-8",
        " threads-8",
        "threads-8\n",
        "threads-٣",
        "single-1",
    ],
)
def test_what_is_no_load_is_refused_with_what_was_expected(text: str) -> None:
    """The error has what was found, and every way to write a load."""
    with pytest.raises(ValueError, match="no such load: ") as caught:
        parse_load(text)
    for part in (text, "single", *LOAD_FORMS.values()):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["threads-0", "tasks-00", "mixed-0-4", "mixed-4-0"])
def test_a_load_has_callers_of_each_kind(text: str) -> None:
    """Nobody is measured by nobody."""
    with pytest.raises(ValueError, match=rf"^{text}: expected 1 or more .*, found 0$"):
        parse_load(text)


def test_the_standard_loads_are_loads() -> None:
    """What a wildcard stands for is of its kind, and nothing twice."""
    assert {*LOAD_FORMS, "single"} == set(STANDARD_LOADS)
    for kind, loads in STANDARD_LOADS.items():
        assert {parse_load(load).kind for load in loads} == {kind}
        assert len(set(loads)) == len(loads)
