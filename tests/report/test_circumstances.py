"""How two runs relate, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from resilience_bench._model import Commit, Result
from resilience_bench.report.circumstances import describe_circumstances
from tests.factories import make_case, make_environment, measured_result

ONE, TWO = make_case("one"), make_case("two")


def run(**more: Any) -> Result:
    """A run of two cases on 2026-01-02 from 03:04:05 to 03:05:00."""
    return measured_result({ONE: 1000.0, TWO: 2000.0}, **more)


def test_the_same_circumstances_are_two_lines() -> None:
    """The time, and that a results file cannot name its machine."""
    time, machine = describe_circumstances(run(), run())
    assert time.endswith("they overlap in time")
    assert machine.startswith("machine: same CPU model")
    assert "has no machine's name" in machine


@pytest.mark.parametrize(
    ("started", "said"),
    [
        ("2026-01-02T03:35:00+00:00", "30 minutes apart"),
        ("2026-01-03T03:05:00+00:00", "24.0 hours apart"),
        ("2026-01-12T03:05:00+00:00", "10 days apart"),
        ("soon", "HEAD soon"),
        ("2026-01-02T03:35:00", "HEAD 2026-01-02T03:35:00"),
    ],
)
@pytest.mark.parametrize("is_turned", [False, True])
def test_the_time_between_is_said(started: str, said: str, *, is_turned: bool) -> None:
    """In either order; a date that somebody edited is shown as it is."""
    pair = [run(), run(started=started, ended=started)]
    line = describe_circumstances(*(reversed(pair) if is_turned else pair))[0]
    assert (said if "apart" in said else started) in line


def test_what_differs_is_named() -> None:
    """CPU, kernel, interpreter, packages and commit, each with both sides."""
    packages = {"pybreaker": "1.5.0", "new": "1.0"}
    head = run(
        environment=make_environment(
            cpu_model="other", kernel="7.0", python="CPython 3.12.1", packages=packages
        ),
        commit=Commit("f" * 40, clean=True),
    )
    lines = describe_circumstances(run(), head)[1:]
    cpu, kernel = lines.pop(0).removeprefix("machine: ").split("; ")
    assert cpu == "cpu_model: BASE 'AMD EPYC 7B13', HEAD 'other'"
    assert kernel == "kernel: BASE '6.1.0-18-amd64', HEAD '7.0'"
    assert lines == [
        "interpreter: python: BASE 'CPython 3.11.9', HEAD 'CPython 3.12.1'",
        "packages that differ: new none -> 1.0, pybreaker 1.4.1 -> 1.5.0, tenacity 9.2.1 -> none",
        "commit: BASE 0123456789ab with changes, HEAD ffffffffffff",
    ]


def test_doubts_about_a_run_are_named() -> None:
    """An interrupted run, a busy machine, and what only one side has."""
    base = run(complete=False, signals=("latency", "scaling"))
    head = run(load_average=(2.5, 1.0, 1.0), commit=None)
    head = replace(head, cases=head.cases[1:])
    lines = describe_circumstances(base, head)[2:]
    assert lines == [
        "commit: BASE 0123456789ab with changes, HEAD none",
        "BASE was interrupted, so it has fewer workers than it wanted",
        "HEAD was measured on a busy machine: load average 2.5 when it started",
        "measured in BASE only: scaling",
        f"only in BASE: {ONE.name}",
    ]


def test_texts_of_measured_programs_steer_no_terminal() -> None:
    """Names come from files that somebody may have edited."""
    head = run(environment=make_environment(cpu_model="a\x1b[2J", packages={"x\n\x1b": "1"}))
    assert all(line.isprintable() for line in describe_circumstances(run(), head))
