"""Verdicts of every outcome, and how a judgement is shown."""

from __future__ import annotations

from typing import Any

from resilience_bench._model import Estimate
from resilience_bench._verdicts import Judgement, Outcome, Verdict

HOSTILE = "mine.run[[red]x|y`z*,<script>alert(1)</script>\n::error::boo\x1b[2J\x00]"

LONG = "composed.guarded[tenacity+pybreaker,metric=labels,threads-16,io," + "x" * 90 + "]"


def regressed(case: str = "breaker.closed_success[pybreaker]", **more: Any) -> Verdict:
    """A latency that rose from 1.310 to 1.617."""
    parts: dict[str, Any] = {
        "signal": "latency",
        "quantity": "ratio",
        "outcome": "regressed",
        "expected": 1.31,
        "low": 1.179,
        "high": 1.441,
        "seen": Estimate(1.617, 1.58, 1.66),
        "p_value": 2.5e-5,
        "level": 1e-4,
        "workers": 24,
        "steps": ("8 workers: undecided", "24 workers: above the range"),
    }
    return Verdict(case, **{**parts, **more})


def counted(case: str = "breaker.closed_success[pybreaker]", **more: Any) -> Verdict:
    """A count of instructions that is the same in every process."""
    return regressed(
        case,
        **{
            "signal": "instructions",
            "quantity": "instructions",
            "expected": 14953.968,
            "low": 14804.4,
            "high": 15103.5,
            "seen": Estimate(15931.2, 15931.2, 15931.2),
            "p_value": None,
            "reason": "all 3 processes",
            **more,
        },
    )


def budgeted(case: str = "composed.guarded[stack]", **more: Any) -> Verdict:
    """An overhead above the limit that a person wrote."""
    return regressed(
        case,
        **{
            "quantity": "overhead_ns",
            "expected": None,
            "low": None,
            "high": 400.0,
            "seen": Estimate(512.0, 505.1, 519.3),
            "p_value": 1e-12,
            "reason": "checkout calls this a thousand times a request",
            **more,
        },
    )


def bare(case: str, outcome: Outcome, reason: str = "", signal: str = "latency") -> Verdict:
    """A verdict without numbers."""
    return Verdict(case, signal, "", outcome, reason=reason)


def make_judgement(*verdicts: Verdict, **more: Any) -> Judgement:
    """A judgement of these verdicts."""
    headline = ("baseline: baselines/debian-12.json, learned 2026-01-02", "24 workers at most")
    return Judgement("check against the baseline", headline, verdicts, **more)


def sample() -> Judgement:
    """Every outcome, a budget, hostile names, and reasons that many cases share."""
    lacking = [
        bare(f"retry.reraises[lib{number}]", "not measured", "valgrind is not installed", "latency")
        for number in range(8)
    ]
    undecided = {"outcome": "inconclusive", "seen": Estimate(1.43, 1.36, 1.5), "p_value": 0.083}
    return make_judgement(
        regressed("breaker.open_rejects[purgatory]", outcome="within", seen=None),
        *lacking,
        regressed(
            "retry.no_retry[tenacity]",
            outcome="improved",
            seen=Estimate(1.01, 0.99, 1.03),
            p_value=1e-7,
        ),
        regressed("breaker.half_open[pybreaker]", reason="still undecided at 40", **undecided),
        budgeted(),
        regressed(),
        counted(),
        regressed(LONG, seen=Estimate(1.5, 1.46, 1.54)),
        bare(HOSTILE, "not measured", "was ended by [red]SIGSEGV[/red]\n::error::x\x1b[2J"),
        notes=("tenacity 9.1.2 here, 9.2.1 in the [bold]baseline[/bold]",),
    )
