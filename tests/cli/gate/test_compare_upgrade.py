"""``compare`` with two requirements files: the package that moved a case is named."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from resilience_bench._model import Signal
from resilience_bench._verdicts import Judgement, Verdict
from resilience_bench.cli import compare_upgrade
from resilience_bench.cli.compare_upgrade import explain_moves, plan_upgrade
from resilience_bench.environments.upgrade import Package
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import UserError, VariantError

BEFORE = {name: Package(name, "1") for name in "abcd"}
AFTER = {name: Package(name, "2") for name in "abcd"}
Pair = tuple[Variant, Variant]


def make_variant(folder: Path, name: str) -> Variant:
    """A side that is a requirements file."""
    path = folder / f"{name}.txt"
    path.write_text("tenacity\n")
    return Variant(str(path), folder / name, folder / name / "python", made=True, packages={})


class Costs:
    """Environments by their packages, and judgements by the versions in them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: dict[str, Package]) -> None:
        self.packages = {"before": BEFORE, "after": after}
        self.judged: list[str] = []
        self.refused: set[str] = set()
        monkeypatch.setattr(compare_upgrade.upgrade, "query_packages", self.query)
        monkeypatch.setattr(compare_upgrade.upgrade, "make_environment", self.make)

    def query(self, variant: Variant) -> dict[str, Package]:
        """What a side has."""
        return self.packages[variant.home.name]

    def make(self, packages: dict[str, Package], *_: object, **__: object) -> Variant:
        """A state between, named by its versions."""
        name = "".join(package.version for package in packages.values())
        if name in self.refused:
            raise VariantError("pip said no")
        self.packages[name] = packages
        return Variant(name, Path(name), Path(name), made=True, packages={})

    def judge(
        self, pair: Pair, cases: Collection[str], signals: Collection[Signal], name: str
    ) -> Judgement:
        """A case moves where its package does."""
        self.judged.append(name)
        assert set(signals) == {"instructions"}
        first, last = map(self.query, pair)
        moved = [case for case in cases if first[case[0]] != last[case[0]]]
        return judge_all(moved)


def judge_all(cases: Collection[str]) -> Judgement:
    """All these cases regressed, by instructions and in time."""
    return Judgement(
        "compare",
        (),
        tuple(
            Verdict(case, signal, quantity, "regressed")
            for case in cases
            for signal, quantity in (("instructions", "instructions"), ("latency", "ratio"))
        ),
    )


def explain(
    costs: Costs, folder: Path, *cases: str, pythons: tuple[str | None, ...] = (None, None)
) -> list[str]:
    """The notes of an upgrade in which cases regressed."""
    sides = (make_variant(folder, "before"), make_variant(folder, "after"))
    found = plan_upgrade(*sides, [], pythons=pythons, note=lambda _: None)
    return explain_moves(found, judge_all(cases), costs.judge)


def test_each_case_has_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By instructions alone, where these moved; each pair has a folder of its own."""
    costs = Costs(monkeypatch, AFTER)
    assert explain(costs, tmp_path, "b.case", "d.case") == [
        "b.case: instructions by b 1 -> 2",
        "d.case: instructions by d 1 -> 2",
    ]
    assert costs.judged == [f"step-{number}" for number in range(1, 7)]


def test_a_conflict_is_skipped_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be parted is named together, and why."""
    needs = {"c": Package("c", "2", ("d>=2",)), "d": Package("d", "2", ("c>=2",))}
    notes = explain(Costs(monkeypatch, {**AFTER, **needs}), tmp_path, "d.case")
    how = "which cannot be installed one by one"
    assert notes == [
        f"d.case: instructions by one or several of c 1 -> 2, d 1 -> 2, {how}",
        "not tried, a 1 -> 2, b 1 -> 2, c 1 -> 2 alone: c 2 needs d>=2, found d 1",
    ]


def test_what_pip_cannot_install_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search goes on beside it."""
    costs = Costs(monkeypatch, AFTER)
    costs.refused = {"2211"}
    assert explain(costs, tmp_path, "d.case") == [
        "d.case: instructions by d 1 -> 2",
        "not tried, a 1 -> 2, b 1 -> 2 alone: pip said no",
    ]


def test_one_package_needs_no_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the only one that changes."""
    costs = Costs(monkeypatch, {**BEFORE, "b": Package("b", "2")})
    assert explain(costs, tmp_path, "b.case") == ["b.case: instructions by b 1 -> 2"]
    assert costs.judged == []


def test_files_with_the_same_packages_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is measured."""
    with pytest.raises(UserError, match="install the same 4 packages"):
        explain(Costs(monkeypatch, BEFORE), tmp_path)


def test_two_pythons_are_not_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter may be to blame, so no package is."""
    costs = Costs(monkeypatch, AFTER)
    notes = explain(costs, tmp_path, "b.case", pythons=("python3", None))
    assert notes == [compare_upgrade.OTHER_PYTHONS]
    assert costs.judged == []
