"""Patterns over the names of cases."""

from __future__ import annotations

import re

from resilience_bench._model import Case


def matches(pattern: str, case: Case) -> bool:
    """Whether a pattern selects a case.

    Only ``*`` and ``?`` are special; brackets stand for themselves. A pattern may give the full
    name, the name without brackets, or the family.
    """
    return matches_name(pattern, case.name)


def matches_name(pattern: str, name: str) -> bool:
    """Whether a pattern selects the case of this full name; see `matches`."""
    wildcards = {"*": ".*", "?": "."}
    expression = "".join(wildcards.get(character) or re.escape(character) for character in pattern)
    compiled = re.compile(expression, flags=re.DOTALL)
    group = name.partition("[")[0]
    return any(compiled.fullmatch(each) for each in (name, group, group.partition(".")[0]))
