"""Compare pairs of releases of which it was written down before what must be found in them."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from resilience_bench._verdicts import Judgement, Verdict
from resilience_bench.cli import compare_sides
from resilience_bench.cli.measuring import require_signals
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.errors import UserError
from resilience_bench.gate import comparison
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.selection import select
from resilience_bench.measure.shared_path import create_shared_path

FOLDER: Final = Path("results")
EXPECTED: Final = FOLDER / "release-pairs" / "expected.toml"
FILE: Final = FOLDER / "release-pairs.txt"
WIDTH: Final = 170
SECONDS: Final = 15.0
CHANGES: Final = {"regressed": "slower", "improved": "faster"}
NONE: Final = "none"
SIGNALS: Final = {"ratio": "latency", "instructions": "instr"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two releases of a package, and what a case must do between them: slower, faster or none."""

    package: str
    before: str
    after: str
    case: str
    expected: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The pairs as they were chosen, and the ``controls``: cases that none of them changes."""

    chosen: dt.date
    controls: tuple[str, ...]
    pair: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in a pair; ``reason`` if it could not be measured.

    ``measured`` is when and under what, ``load`` the load average then.
    """

    found: str = ""
    changes: str = ""
    false_steps: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    reason: str = ""
    took_s: float = 0.0
    measured: str = ""
    load: float = 0.0


def sum_up(pair: Pair, judgement: Judgement) -> Outcome:
    """Return what a comparison found in the case of a pair, and the steps that it must not find.

    A case has moved if its latency or its instructions have; both ways at once is ``mixed``.
    """
    own = [verdict for verdict in judgement.verdicts if verdict.case == pair.case]
    ways = {CHANGES[one.outcome] for one in own if one.outcome in CHANGES}
    seen = [f"{SIGNALS[one.quantity]} {one.seen.value:.3f}" for one in own if one.seen]
    not_measured = [one.reason for one in own if one.outcome == "not measured"]
    return Outcome(
        found="mixed" if len(ways) > 1 else "".join(ways) or NONE,
        changes=", ".join(seen),
        false_steps=tuple(
            f"{one.case} {CHANGES[one.outcome]} ({_describe(one)})"
            for one in judgement.verdicts
            if one.case != pair.case and one.outcome in CHANGES
        ),
        undecided=tuple(
            f"{one.case} {SIGNALS[one.quantity]}"
            for one in judgement.verdicts
            if one.outcome == "inconclusive"
        ),
        reason="" if seen else "; ".join(not_measured) or "no verdict on the case",
    )


def _describe(verdict: Verdict) -> str:
    seen = f" {verdict.seen.value:.3f}" if verdict.seen else ""
    return f"{SIGNALS[verdict.quantity]}{seen}"


def judge_outcome(pair: Pair, outcome: Outcome) -> str:
    """Say whether what was found is what was expected."""
    if outcome.reason:
        return "not measured"
    if outcome.false_steps:
        return "false step"
    if outcome.found == NONE and any(text.startswith(pair.case) for text in outcome.undecided):
        return "undecided"
    if outcome.found == pair.expected:
        return "right"
    if outcome.found == NONE:
        return "missed"
    return "false step" if pair.expected == NONE else "wrong way"


def measure(pair: Pair, controls: Sequence[str], seconds: float) -> Outcome:
    """Compare the two releases, as `compare` does, in the case of the pair and the controls."""
    started_s, load = time.monotonic(), os.getloadavg()[0]
    selection = select(ProcessLauncher(), (pair.case, *controls), gated=True)
    texts = [f"pip:{pair.package}=={version}" for version in (pair.before, pair.after)]
    try:
        variants = compare_sides.make_variants(texts, (None, None), selection, None)
        with create_shared_path() as shared, tempfile.TemporaryDirectory() as folder:
            setting = compare_sides.Setting(
                shared,
                selection,
                require_signals(("latency", "instructions")),
                Path(folder),
                seconds,
                comparison.TOLERANCES,
                (),
            )
            judgement, _ = compare_sides.judge_pair(setting, *variants)
    except UserError as error:
        return Outcome(reason=str(error))
    here = detect_environment()
    when = dt.datetime.now(dt.UTC).isoformat(timespec="minutes").removesuffix("+00:00")
    return replace(
        sum_up(pair, judgement),
        took_s=round(time.monotonic() - started_s, 1),
        measured=f"{when}, {here.python}, {here.cpu_count} x {here.cpu_model}",
        load=round(load, 1),
    )


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default=FILE, show_default=True)
@click.option(
    "--expected",
    "expected_file",
    type=click.Path(path_type=Path, exists=True),
    default=EXPECTED,
    show_default=True,
    help="The pairs, and what must be found in them; what was found is kept beside it.",
)
@click.option("--package", "packages", multiple=True, help="Measure the pairs of this one only.")
@click.option("--seconds", default=SECONDS, show_default=True, help="For each pair, as `compare`.")
@click.option("--fresh", is_flag=True, help="Measure again what is kept.")
def main(
    output: Path, expected_file: Path, packages: tuple[str, ...], seconds: float, *, fresh: bool
) -> None:
    """Measure the pairs that are not measured yet, and write the table after each of them."""
    choice = msgspec.convert(tomllib.loads(expected_file.read_text("utf-8")), Choice)
    console = Console(stderr=True)
    for pair in choice.pair:
        kept = find_file(expected_file.parent, pair)
        if (not packages or pair.package in packages) and (fresh or not kept.exists()):
            outcome = measure(pair, choice.controls, seconds)
            kept.write_bytes(msgspec.json.format(msgspec.json.encode(outcome)) + b"\n")
            line = f"{kept.stem}: {outcome.found} ({outcome.changes}): "
            verdict = judge_outcome(pair, outcome)
            console.print(f"{line}{verdict}", highlight=False, markup=False, soft_wrap=True)
        rows = [(pair, read_outcome(expected_file.parent, pair)) for pair in choice.pair]
        with output.open("w", encoding="utf-8") as file:
            write(Console(file=file, width=WIDTH), choice, rows)


def find_file(folder: Path, pair: Pair) -> Path:
    """Return where the outcome of a pair is kept."""
    return folder / f"{pair.package}-{pair.after}.json"


def read_outcome(folder: Path, pair: Pair) -> Outcome:
    """Return what was found in a pair, now or before."""
    file = find_file(folder, pair)
    if not file.exists():
        return Outcome(reason="not measured yet")
    return msgspec.json.decode(file.read_bytes(), type=Outcome)


def write(console: Console, choice: Choice, rows: Sequence[tuple[Pair, Outcome]]) -> None:
    """Print the table, what went wrong in which pair, and the reasons of the expectations."""
    times = sorted(outcome.measured for _, outcome in rows if outcome.measured)
    loads = [outcome.load for _, outcome in rows if outcome.measured]
    console.print(f"chosen on {choice.chosen}, before measuring", highlight=False)
    if times:
        first, _, machine = times[0].partition(", ")
        last = times[-1].partition(", ")[0]
        line = f"measured {first} to {last} UTC, {machine}, load averages {min(loads)} to "
        console.print(f"{line}{max(loads)}", highlight=False, soft_wrap=True)
    console.print(_make_table(rows), highlight=False)
    for pair, outcome in rows:
        name = f"{pair.package} {pair.after}"
        undecided = f"undecided: {', '.join(outcome.undecided)}" if outcome.undecided else ""
        for text in filter(None, (*outcome.false_steps, outcome.reason, undecided)):
            console.print(f"{name}: {text}", highlight=False, markup=False, soft_wrap=True)
    console.print(summarise(rows), highlight=False, soft_wrap=True)
    console.print(f"\n{LEGEND}\n", highlight=False, soft_wrap=True)
    for pair, _ in rows:
        line = f"{pair.package} {pair.after}: {pair.expected}: {pair.why}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


LEGEND: Final = (
    "found: what the gate of 'compare' says of the case, latency and instructions together; "
    "change: after / before.\nfalse step: a change where none was expected, in the case or in a "
    "control, which is a case of another library. Why this was expected:"
)


def summarise(rows: Sequence[tuple[Pair, Outcome]]) -> str:
    """Count the steps that were found, and the false ones."""
    judged = [(pair.expected, judge_outcome(pair, outcome)) for pair, outcome in rows]
    steps = [verdict for expected, verdict in judged if expected != NONE]
    others = [verdict for expected, verdict in judged if expected == NONE]
    return (
        f"{steps.count('right')} of {len(steps)} expected steps found; "
        f"{others.count('right')} of {len(others)} pairs without one show none; "
        f"{[verdict for _, verdict in judged].count('false step')} false steps"
    )


def _make_table(rows: Sequence[tuple[Pair, Outcome]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("package", "before", "after", "case", "expected", "found", "change"):
        table.add_column(name, no_wrap=True)
    table.add_column("s", justify="right")
    table.add_column("verdict", no_wrap=True)
    for pair, outcome in rows:
        where = (pair.package, pair.before, pair.after, pair.case.replace("[", "\\["))
        took = f"{outcome.took_s:.0f}"
        cells = (pair.expected, outcome.found, outcome.changes, took, judge_outcome(pair, outcome))
        table.add_row(*where, *cells)
    return table


if __name__ == "__main__":
    main()
