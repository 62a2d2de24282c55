"""What can be measured: cases and their payloads; frozen, slotted, only data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

SINGLE: Final = "single"
"""The load of one caller."""
NOOP: Final = "noop"
CPU: Final = "cpu"
IO: Final = "io"
PAYLOADS: Final = (NOOP, CPU, IO)
"""The payloads that need nothing; all others are real calls: a query, a request."""

CHAOS: Final = "chaos"
"""The profile of outages, in ``in_profile``."""
FLAKY: Final = "flaky-redis"
"""The server that goes down on a schedule."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One scenario with one library, under one load, around one payload."""

    family: str
    scenario: str
    library: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    load: str = SINGLE
    payload: str = NOOP

    @property
    def group(self) -> str:
        """The name without the brackets; libraries are compared within a group.

        That of a test of pytest is its node ID: its family is a file.
        """
        separator = "::" if self.family.endswith(".py") else "."
        return f"{self.family}{separator}{self.scenario}"

    @property
    def label(self) -> str:
        """The text in the brackets, without ``single`` and ``noop``."""
        parts = [self.library] if self.library else []
        parts += [f"{key}={value}" for key, value in self.parameters]
        parts += [self.load] if self.load != SINGLE else []
        parts += [self.payload] if self.payload != NOOP else []
        return ",".join(parts)

    @property
    def name(self) -> str:
        """The full name, e.g. ``breaker.closed_success[pybreaker,threads-8,io]``."""
        return f"{self.group}[{self.label}]" if self.label else self.group

    @property
    def is_loaded(self) -> bool:
        """Whether its rate under a load is measured."""
        return (self.load, self.payload) != (SINGLE, NOOP)

    @property
    def is_real(self) -> bool:
        """Whether its payload is a real call, of which the overhead is a share."""
        return self.payload not in PAYLOADS

    def with_load(self, load: str, payload: str) -> Case:
        """Return the same scenario and library under another load, around another payload."""
        return replace(self, load=load, payload=payload)


@dataclass(frozen=True, slots=True)
class RealPayload:
    """A payload that does real work: the server that it calls, if any, and what it imports.

    ``path`` is the file that defines it; empty if it is one of this package.
    """

    name: str
    server: str = ""
    distributions: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class CaseInfo:
    """A case as its scenario file declares it, before anything is built.

    ``loads`` are the kinds of load and ``payloads`` the payloads that make sense for it, with
    ``real_payloads`` as those that do real work;
    ``in_profile`` are the kinds of load, or single loads, of the concurrency profile;
    ``by_default`` is whether it is measured when nothing is selected; ``server`` is what the
    scenario itself calls, such as the Redis in which a breaker keeps its state.
    """

    case: Case
    path: str
    description: str = ""
    distributions: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    payloads: tuple[str, ...] = (NOOP,)
    in_profile: tuple[str, ...] = ()
    by_default: bool = True
    real_payloads: tuple[RealPayload, ...] = ()
    server: str = ""

    @property
    def real_payload(self) -> RealPayload | None:
        """The payload of this case if it does real work."""
        name = self.case.payload
        return next((payload for payload in self.real_payloads if payload.name == name), None)

    @property
    def is_for_outages(self) -> bool:
        """Whether it asks to be measured in an outage, and for nothing else."""
        return self.in_profile == (CHAOS,)

    @property
    def is_in_outage(self) -> bool:
        """Whether its payload calls what goes down on a schedule: see ``--profile chaos``."""
        payload = self.real_payload
        return payload is not None and payload.server == FLAKY

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers that its scenario and its payload call."""
        payload = self.real_payload
        return tuple(filter(None, (self.server, payload.server if payload else "")))

    @property
    def needed_distributions(self) -> tuple[str, ...]:
        """What must be installed to measure it, with its payload."""
        payload = self.real_payload
        return self.distributions + (payload.distributions if payload else ())
