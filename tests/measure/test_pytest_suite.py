"""The benchmarks of two sides: which are compared, which are only listed, what is refused."""

from __future__ import annotations

import pytest

from resilience_bench._model import Case, CaseInfo
from resilience_bench.errors import NoScenariosError, VariantError
from resilience_bench.measure.pytest_suite import CollectedSuite, pair


def make_suite(text: str, *names: str, problems: tuple[str, ...] = ()) -> CollectedSuite:
    """A side with tests in the files of their names."""
    cases = {}
    for name in names:
        path, _, test = name.partition("::")
        cases[name] = CaseInfo(Case(path, test), path)
    return CollectedSuite(text, cases, (), problems)


def test_a_case_of_a_suite_has_its_node_id_as_its_name() -> None:
    """So that it can be typed; other families keep their dot."""
    assert Case("tests/test_x.py", "TestIt::test_y", "a-1").name == (
        "tests/test_x.py::TestIt::test_y[a-1]"
    )
    assert Case("breaker", "closed_success", "pybreaker").group == "breaker.closed_success"


def test_what_both_sides_have_is_compared_and_the_rest_listed() -> None:
    """In HEAD's order; a note for each side names what only it has."""
    base = make_suite("main", "a.py::x", "a.py::old")
    head = make_suite("here", "a.py::new", "a.py::x", problems=("b.py: SyntaxError",))
    selection, notes = pair(base, head)
    assert [info.case.name for info in selection.cases] == ["a.py::x"]
    assert notes == [
        "only here has a.py::new: there is nothing to compare with",
        "only main has a.py::old: there is nothing to compare with",
        "here: not collected: b.py: SyntaxError",
    ]


def test_no_benchmark_is_never_a_pass() -> None:
    """Neither on both sides, nor if they share none."""
    with pytest.raises(NoScenariosError, match="no benchmark in this suite"):
        pair(make_suite("main"), make_suite("here"))
    with pytest.raises(NoScenariosError, match="no benchmark that both sides have; only here has"):
        pair(make_suite("main"), make_suite("here", "a.py::x"))


@pytest.mark.parametrize("problem", ["a.py: ImportError: no", "pytest: ImportError: no", ": no"])
def test_a_side_that_does_not_import_is_refused(problem: str) -> None:
    """The line names the side and the reason."""
    broken, whole = make_suite("main", problems=(problem,)), make_suite("here", "a.py::x")
    with pytest.raises(VariantError, match=r"^main: .*no; expected"):
        pair(broken, whole)
    with pytest.raises(VariantError, match=r"^main: .*no; expected"):
        pair(whole, broken)
