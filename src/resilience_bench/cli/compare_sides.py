"""What a comparison of two variants is measured with: cases, signals, tolerances, a folder."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from resilience_bench._model import Environment, Signal
from resilience_bench._verdicts import Judgement, Tolerance
from resilience_bench.cli.compare_times import describe_times
from resilience_bench.cli.console import make_progress_console
from resilience_bench.cli.measuring import Measurable, open_source, prepare_variant
from resilience_bench.environments import variants
from resilience_bench.environments.fingerprint import format_python_name
from resilience_bench.environments.interpreters import find_interpreter
from resilience_bench.environments.recipe import find_default_project
from resilience_bench.environments.sides import make_side
from resilience_bench.environments.variants import Variant
from resilience_bench.files import atomic
from resilience_bench.gate import comparison
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.preflight import Side, ensure_usable
from resilience_bench.measure.pytest_suite import Launching
from resilience_bench.measure.selection import Selection
from resilience_bench.measure.session import PROFILES, Profile

BASE: Final = "base"
HEAD: Final = "head"
NULL: Final = "null"
NAMES: Final = (BASE, HEAD, NULL)
"""The names of the files of the three measurements."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How two variants are measured and judged, and the ``folder`` for their results."""

    shared: Launching
    selection: Selection
    measurable: Measurable
    folder: Path
    seconds: float
    tolerances: Mapping[str, float]
    written: Sequence[Tolerance]
    profile: Profile = PROFILES["quick"]
    environments_s: float = 0.0
    """How long it took to make the environments of both variants."""

    def narrow(self, cases: Collection[str], signals: Collection[Signal], name: str) -> Setting:
        """Return the setting for some cases and signals, in a folder of its own."""
        chosen = [info for info in self.selection.cases if info.case.name in cases]
        measured = tuple(signal for signal in self.measurable[0] if signal in signals)
        return replace(
            self,
            selection=Selection(tuple(chosen), ()),
            measurable=(measured, {}),
            folder=self.folder / name,
        )

    def prepare(self, variant: Variant, name: str) -> MeasuredVariant:
        """Prepare the measurement of one variant, which is ``BASE``, ``HEAD`` or ``NULL``."""
        atomic.ensure_writable(self.get_file(name))
        return prepare_variant(
            self.shared.launcher(variant),
            self.selection,
            self.measurable,
            label=f"compare, {name}",
            file=self.get_file(name),
            selectors=(variant.text,),
            environment=variants.query_environment(variant),
            profile=self.profile,
        )

    def get_file(self, name: str) -> Path:
        """Return the results file of one measurement."""
        return self.folder / f"{name}.json"


def show_note(text: str) -> None:
    """Show what takes a while before or between measurements."""
    make_progress_console().print(text, highlight=False, markup=False, soft_wrap=True)


def list_needed(selection: Selection) -> list[str]:
    """Return the distributions that the selected cases need."""
    return sorted({name for info in selection.cases for name in info.needed_distributions})


def make_variants(
    texts: Sequence[str], pythons: Sequence[str | None], selection: Selection, project: str | None
) -> list[Variant]:
    """Make the variants of the texts, each under its own interpreter if one is named."""
    needed = list_needed(selection)
    project = project or find_default_project(Path.cwd())
    for text in texts:  # before the environment of another one is made, which takes time
        variants.ensure_is_variant(text)
    for python in filter(None, pythons):
        find_interpreter(python)
    return [
        make_side(text, needed, project=project, python=python, note=show_note)
        for text, python in zip(texts, pythons, strict=True)
    ]


def judge_pair(
    setting: Setting, base: Variant, head: Variant, *, is_checked: bool = False
) -> tuple[Judgement, MeasuredVariant]:
    """Measure and judge two variants; return HEAD's measurement as well.

    Unless that ``is_checked``, VariantError if one of them cannot do what the other can.
    """
    named = ((base, BASE), (head, HEAD), (base, NULL))
    base_side, head_side, null_side = (setting.prepare(variant, name) for variant, name in named)
    if not is_checked:
        ensure_usable(
            Side(base.text, base_side.session.launcher),
            Side(head.text, head_side.session.launcher),
            setting.selection.cases,
        )
    started_s = time.monotonic()
    deadline = started_s + setting.seconds
    sides = [head_side, base_side, null_side]
    with open_source(sides, setting.folder, setting.measurable, deadline) as source:
        policy = comparison.COMPARISON_POLICY
        result = comparison.judge_comparison(source, setting.tolerances, policy, setting.written)
    pythons = [side.recording.result(complete=True).environment for side in (base_side, head_side)]
    notes = describe_pythons(*pythons)
    took_s = setting.environments_s + time.monotonic() - started_s
    recordings = [side.recording for side in sides]
    times = describe_times(recordings, setting.environments_s, took_s)
    judgement = replace(result, headline=(*result.headline, times), notes=(*result.notes, *notes))
    return judgement, head_side


def describe_pythons(base: Environment, head: Environment) -> list[str]:
    """Say what can be concluded if two sides have different Pythons; nothing if they have one."""
    if (base.python, base.python_build, base.free_threaded) == (
        head.python,
        head.python_build,
        head.free_threaded,
    ):
        return []
    names = f"BASE runs under {format_python_name(base)}, HEAD under {format_python_name(head)}"
    meaning = (
        "a ratio is relative to plain Python code of its own interpreter, so it shows what became "
        "slower than the interpreter as a whole; instructions are absolute"
    )
    return [f"{names}: {meaning}"]
