"""Numbers with their nouns."""

from __future__ import annotations

import pytest

from resilience_bench.errors import format_amount


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases"), (1234, "1,234 cases")]
)
def test_a_noun_is_singular_for_one_alone(count: int, text: str) -> None:
    """One thing is a case, none or several are cases; thousands have a comma."""
    assert format_amount(count, "case") == text
