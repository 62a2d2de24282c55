"""Which loads a pattern means, and what is said of those that there are not."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_bench._model import CaseInfo
from resilience_bench.cli import main
from resilience_bench.errors import UnknownLoadError, UnknownSelectorError
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.selection import select
from resilience_bench.scenarios import load_patterns
from resilience_bench.scenarios.load_patterns import compute_thread_limit, select_gated_cases
from resilience_bench.scenarios.loads import PAYLOADS, STANDARD_LOADS
from tests.scripted import info, suite

THREADED = ("threads", "mixed")


def declared(
    scenario: str,
    library: str = "",
    loads: Sequence[str] = THREADED,
    payloads: Sequence[str] = PAYLOADS,
    in_profile: Sequence[str] = (),
) -> CaseInfo:
    """A case as its scenario declares it."""
    family, _, name = scenario.rpartition(".")
    return replace(
        info(name, library, family),
        loads=tuple(loads),
        payloads=tuple(payloads),
        in_profile=tuple(in_profile),
    )


CASES = [
    declared("breaker.closed", "pybreaker", in_profile=("threads",)),
    declared("breaker.closed", "purgatory", in_profile=("threads",)),
    declared("breaker.rejects", "pybreaker", payloads=("noop",), in_profile=("threads-16",)),
    declared("breaker.recovers", "pybreaker", ("threads",), ("io",), ("threads-16",)),
    declared("breaker.awaited", "purgatory", ("tasks",), in_profile=("tasks",)),
    declared("metrics.inc", "lib-2", payloads=("noop",), in_profile=("threads", "mixed")),
    declared("metrics.shared", "", (*THREADED, "processes"), ("noop",), ("processes",)),
    declared("retry.scripted", "tenacity", (), PAYLOADS),
    declared("mine.plain"),
]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in an empty folder; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(suite(CASES)))

    def running(*arguments: str) -> tuple[int, str, str]:
        code = main.main(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return running


def names(*selectors: str, cases: Sequence[CaseInfo] = CASES, loaded: bool = False) -> list[str]:
    """The names that the selectors mean in a scripted suite."""
    launcher = ScriptedLauncher(suite(cases))
    return [each.case.name for each in select(launcher, selectors, loaded=loaded).cases]


def refused(selector: str, *, loaded: bool = False) -> str:
    """What is said of a selector that means nothing."""
    with pytest.raises((UnknownLoadError, UnknownSelectorError)) as caught:
        names(selector, loaded=loaded)
    return str(caught.value)


def test_a_wildcard_stands_for_the_standard_loads() -> None:
    """Six numbers of threads for each library, with the payload that is asked for."""
    told = names("breaker.closed[*,threads-*,io]")
    assert told == [
        f"breaker.closed[{library},{load},io]"
        for library in ("pybreaker", "purgatory")
        for load in STANDARD_LOADS["threads"]
    ]
    assert len(told) == 2 * 6


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
    told = [each.partition("[")[2].removesuffix("]") for each in names(selector)]
    assert told == labels


@pytest.mark.parametrize(
    "selector",
    ["*threads-16*io*", "*threads-16,io]", "breaker.closed[*threads-16*io*", "breaker.*[*,io]"],
)
def test_a_pattern_need_not_keep_to_the_words(selector: str) -> None:
    """A ``*`` may stand for anything, brackets and commas among it."""
    told = names(selector)
    assert {
        f"breaker.closed[{library},threads-16,io]" for library in ("pybreaker", "purgatory")
    } <= set(told)
    assert all("io" in each.partition("[")[2] for each in told)


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
    told = names(pattern)
    plain_only = not load_patterns.mentions_load(pattern) and set(told) <= set(LISTED)
    assert plain_only or name in told


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
    told = names(f"*[*,threads-4,{payload}]")
    assert told
    assert not [each for each in told if each.startswith(("metrics.", "breaker.rejects"))]


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
        told = refused(selector)
        assert told == (
            f"no case matches {selector!r}; retry.scripted is measured alone only: "
            "several callers would mix up its outcomes"
        )
    assert "is measured alone only" in refused("retry.scripted", loaded=True)


def test_patterns_add_up_in_the_order_of_the_suite() -> None:
    """With and without loads, each case once, those of one scenario and library together."""
    told = names("mine.*", "breaker.closed[*,threads-2]", "breaker.closed", "*[pyb*,threads-2]")
    assert told == [
        "breaker.closed[pybreaker,threads-2]",
        "breaker.closed[pybreaker]",
        "breaker.closed[purgatory,threads-2]",
        "breaker.closed[purgatory]",
        "breaker.rejects[pybreaker,threads-2]",
        "mine.plain",
    ]


@pytest.mark.parametrize(
    ("selector", "parts"),
    [
        (
            "breaker.closed[pybreaker,threads-4,disk]",
            (
                "breaker.closed has the loads single, threads-N, mixed-WRITERS-READERS",
                "the payloads noop, cpu, io",
            ),
        ),
        ("breaker.closed[*,fibers-8]", ("the loads single, threads-N, mixed-WRITERS-READERS",)),
        ("breaker.closed[*,fibers-*,io]", ("the loads single, threads-N",)),
        ("breaker.closed[*,tasks-4]", ("the loads single, threads-N", "threads-32,io")),
        ("breaker.awaited[*,threads-4]", ("the loads single, tasks-N and",)),
        ("breaker.recovers[*,threads-4]", ("the payloads io;",)),
        (
            "metrics.inc[*,threads-4,io]",
            ("the payloads noop; type e.g. 'metrics.inc[*,threads-32]'",),
        ),
        ("metrics.inc[*,processes-2]", ("the loads single, threads-N, mixed-WRITERS-READERS",)),
        ("nothing.here[*,threads-4]", ("expected a case name", "resilience-bench list")),
    ],
)
def test_what_matches_nothing_is_told_what_there_is(selector: str, parts: Sequence[str]) -> None:
    """The loads and payloads of the scenarios that were meant, with something to type."""
    told = refused(selector)
    assert f"no case matches {selector!r}" in told
    for part in parts:
        assert part in told


def test_what_is_suggested_can_be_typed() -> None:
    """The example in each of these texts selects something."""
    for selector in ("breaker.closed[*,tasks-4]", "metrics[*,threads-4,io]", "mine[x,threads-4]"):
        example = refused(selector).partition("type e.g. '")[2].partition("'")[0]
        assert names(example)


@pytest.mark.parametrize(
    "word",
    [
        "threads-0",
        "threads--1",
        "threads-1.5",
        "tasks-",
        "tasks-0",
        "processes-0",
        "mixed-0-4",
        "mixed-4-0",
        "mixed-4",
        "threads-4-4",
    ],
)
def test_a_load_that_cannot_be_is_refused(word: str) -> None:
    """Whatever else the pattern says; the text has what was expected, and an example."""
    told = refused(f"breaker.closed[*,{word},io]")
    assert word in told
    assert "expected" in told
    assert "[*,threads-8,io]" in told


def test_more_callers_than_the_machine_can_start_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads, processes, and writers with their readers; tasks only need memory."""
    monkeypatch.setattr(load_patterns, "compute_thread_limit", lambda: 100)
    for word in ("threads-101", "mixed-99-2"):
        assert refused(f"breaker.closed[*,{word}]").startswith(
            f"{word}: this machine can start 100 at the most"
        )
    assert refused("metrics.shared[processes-101]").startswith("processes-101: this machine")
    assert names("breaker.closed[pybreaker,threads-100]")
    assert names("breaker.awaited[*,tasks-101]")
    assert refused("breaker.awaited[*,tasks-1000001]").startswith("tasks-1000001: this machine")


def test_what_the_machine_can_start_is_the_least_of_its_limits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Limits that are missing or say "max" do not count; something is left for the rest."""
    (tmp_path / "pids").write_text("500\n")
    (tmp_path / "none").write_text("max\n")
    unlimited = compute_thread_limit()
    paths = tuple(str(tmp_path / name) for name in ("missing", "none"))
    monkeypatch.setattr(load_patterns, "LIMIT_FILES", paths)
    assert compute_thread_limit() >= unlimited
    monkeypatch.setattr(load_patterns, "LIMIT_FILES", (*paths, str(tmp_path / "pids")))
    assert 1 <= compute_thread_limit() < 500
    (tmp_path / "pids").write_text("2\n")
    assert compute_thread_limit() == 1


def test_the_concurrency_profile_takes_what_asks_for_it() -> None:
    """A kind stands for its loads and payloads; one load stands for itself around its payload."""
    told = names(loaded=True)
    assert len(told) == len(set(told))
    by_group: dict[str, list[str]] = {}
    for each in told:
        group, _, label = each.partition("[")
        by_group.setdefault(group, []).append(label.removesuffix("]"))
    assert set(by_group) == {
        "breaker.closed",
        "breaker.rejects",
        "breaker.recovers",
        "breaker.awaited",
        "metrics.inc",
        "metrics.shared",
    }
    for load in STANDARD_LOADS["threads"]:
        assert f"pybreaker,{load},io" in by_group["breaker.closed"]
    assert by_group["breaker.rejects"] == ["pybreaker,threads-16"]
    assert by_group["breaker.recovers"] == ["pybreaker,threads-16,io"]
    for load in STANDARD_LOADS["tasks"]:
        assert f"purgatory,{load},io" in by_group["breaker.awaited"]
    assert by_group["metrics.shared"] == list(STANDARD_LOADS["processes"])
    assert set(STANDARD_LOADS["mixed"]) == {
        each.partition(",")[2] for each in by_group["metrics.inc"] if "mixed" in each
    }
    assert not [each for each in by_group["metrics.inc"] if each.endswith(("io", "cpu"))]


def test_the_concurrency_profile_of_what_does_not_ask_is_all_that_it_has() -> None:
    """A file of one's own is measured without a word in it; readers need to be asked for."""
    told = names("mine.*", loaded=True)
    assert {each.partition("[")[2].partition("-")[0] for each in told} == {"threads"}
    assert "mine.plain[threads-4,cpu]" in told
    assert names(loaded=True, cases=[CASES[-1]]) == told


def test_patterns_with_a_load_mean_the_same_in_every_profile() -> None:
    """Whoever names loads gets these; the profile says how much is measured of them."""
    selector = "breaker.closed[*,threads-3,io]"
    assert names(selector, loaded=True) == names(selector)


def test_a_suite_without_loads_has_no_concurrency_profile() -> None:
    """It says so, and not that there is nothing."""
    with pytest.raises(UnknownLoadError, match="measured alone only"):
        names(loaded=True, cases=[declared("retry.scripted", "tenacity", ())])


def test_gates_look_at_one_load_of_what_works() -> None:
    """Those that are in the profile under threads, where a lock held too long would show."""
    assert [each.case.name for each in select_gated_cases(CASES)] == [
        "breaker.closed[pybreaker,threads-16,io]",
        "breaker.closed[purgatory,threads-16,io]",
    ]
    launcher = ScriptedLauncher(suite(CASES))
    plain = [each.case.name for each in CASES]
    gated = [each.case.name for each in select(launcher, (), gated=True).cases]
    assert gated[: len(plain)] == plain
    assert len(gated) == len(plain) + 2
    told = [each.case.name for each in select(launcher, ("breaker.*",), gated=True).cases]
    assert told == [each for each in plain if each.startswith("breaker.")]


@pytest.mark.parametrize("command", ["run", "list"])
@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("breaker.closed[*,threads-0]", "expected 1 or more of each kind of caller, found 0"),
        ("breaker.awaited[*,tasks-0]", "expected 1 or more of each kind of caller, found 0"),
        ("breaker.closed[*,mixed-0-4]", "expected 1 or more of each kind of caller, found 0"),
        ("breaker.closed[*,fibers-8]", "the loads single, threads-N, mixed-WRITERS-READERS"),
        ("breaker.closed[*,threads-99999999]", "this machine can start"),
        ("breaker.closed[*,threads-4,disk]", "the payloads noop, cpu, io"),
        (f"breaker.closed[*,threads-{'9' * 300}]", "this machine can start"),
    ],
    ids=lambda value: value[:40],
)
def test_the_command_line_says_it_in_one_line(
    command: str, selector: str, expected: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    """Exit code 2, no traceback, and nothing on standard output."""
    code, out, err = run(command, selector)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("resilience-bench: ")
    assert expected in err
