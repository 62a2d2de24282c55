"""Patterns over the names of cases."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable
from typing import Final

from resilience_bench._model import Case

CLOSE_NAMES: Final = 3


def matches(pattern: str, case: Case) -> bool:
    """Return whether a pattern selects a case; see `matches_name`."""
    return matches_name(pattern, case.name)


def matches_name(pattern: str, name: str) -> bool:
    """Return whether a pattern fits a full name, the name without brackets, or the family.

    Only ``*`` and ``?`` are special; brackets stand for themselves. Spaces around the pattern, and
    beside its brackets and commas, mean nothing.
    """
    group = name.partition("[")[0]
    return any(matches_text(pattern, text) for text in (name, group, group.partition(".")[0]))


def matches_text(pattern: str, text: str) -> bool:
    """Return whether a text as a whole fits a pattern."""
    return _compile(pattern).fullmatch(drop_spaces(text)) is not None


def find_close_names(pattern: str, cases: Iterable[Case], cutoff: float = 0.5) -> list[str]:
    """Return the few names, with and without brackets, that a mistyped pattern may mean."""
    known = dict.fromkeys(name for case in cases for name in (case.group, case.name))
    return difflib.get_close_matches(pattern.strip("*?"), known, n=CLOSE_NAMES, cutoff=cutoff)


@functools.lru_cache(maxsize=4096)
def drop_spaces(text: str) -> str:
    """Return a pattern or a name without spaces at its ends, and beside brackets and commas."""
    return re.sub(r"\s*([\[\],])\s*", r"\1", text.strip())


@functools.lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": "."}
    plain = drop_spaces(pattern)
    expression = "".join(wildcards.get(character) or re.escape(character) for character in plain)
    return re.compile(expression, flags=re.DOTALL)
