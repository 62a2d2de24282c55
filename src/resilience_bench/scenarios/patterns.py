"""Patterns over the names of cases."""

from __future__ import annotations

import functools
import re

from resilience_bench._model import Case


def matches(pattern: str, case: Case) -> bool:
    """Return whether a pattern selects a case; see `matches_name`."""
    return matches_name(pattern, case.name)


def matches_name(pattern: str, name: str) -> bool:
    """Return whether a pattern fits a full name, the name without brackets, or the family.

    Only ``*`` and ``?`` are special; brackets stand for themselves.
    """
    group = name.partition("[")[0]
    return any(matches_text(pattern, text) for text in (name, group, group.partition(".")[0]))


def matches_text(pattern: str, text: str) -> bool:
    """Return whether a text as a whole fits a pattern."""
    return _compile(pattern).fullmatch(text) is not None


@functools.lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": "."}
    expression = "".join(wildcards.get(character) or re.escape(character) for character in pattern)
    return re.compile(expression, flags=re.DOTALL)
