"""``compare``: verdicts on two variants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from resilience_bench._model import Counts
from resilience_bench.files import results
from resilience_bench.gate import comparison
from resilience_bench.worker.protocol import (
    CountsMessage,
    Message,
    Plan,
    StatusMessage,
    WeightMessage,
)
from tests.cli.gate.factories import PURGATORY, PYBREAKER, RETRY, Compare, noisy
from tests.scripted import Script


def test_equal_variants_are_within(comparing: Compare, tmp_path: Path) -> None:
    """Exit code 0, and a complete results file of each arm with its own environment."""
    code, out, _ = comparing("--strict")
    assert code == 0
    assert "3 cases judged: 0 regressed" in out
    assert "before (BASE) against after (HEAD); results: out" in out
    held = {
        name: results.read(tmp_path / "out" / f"{name}.json") for name in ("base", "head", "null")
    }
    assert all(each.complete for each in held.values())
    packages = [each.environment.packages["variant"] for each in held.values()]
    assert packages == ["before", "after", "before"]
    screened = comparison.COMPARISON_POLICY.screen
    workers = {name: len(each.workers) for name, each in held.items()}
    assert workers == {"base": screened, "head": screened, "null": screened / 2}


def test_a_head_that_is_slower_is_red(comparing: Compare) -> None:
    """Exit code 1 names the case, and the reports say so as well."""
    code, out, _ = comparing("--annotations", "github", head=noisy({PURGATORY: 1.3}))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out
    assert f"REGRESSED  {PYBREAKER}" not in out
    assert "::error title=REGRESSED" in out


def test_a_tolerance_may_be_wider(comparing: Compare) -> None:
    """What is allowed is no regression."""
    head = noisy({PURGATORY: 1.3})
    assert comparing("--tolerance", 50, head=head)[0] == 0
    assert comparing("--tolerance", 20, head=head)[0] == 1


def test_a_base_that_differs_from_itself_makes_nothing_red(comparing: Compare) -> None:
    """A machine that changed its speed is noted; the case is inconclusive."""
    slower = noisy({PURGATORY: 1.3})
    code, out, _ = comparing("--signals", "latency", head=slower, null=slower)
    assert code == 0
    assert "null control: latency of BASE measured twice differs" in out
    assert f"inconclusive  {PURGATORY}" in out
    again = comparing("--signals", "latency", "--strict", head=slower, null=slower)
    assert again[0] == 3


def keeping(kept_bytes: float) -> Script:
    """Workers of a variant in which each call of one case leaves so much behind."""

    def script(plan: Plan, seed: int) -> list[Message]:
        return [
            replace(each, weight=replace(each.weight, kept_bytes=kept_bytes))
            if isinstance(each, WeightMessage) and each.case == PURGATORY
            else each
            for each in noisy()(plan, seed)
        ]

    return script


def counting(per_call: int) -> Script:
    """Workers of a variant in which one case takes so many instructions."""
    counts = Counts((10, 40), (10 * per_call, 40 * per_call))

    def script(plan: Plan, seed: int) -> list[Message]:
        return [
            replace(each, counts=counts)
            if isinstance(each, CountsMessage) and each.name == PURGATORY
            else each
            for each in noisy()(plan, seed)
        ]

    return script


def test_more_instructions_are_counted_again(comparing: Compare, tmp_path: Path) -> None:
    """Three processes of each variant have to say so before a build is red."""
    assert comparison.COMPARISON_POLICY.processes[0] == 3
    code, out, _ = comparing("--signals", "instructions", base=counting(900), head=counting(999))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out
    assert "all 3 processes say so" in out
    held = [results.read(tmp_path / "out" / f"{name}.json") for name in ("base", "head", "null")]
    counted = [
        sum(PURGATORY in instruction.operations for instruction in one.instructions) for one in held
    ]
    assert counted == [3, 3, 2]


def test_a_leak_where_there_was_one_is_red(comparing: Compare) -> None:
    """Twice as many bytes that stay behind are a regression."""
    code, out, _ = comparing("--signals", "allocations", base=keeping(500), head=keeping(1000))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out


def test_a_leak_where_there_was_none_is_red(comparing: Compare) -> None:
    """BASE keeps nothing; a HEAD that does is a regression, and no missing number."""
    options = ("--signals", "allocations", "--junit", "out.xml", "--markdown", "out.md")
    code, out, _ = comparing(*options, "--annotations", "github", head=keeping(4096))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out


def test_what_only_one_variant_can_do_is_not_compared(comparing: Compare) -> None:
    """A case that HEAD breaks is named; one that neither has is left out."""
    neither = StatusMessage(RETRY, "not installed", "pip")
    base = noisy(wrong=[neither])
    head = noisy(wrong=[neither, StatusMessage(PURGATORY, "broken", "ran twice")])
    code, out, _ = comparing("--signals", "latency", base=base, head=head)
    assert code == 0
    assert "broken: ran twice" in out
    assert RETRY not in out
