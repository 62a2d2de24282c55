"""What changes between two environments, and which of the states between them fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.environments.upgrade import (
    Package,
    find_changes,
    find_conflicts,
    make_environment,
    order_changes,
    query_packages,
)
from resilience_bench.environments.variants import make
from tests.wheels import write_wheel


def packages(*given: Package) -> dict[str, Package]:
    """An environment."""
    return {package.name: package for package in given}


def test_changes_are_named_with_both_versions() -> None:
    """Also what was added, removed, or came from elsewhere."""
    before = packages(Package("a", "1"), Package("b", "1"), Package("c", "1"), Package("d", "1"))
    after = packages(Package("a", "1"), Package("b", "2"), Package("d", "1", url="file:///d"))
    after |= packages(Package("e", "5"))
    assert list(map(str, find_changes(before, after))) == [
        "b 1 -> 2",
        "c 1 removed",
        "d 1 from file:///d",
        "e 5 added",
    ]


def test_conflicts_say_who_needs_what() -> None:
    """Markers and extras that do not hold are no conflicts, a missing package is one."""
    needs = ("b>=2", "gone", "c; extra == 'x'", "d; python_version < '3'", "no requirement !")
    found = find_conflicts(packages(Package("a", "1", needs), Package("b", "1")))
    assert found == ["a 1 needs b>=2, found b 1", "a 1 needs gone, found none"]


def test_the_order_avoids_conflicts() -> None:
    """What another change needs comes before it, whatever their names."""
    before = packages(Package("a", "1"), Package("b", "1"))
    after = packages(Package("a", "2", ("b>=2",)), Package("b", "2"))
    ordered, steps = order_changes(before, find_changes(before, after))
    assert list(map(str, ordered)) == ["b 1 -> 2", "a 1 -> 2"]
    assert [step.conflicts for step in steps] == [(), (), ()]


def test_what_has_to_change_at_once_is_a_conflict_on_the_way() -> None:
    """Old and new do not mix; the first and the last state have no conflicts of their own."""
    before = packages(Package("a", "1", ("b<2", "old")), Package("b", "1", ("a<2",)))
    after = packages(Package("a", "2", ("b>=2", "old")), Package("b", "2", ("a>=2",)))
    _, steps = order_changes(before, find_changes(before, after))
    assert [bool(step.conflicts) for step in steps] == [False, True, False]
    # That "old" is missing was so before.
    assert not any("old" in conflict for step in steps for conflict in step.conflicts)


def test_a_state_between_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has exactly the packages that it is to have, from an index or from a file."""
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.chdir(tmp_path)
    wheel = write_wheel(tmp_path / "w", "tiny-one", "1.0", {}, ["tiny-two"])
    for version in ("1.0", "2.0"):
        write_wheel(tmp_path / "w", "tiny-two", version, {})
    options = ["--find-links", str(tmp_path / "w")]
    Path("old.txt").write_text(f"--find-links w\n{wheel}\ntiny-two==1.0\n")
    found = query_packages(make("old.txt", []))
    assert found["tiny-one"] == Package("tiny-one", "1.0", ("tiny-two",), wheel.as_uri())
    wanted = {**found, "tiny-two": Package("tiny-two", "2.0")}
    variant = make_environment(wanted, [], options=options)
    assert variant.packages == {"tiny-one": "1.0", "tiny-two": "2.0"}
