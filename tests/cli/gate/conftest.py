"""The commands that judge, run in a folder of their own with scripted workers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from resilience_bench._model import Environment, Result
from resilience_bench._verdicts import Baseline
from resilience_bench.cli import compare, main
from resilience_bench.environments import variants
from resilience_bench.environments.variants import Variant
from resilience_bench.files import results
from resilience_bench.gate import baseline
from resilience_bench.measure import callgrind
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import PROFILES, Profile
from tests.cli.gate.factories import Compare, Run, learned, made, noisy
from tests.factories import (
    make_environment,
)
from tests.scripted import Script


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a folder with baselines; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    # Without a folder of its own the checkout's would be used, and written to.
    (tmp_path / "baselines").mkdir()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "")
    monkeypatch.setitem(PROFILES, "quick", Profile("quick", workers=6, samples=4))

    def running(*arguments: object, script: Script | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(script or noisy()))
        code = main.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """Writes a result and a baseline; returns the options that name them."""

    def writing(
        result: Result | None = None, acceptable: Baseline | None = None
    ) -> tuple[str, ...]:
        results.write(result or made(), tmp_path / "result.json")
        baseline.write(acceptable or learned(), tmp_path / "acceptable.json")
        return ("--result", "result.json", "--baseline", "acceptable.json")

    return writing


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[Script]:
    """The scripts of the variants to come, in the order in which their launchers are asked for."""
    scripts: list[Script] = []

    class Stage:
        """Hands out the scripts, e.g. in the order base, head, null."""

        def launcher(self, variant: Variant) -> ScriptedLauncher:
            return ScriptedLauncher(scripts.pop(0))

    @contextlib.contextmanager
    def stage() -> Iterator[Stage]:
        yield Stage()

    def make(text: str, needed: Iterable[str], **more: object) -> Variant:
        return Variant(text, Path(text), Path(text) / "bin" / "python", made=False, packages={})

    def environment_of(variant: Variant) -> Environment:
        return make_environment(packages={"variant": variant.text})

    monkeypatch.setattr(variants, "make", make)
    monkeypatch.setattr(variants, "ensure_is_variant", lambda text: None)
    monkeypatch.setattr(variants, "query_environment", environment_of)
    monkeypatch.setattr(compare, "create_shared_path", stage)
    return scripts


@pytest.fixture
def comparing(run: Run, scripts: list[Script]) -> Compare:
    """Compares BASE and HEAD, each with a script of its own, without any environment."""

    def comparing(
        *arguments: object,
        base: Script | None = None,
        head: Script | None = None,
        null: Script | None = None,
    ) -> tuple[int, str, str]:
        base = base or noisy()
        scripts[:] = [base, head or base, null or base]
        return run("compare", "before", "after", "-o", "out", *arguments)

    return comparing
