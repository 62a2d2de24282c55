"""What a judgement means for a build."""

from __future__ import annotations

from resilience_bench._model import Judgement


def compute_exit_code(judgement: Judgement, *, strict: bool) -> int:
    """What the command ends with.

    Args:
        judgement: What was decided.
        strict: Whether what stayed undecided counts too.

    Returns:
        1 if a case regressed, 2 if nothing could be judged, 3 if ``strict`` and something was
        inconclusive or not measured, else 0.
    """
    outcomes = {verdict.outcome for verdict in judgement.verdicts}
    if "regressed" in outcomes:
        return 1
    if not has_measured_verdict(judgement):
        return 2
    return 3 if strict and outcomes & {"inconclusive", "not measured"} else 0


def has_measured_verdict(judgement: Judgement) -> bool:
    """Say whether anything was measured at all, so that there is something to judge."""
    return any(verdict.outcome != "not measured" for verdict in judgement.verdicts)
