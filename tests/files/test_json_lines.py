"""JSON for files that people compare line by line."""

from __future__ import annotations

import json

from resilience_bench.files.checked_json import format_json


def test_members_have_a_line_down_to_the_depth() -> None:
    """Deeper containers, empty ones and scalars stay on one line; the content is the same."""
    value = {"a": [{"b": 1, "c": [2.5, None]}, "é"], "d": {}, "e": True}
    text = format_json(value, depth=2)
    assert text.splitlines() == [
        "{",
        ' "a": [',
        '  {"b": 1, "c": [2.5, null]},',
        '  "é"',
        " ],",
        ' "d": {},',
        ' "e": true',
        "}",
    ]
    assert json.loads(text) == value
    assert "\n" not in format_json(value, depth=0)
