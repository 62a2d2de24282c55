"""``releases`` under several Pythons, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench._model import Environment
from resilience_bench.cli import releases as cli_releases
from resilience_bench.environments import variants
from resilience_bench.environments.variants import Variant
from tests.cli.releases.factories import CALLED, DECORATION, Machine, Run, costing

UNDER = " under "


@pytest.fixture
def two(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with the commands old, new and same: the last two are one version of Python."""
    pythons = {"old": "CPython 3.11.7", "new": "CPython 3.13.0", "same": "CPython 3.13.0"}

    def find(text: str) -> Variant:
        return Variant(text, Path(text), Path(text) / "bin" / "python", made=False, packages={})

    def make(text: str, needed: Iterable[str], *, base: Variant, **_: object) -> Variant:
        made = machine.make(text, needed)
        return replace(made, text=f"{base.text}{UNDER}{text}")

    def query(variant: Variant) -> Environment:
        python = pythons[variant.text.partition(UNDER)[0]]
        return replace(machine.environment_of(variant), python=python, python_build=python)

    monkeypatch.setattr(cli_releases.interpreters, "find_interpreter", find)
    monkeypatch.setattr(variants, "make", make)
    monkeypatch.setattr(variants, "query_environment", query)
    return machine


def test_each_python_gets_a_history_and_the_table_names_the_culprit(run: Run, two: Machine) -> None:
    """A step under both is the library's; both histories are kept, and shown again."""
    two.scripts = {version: costing({CALLED: 1.5}) for version in ("2.0", "2.1")}
    code, out, err = run("thing", "--python", "old", "--python", "new")
    assert code == 0, err
    rows = {line.split()[0]: line.rstrip() for line in out.splitlines() if line.strip()}
    assert rows["release"].split()[1:5] == ["CPython", "3.11.7", "CPython", "3.13.0"]
    assert rows["2.0"].endswith("the library")
    assert any(CALLED in line and line.endswith("the library") for line in out.splitlines())
    assert DECORATION not in out
    folder = Path("results/releases/thing")
    for name in ("cpython-3.11.7", "cpython-3.13.0"):
        assert (folder / name / "releases.json").exists()
        assert (folder / name / "latency.svg").exists()
    assert not (folder / "releases.json").exists()
    assert run("thing", "--show")[1] in out


def test_two_pythons_of_one_version_are_refused(run: Run, two: Machine) -> None:
    """Their histories would have one name; nothing is measured."""
    code, _, err = run("thing", "--python", "new", "--python", "same")
    assert code == 2
    assert "--python same: it is CPython 3.13.0, as new is; expected" in err
    assert not two.log
