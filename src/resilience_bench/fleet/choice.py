"""Which fleet a user names; every command that takes one imports this, so it needs no package."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FleetChoice:
    """What a user says of a fleet: its scheduler's address, and the kind of its hosts or none."""

    address: str
    kind: str = ""
