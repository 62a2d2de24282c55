"""What of the scenarios is tracked over commits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilience_bench import FAILS, RETURNS, Library, PayloadError, scenario
from resilience_bench.commits.asv_parameters import (
    Family,
    group_by_family,
    normalise_name,
    read_installable,
)

PYBREAKER = Library("pybreaker", object(), ("PyBreaker",))
OTHER = Library("other", object(), ("other-breaker",))


@scenario(library=[PYBREAKER, OTHER], in_profile=["threads"])
def closed(library: Any, payload: Any) -> Any:
    """A call goes through."""
    return payload


@scenario(library=[PYBREAKER], in_profile=["tasks"])
async def closed_async(library: Any, payload: Any) -> Any:
    """A coroutine goes through."""
    return payload


@scenario(payload_calls=0, parameters={"size": (1, 2)}, in_profile=["processes"])
def counted(size: Any) -> Any:
    """Something is counted."""
    return bool


@scenario(outcomes=(FAILS, RETURNS), raises=PayloadError, in_profile=["threads"])
def mixed_up(payload: Any) -> Any:
    """Several callers would mix up its outcomes."""
    return payload


def grids(*scenarios: Any, names: tuple[str, ...] = ("pybreaker",)) -> Family:
    """The one family of these scenarios."""
    bound = [case for each in scenarios for case in each.bind("file.py")]
    [family] = group_by_family(bound, names)
    return family


def test_libraries_that_no_commit_brings_are_left_out() -> None:
    """An axis holds what the project can install, whatever is installed here."""
    assert grids(closed).single.params == [["pybreaker"], ["closed"], ["single"]]
    both = grids(closed, names=("pybreaker", "other-breaker"))
    assert both.single.params[0] == ["pybreaker", "other"]


def test_a_scenario_without_a_library_is_bare_and_keeps_its_parameters() -> None:
    """Each label is a value of the axis of libraries."""
    assert grids(closed, counted).single.params == [
        ["pybreaker", "size=1", "size=2"],
        ["closed", "counted"],
        ["single"],
    ]
    assert grids(mixed_up).single.params[0] == ["bare"]


def test_loads_are_those_that_the_scenario_asks_for() -> None:
    """Threads for a call, tasks for a coroutine, around a wait; none where it makes no sense."""
    loaded = grids(closed, closed_async, counted, mixed_up).loaded
    assert {key: bound.name.partition(".")[2] for key, bound in loaded.bound.items()} == {
        ("pybreaker", "closed", "threads-16"): "closed[pybreaker,threads-16,io]",
        ("pybreaker", "closed_async", "tasks-100"): "closed_async[pybreaker,tasks-100,io]",
    }


def test_what_a_project_brings_is_in_its_project_file(tmp_path: Path) -> None:
    """Its own name counts, and its dependencies without their versions."""
    file = tmp_path / "pyproject.toml"
    file.write_text(
        '[project]\nname = "My_Stack"\ndependencies = ["Py.Breaker[x]==1.4 ; sys_platform", "b"]\n'
    )
    assert read_installable(file) == {"my-stack", "py-breaker", "b"}


@pytest.mark.parametrize("name", ["a-b", "A.B", "a__B", "a-._b"])
def test_spellings_of_a_name_are_one(name: str) -> None:
    """Packages are the same whatever is between their letters."""
    assert normalise_name(name) == "a-b"
