"""Which cases a pattern selects, with and without a load."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_bench.scenarios import load_patterns
from resilience_bench.scenarios.loads import STANDARD_LOADS
from tests.scenarios.pattern_factories import CASES, names, refused


def test_a_wildcard_stands_for_the_standard_loads() -> None:
    """Six numbers of threads for each library, with the payload that is asked for."""
    reported = names("breaker.closed[*,threads-*,io]")
    assert reported == [
        f"breaker.closed[{library},{load},io]"
        for library in ("pybreaker", "purgatory")
        for load in STANDARD_LOADS["threads"]
    ]
    assert len(reported) == 2 * 6


@pytest.mark.parametrize(
    ("selector", "labels"),
    [
        ("breaker.closed[pybreaker,threads-3]", ["pybreaker,threads-3"]),
        ("breaker.closed[pybreaker,threads-3,noop]", ["pybreaker,threads-3"]),
        ("breaker.closed[pybreaker,threads-3,cpu]", ["pybreaker,threads-3,cpu"]),
        ("breaker.closed[*,threads-3]", ["pybreaker,threads-3", "purgatory,threads-3"]),
        ("breaker.closed[py*,threads-3]", ["pybreaker,threads-3"]),
        ("breaker.closed[pybreaker,io]", ["pybreaker,io"]),
        ("breaker.closed[pybreaker,single,io]", ["pybreaker,io"]),
        ("breaker.closed[*,single,io]", ["pybreaker,io", "purgatory,io"]),
        ("breaker.closed[*,single,noop]", ["pybreaker", "purgatory"]),
        ("breaker.closed[*,single]", ["pybreaker", "purgatory"]),
        ("breaker.closed[single,io]", ["pybreaker,io", "purgatory,io"]),
        ("breaker.closed[threads-3]", ["pybreaker,threads-3", "purgatory,threads-3"]),
        ("breaker.closed[pybreaker,single]", ["pybreaker"]),
        ("breaker.closed[pybreaker,noop]", ["pybreaker"]),
        ("breaker.closed[pybreaker,threads-?]", [f"pybreaker,threads-{n}" for n in (1, 2, 4, 8)]),
        (
            "breaker.recovers[pybreaker,threads-1*]",
            ["pybreaker,threads-1,io", "pybreaker,threads-16,io"],
        ),
        ("metrics.inc[lib-2,mixed-4-*]", ["lib-2,mixed-4-4"]),
        ("breaker.closed[pybreaker,mixed-3-2]", ["pybreaker,mixed-3-2"]),
        (
            "breaker.closed[pybreaker,threads-4,*]",
            ["pybreaker,threads-4", "pybreaker,threads-4,cpu", "pybreaker,threads-4,io"],
        ),
        ("breaker.closed[pur*,single,*]", ["purgatory", "purgatory,cpu", "purgatory,io"]),
        (
            "breaker.closed[pybreaker,threads-2,threads-3]",
            ["pybreaker,threads-2", "pybreaker,threads-3"],
        ),
        ("breaker.rejects[*,threads-4]", ["pybreaker,threads-4"]),
        ("breaker.recovers[*,threads-4,io]", ["pybreaker,threads-4,io"]),
        ("breaker.awaited[*,tasks-100,io]", ["purgatory,tasks-100,io"]),
        ("metrics.inc[lib-2,threads-4]", ["lib-2,threads-4"]),
        ("metrics.shared[processes-2]", ["processes-2"]),
        ("metrics.shared[*,processes-2]", ["processes-2"]),
        ("mine.plain[threads-2,io]", ["threads-2,io"]),
        ("mine[threads-2,io]", ["threads-2,io"]),
    ],
)
def test_a_pattern_means_the_cases_of_its_names(selector: str, labels: list[str]) -> None:
    """What is left out is single or noop, as in the names of cases; both may be written."""
    reported = [each.partition("[")[2].removesuffix("]") for each in names(selector)]
    assert reported == labels


@pytest.mark.parametrize(
    "selector",
    ["*threads-16*io*", "*threads-16,io]", "breaker.closed[*threads-16*io*", "breaker.*[*,io]"],
)
def test_a_pattern_need_not_keep_to_the_words(selector: str) -> None:
    """A ``*`` may stand for anything, brackets and commas among it."""
    reported = names(selector)
    assert {
        f"breaker.closed[{library},threads-16,io]" for library in ("pybreaker", "purgatory")
    } <= set(reported)
    assert all("io" in message.partition("[")[2] for message in reported)


def test_a_star_behind_a_load_may_stand_for_a_load_that_is_not_standard() -> None:
    """What is written out is among the cases; what a wildcard stands for is standard."""
    assert names("breaker.recovers[*threads-5*") == ["breaker.recovers[pybreaker,threads-5,io]"]
    assert names("breaker.recovers[*threads-1*") == [
        f"breaker.recovers[pybreaker,threads-{count},io]" for count in (1, 16)
    ]


LISTED = [each.case.name for each in CASES]

LISTED_LOADED = [
    f"{each.case.group}[{','.join(filter(None, [each.case.library, load, payload]))}]"
    for each in CASES
    for kind in each.loads
    for load in STANDARD_LOADS[kind]
    for payload in each.payloads
    if payload != "noop"
] + ["metrics.inc[lib-2,threads-16]", "metrics.shared[processes-2]", "mine.plain[mixed-4-4]"]


@st.composite
def globs(draw: st.DrawFn, listed: Sequence[str]) -> tuple[str, str]:
    """Draw a name, and a pattern made from it by replacing parts by wildcards."""
    name = draw(st.sampled_from(listed))
    ends = st.sets(st.integers(0, len(name)), max_size=6)
    parts = [name[start:end] for start, end in itertools.pairwise([0, *sorted(draw(ends)), None])]
    pattern = "".join(
        draw(st.sampled_from(["*", "?" * len(part)])) if place % 2 else part
        for place, part in enumerate(parts)
    )
    return name, pattern


@given(globs(LISTED))
def test_each_pattern_made_from_a_listed_name_selects_its_case(made: tuple[str, str]) -> None:
    """Whatever part of the name a wildcard stands for."""
    name, pattern = made
    assert name in names(pattern)


@given(globs(LISTED_LOADED))
def test_each_pattern_made_from_a_name_with_a_load_selects_its_case(made: tuple[str, str]) -> None:
    """Unless nothing of the load is left, and it selects cases without one."""
    name, pattern = made
    reported = names(pattern)
    plain_only = not load_patterns.mentions_load(pattern, CASES) and set(reported) <= set(LISTED)
    assert plain_only or name in reported


def test_a_family_may_be_asked_for_under_a_load() -> None:
    """Scenarios that have not this load or payload are left out."""
    expected = ["closed[pybreaker", "closed[purgatory", "recovers[pybreaker"]
    assert names("breaker[*,threads-4,io]") == [
        f"breaker.{each},threads-4,io]" for each in expected
    ]
    assert names("*[*,threads-4,io]") == [
        *(f"breaker.{each},threads-4,io]" for each in expected),
        "mine.plain[threads-4,io]",
    ]


def test_tasks_are_for_coroutines_only() -> None:
    """What waits for no loop has no tasks, and what waits for one has no threads."""
    assert names("breaker[*,tasks-*,io]") == [
        f"breaker.awaited[purgatory,{load},io]" for load in STANDARD_LOADS["tasks"]
    ]
    assert not [each for each in names("*[*,threads-*]") if "awaited" in each]


@pytest.mark.parametrize("payload", ["cpu", "io"])
def test_work_is_for_what_runs_a_payload(payload: str) -> None:
    """Neither a rejection nor an increment runs it, so there is nothing that could work."""
    reported = names(f"*[*,threads-4,{payload}]")
    assert reported
    assert not [
        message for message in reported if message.startswith(("metrics.", "breaker.rejects"))
    ]


def test_plain_patterns_never_mean_a_load() -> None:
    """What was selected before there were loads still is, and nothing more."""
    plain = [each.case.name for each in CASES]
    assert names() == names("*") == plain
    assert names("breaker.*") == [each for each in plain if each.startswith("breaker.")]
    assert names("*[py*") == [each for each in plain if "[py" in each]
    assert names("breaker.closed[pybreaker]") == ["breaker.closed[pybreaker]"]


def test_a_library_may_have_the_name_of_a_load_that_there_is_not() -> None:
    """lib-2 is neither refused nor taken for two of something."""
    assert names("metrics.inc[lib-2]") == ["metrics.inc[lib-2]"]
    assert names("*[lib-*]") == ["metrics.inc[lib-2]"]


def test_scripted_scenarios_have_no_loads() -> None:
    """Several callers would mix up the outcomes of the payload; alone it may be asked for."""
    assert names("retry.scripted[tenacity,single]") == ["retry.scripted[tenacity]"]
    assert names("retry.scripted[*,single,noop]") == ["retry.scripted[tenacity]"]
    for selector in ("retry.scripted[*,threads-4]", "retry.scripted[*,single,io]"):
        reported = refused(selector)
        assert reported == (
            f"no case matches {selector!r}; retry.scripted is measured alone only: "
            "several callers would mix up its outcomes"
        )
    assert "is measured alone only" in refused("retry.scripted", loaded=True)


def test_patterns_add_up_in_the_order_of_the_suite() -> None:
    """With and without loads, each case once, those of one scenario and library together."""
    reported = names("mine.*", "breaker.closed[*,threads-2]", "breaker.closed", "*[pyb*,threads-2]")
    assert reported == [
        "breaker.closed[pybreaker,threads-2]",
        "breaker.closed[pybreaker]",
        "breaker.closed[purgatory,threads-2]",
        "breaker.closed[purgatory]",
        "breaker.rejects[pybreaker,threads-2]",
        "mine.plain",
    ]


@pytest.mark.parametrize(
    "selector",
    [
        " breaker.closed[pybreaker] ",
        "breaker.closed [pybreaker]",
        "breaker.closed[ pybreaker ]",
        "breaker.closed[pybreaker ]\n",
    ],
)
def test_spaces_in_a_pattern_mean_nothing(selector: str) -> None:
    """What was copied with spaces around it, or typed with them, selects the same."""
    assert names(selector) == ["breaker.closed[pybreaker]"]
    loaded = selector.replace("pybreaker", "pybreaker , threads-2")
    assert names(loaded) == ["breaker.closed[pybreaker,threads-2]"]
