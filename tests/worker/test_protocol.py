"""Messages survive the way from worker to parent; rubbish does not pass for one."""

from __future__ import annotations

import pytest

from resilience_bench._model import Case, CaseInfo, Counts, DriftPoints, Samples, Weight
from resilience_bench.worker.protocol import (
    CountsMessage,
    DeclarationMessage,
    DriftMessage,
    EndMessage,
    InvalidMessageError,
    MarkMessage,
    Message,
    OutageMessage,
    Plan,
    ProblemMessage,
    SamplesMessage,
    StartMessage,
    StatusMessage,
    WeightMessage,
    decode,
    encode,
)
from tests.outage_factories import SCHEDULE, make_outage

SAMPLED = '{"message": "Sampled", "kind": "operation", "name": "x", "samples": %s}'

DRIFTED = (
    '{"message": "Drifted", "case": "x", "points": '
    '{"calls": %s, "operation_ns": [], "reference_ns": []}}'
)


@pytest.mark.parametrize(
    "message",
    [
        DeclarationMessage(
            CaseInfo(Case("f", "s", "l", (("k", "v"),)), "/f.py", "What.", ("pkg",))
        ),
        ProblemMessage("f.py:3: SyntaxError: bad"),
        StartMessage("f.s"),
        StatusMessage("f.s", "broken", "why\nnot", "1xreturns"),
        SamplesMessage("operation", "f.s", Samples(3, (1, 2), (0, 4))),
        MarkMessage("control", "1xreturns", 42, (13, 53)),
        CountsMessage("operation", "f.s", Counts((13, 53), (10_983, 27_543))),
        WeightMessage("f.s", Weight(64, 0.0, 1.5, 2.0, 128.0, 512.0)),
        DriftMessage("f.s", DriftPoints((5, 9), (1.5, 1.6), (2.0, 2.0), (70, 71))),
        OutageMessage("f.s", make_outage()),
        EndMessage(1.0),
    ],
)
def test_message_survives(message: Message) -> None:
    """What is encoded, on one line, is decoded to the same."""
    line = encode(message)
    assert "\n" not in line
    assert decode(line) == message


def test_plan_survives() -> None:
    """A plan is read as it was written."""
    plan = Plan("count", ("a.py",), ("x", "y"), samples=7, heavy=("y",), outage=SCHEDULE)
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    "line",
    [
        "",
        "rubbish",
        "[]",
        "7",
        "null",
        "{}",
        '{"message": "Nonsense"}',
        '{"message": "Done", "extra": 1}',
        '{"message": "Marked", "kind": "control", "name": "x", "process": 4, "calls": 5}',
        '{"message": "Counted", "kind": "control", "name": "x", "counts": {"calls": [1, 2]}}',
        '{"message": "Weighed", "case": "x", "weight": {"calls": 1}}',
        DRIFTED % "[1, 2]",
        DRIFTED % "[]",
        SAMPLED % "3",
        SAMPLED % '{"calls": 0, "elapsed_ns": [1], "beside": []}',
        SAMPLED % '{"calls": 1, "elapsed_ns": [], "beside": []}',
        SAMPLED % '{"calls": 1, "elapsed_ns": [-1], "beside": []}',
        SAMPLED % '{"calls": 1, "elapsed_ns": [NaN], "beside": []}',
    ],
)
def test_rubbish_is_recognised(line: str) -> None:
    """Whatever is not a whole message raises, and says what was found."""
    with pytest.raises(InvalidMessageError):
        decode(line)
