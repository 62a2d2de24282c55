"""The decorator, discovery and selection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilience_bench import Library, scenario
from resilience_bench._model import Case
from resilience_bench.scenarios.definition import REJECTION, RESULT
from resilience_bench.scenarios.discovery import discover, import_file
from resilience_bench.scenarios.patterns import matches


def write(path: Path, text: str) -> Path:
    """A scenario file with the import that all need."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"from resilience_bench import *\n{text}")
    return path


def test_name_leaves_out_single_and_noop() -> None:
    """A name shows library, parameters, load and payload, without the defaults."""
    full = Case("breaker", "closed", "pybreaker", (("size", "2"),), "threads-8", "io")
    assert full.name == "breaker.closed[pybreaker,size=2,threads-8,io]"
    assert Case("breaker", "closed", "pybreaker").name == "breaker.closed[pybreaker]"
    assert Case("mine", "guarded").name == "mine.guarded"


def test_parameters_of_scenario_and_library_multiply() -> None:
    """There is a case for every combination of library, its parameters and the scenario's."""

    @scenario(
        library=[Library("one", object()), Library("two", object(), parameters={"n": (1, 2)})],
        parameters={"way": ("a", "b")},
    )
    def pick(library: object, way: str, n: int = 0) -> None:
        """Pick."""

    labels = [bound.info.case.label for bound in pick.bind("f.py")]
    assert labels == [
        "one,way=a",
        "one,way=b",
        "two,way=a,n=1",
        "two,way=a,n=2",
        "two,way=b,n=1",
        "two,way=b,n=2",
    ]


def test_payload_calls_follow_the_outcomes_unless_given() -> None:
    """Without payload_calls an operation runs each outcome once; without payload, any result."""

    @scenario(outcomes=("fails", "returns"))
    def twice(payload: Any) -> Any:
        return payload

    @scenario(payload_calls=0, raises=REJECTION, library={"x": object()})
    def never(library: Any) -> Any:
        return library

    assert (twice.payload_calls, twice.returns) == (2, RESULT)
    assert (never.payload_calls, never.raises) == (0, REJECTION)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"payload_calls": -1}, "expected 0 or more"),
        ({"outcomes": ("works",)}, "expected RETURNS, FAILS, EMPTY"),
        ({"outcomes": ()}, "expected RETURNS, FAILS, EMPTY"),
    ],
)
def test_contradictory_definition_is_refused(options: dict[str, Any], rule: str) -> None:
    """A definition that contradicts itself names the scenario and the rule."""
    with pytest.raises(TypeError, match=f"guarded.*{rule}"):

        @scenario(**options)
        def guarded(payload: Any) -> Any:
            return payload


def test_unknown_argument_is_refused() -> None:
    """The message for an argument that the tool does not offer lists what it offers."""
    with pytest.raises(TypeError, match=r"takes clock; a scenario may take 'library', 'payload'"):

        @scenario
        def guarded(clock: Any) -> Any:
            return clock


def test_library_without_libraries_is_refused() -> None:
    """A scenario that takes a library must name some."""
    with pytest.raises(TypeError, match="names none"):

        @scenario
        def guarded(library: Any) -> Any:
            return library


def test_discovery_goes_on_after_a_file_that_does_not_import(tmp_path: Path) -> None:
    """A broken file is reported with file, line and exception; the others are found."""
    broken = write(
        tmp_path / "a_broken.py", "\n@scenario\ndef x(payload): ...\nimport nowhere_at_all\n"
    )
    write(
        tmp_path / "b_good.py", "@scenario\ndef one(payload):\n    '''One.'''\n    return payload\n"
    )
    found = discover([tmp_path])
    assert [info.case.name for info in found.cases] == ["b_good.one"]
    [problem] = found.problems
    assert str(problem) == (
        f"{broken}:5: ModuleNotFoundError: No module named 'nowhere_at_all'; "
        "type 'pip install -e .' if it is this project's own"
    )


def test_syntax_error_names_its_line(tmp_path: Path) -> None:
    """A file that does not compile is reported at the line that does not."""
    write(tmp_path / "bad.py", "@scenario\ndef x(payload:\n")
    [problem] = discover([tmp_path / "bad.py"]).problems
    assert problem.line == 3
    assert problem.message.startswith("SyntaxError")


def test_file_that_exits_is_a_problem_of_that_file(tmp_path: Path) -> None:
    """A file that calls sys.exit while it is imported does not end discovery."""
    write(tmp_path / "leaves.py", "import sys\nsys.exit(3)\n")
    [problem] = discover([tmp_path / "leaves.py"]).problems
    assert "SystemExit: 3" in str(problem)


def test_same_case_in_two_files_is_a_problem_of_the_second(tmp_path: Path) -> None:
    """Two files may not define the same case; the first keeps it."""
    text = "@scenario\ndef one(payload): return payload\n"
    first, second = write(tmp_path / "a" / "mine.py", text), write(tmp_path / "b" / "mine.py", text)
    found = discover([first, second])
    assert [info.path for info in found.cases] == [str(first)]
    assert "mine.one is also defined by" in found.problems[0].message


def test_folder_skips_what_uses_no_decorator(tmp_path: Path) -> None:
    """Files without the decorator, hidden folders and installed packages are not imported."""
    for place in ("plain.py", ".venv/x.py", "lib/site-packages/y.py"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemError('imported')\n" + ("@scenario\n" if "/" in place else ""))
    found = discover([tmp_path])
    assert (found.bound, found.problems) == ({}, ())


def test_lone_file_does_not_take_anothers_module_name(tmp_path: Path) -> None:
    """A user's json.py is imported beside the standard library's, under its own family name."""
    import json

    module = import_file(
        write(tmp_path / "json.py", "@scenario\ndef one(payload): return payload\n")
    )
    assert module is not json
    [info] = discover([tmp_path / "json.py"]).cases
    assert info.case.family == "json"


@pytest.mark.parametrize(
    ("pattern", "selected"),
    [
        ("breaker.closed[pybreaker,io]", True),
        ("breaker.*", True),
        ("*[pyb*", True),
        ("*[py?reaker*", True),
        ("breaker.closed", True),
        ("breaker", True),
        ("*[a-z]*", False),
        ("breaker.close", False),
        ("BREAKER.*", False),
        ("", False),
    ],
)
def test_only_star_and_question_mark_are_special(pattern: str, *, selected: bool) -> None:
    """Brackets stand for themselves; a pattern may name the case, the group or the family."""
    assert matches(pattern, Case("breaker", "closed", "pybreaker", payload="io")) is selected
