"""A unit of work for a fleet, and what a host answers: only data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

KEY_DIGITS: Final = 16

T = TypeVar("T")

Measure = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Measures a block on a host; takes and returns what JSON can hold, see `Reply`."""


@dataclass(frozen=True, slots=True)
class Block:
    """All that is compared with each other, so that one host measures it.

    ``weight`` says how long it takes, relative to other blocks of the same work. ``measure`` is a
    function of a module that every host has.
    """

    name: str
    measure: Measure
    content: Mapping[str, Any]
    weight: float = 1.0

    def key(self, job: str) -> str:
        """Return the key of this block in a job: the same content has the same key."""
        text = json.dumps([job, self.measure.__qualname__, self.content], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a host answers to a block.

    ``reference_ns`` is how long the reference took there, 0 where it was not measured; ``noise``
    says how the null control differs from itself; ``failure`` is why there is no ``value``.
    ``tried`` are the hosts that measured it before.
    """

    key: str
    host: str
    seconds: float = 0.0
    value: dict[str, Any] | None = None
    reference_ns: float = 0.0
    noise: str = ""
    failure: str = ""
    is_lost: bool = False
    tried: tuple[str, ...] = ()


def pack(value: object) -> Any:
    """Return dataclasses as JSON can hold them."""
    return msgspec.to_builtins(value, str_keys=True)


def unpack(packed: object, kind: type[T]) -> T:
    """Return what `pack` has packed, of this type."""
    return msgspec.convert(packed, kind, str_keys=True)
