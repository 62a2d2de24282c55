"""What a host is: its kind, its tool, its packages; and whether hosts make a fleet."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from resilience_bench import __version__
from resilience_bench._model import Environment
from resilience_bench.environments.fingerprint import detect_environment, format_python_name
from resilience_bench.errors import format_names
from resilience_bench.fleet.errors import FleetError
from resilience_bench.measure.counting import find_measurable_signals

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""The same in all containers of a machine, and another one after each start of it."""
DIGITS: Final = 8
START: Final = "resilience-bench fleet worker"


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a worker says of its host when it joins a fleet.

    ``machine`` tells two workers of one machine apart from two machines. ``kind`` is a digest of
    ``kind_text``: results of two kinds are never mixed. ``signals`` can be measured there.
    """

    host: str
    machine: str
    pid: int
    tool: str
    kind: str
    kind_text: str
    packages: dict[str, str] = field(default_factory=dict)
    signals: tuple[str, ...] = ()


def detect_facts(host: str = "") -> HostFacts:
    """Return the facts of this machine; a ``host`` given by name stands for a machine of its own.

    That is for trials, which have several hosts on one machine.
    """
    environment = detect_environment()
    text = describe_kind(environment)
    return HostFacts(
        host or socket.gethostname(),
        host or _identify_machine(),
        os.getpid(),
        describe_tool(),
        compute_digest(text.encode()),
        text,
        {canonicalize_name(name): version for name, version in environment.packages.items()},
        find_measurable_signals()[0],
    )


def describe_kind(environment: Environment) -> str:
    """Describe the kind of a host: all but what is installed and the release of its kernel."""
    return (
        f"{environment.cpu_model}, {environment.cpu_count} CPUs, {environment.machine}, "
        f"{environment.os}, {format_python_name(environment)} ({environment.python_build})"
    )


@functools.cache
def describe_tool() -> str:
    """Return the version of the tool, with a digest of its code: a checkout may have changed."""
    folder = Path(__file__).resolve().parents[1]
    files = sorted(folder.rglob("*.py"))
    parts = [f"{file.relative_to(folder)}\n".encode() + file.read_bytes() for file in files]
    return f"{__version__} (code {compute_digest(b''.join(parts))})"


def compute_digest(content: bytes) -> str:
    """Return the first digits of a SHA-256."""
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _identify_machine() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()


@dataclass(frozen=True, slots=True)
class Needs:
    """What a job needs of every host: versions by normalised name, and signals."""

    packages: Mapping[str, str] = field(default_factory=dict)
    signals: Collection[str] = ()


def choose_hosts(
    address: str, found: Mapping[str, HostFacts | None], needs: Needs, kind: str = ""
) -> dict[str, HostFacts]:
    """Return the hosts, by the address of their worker, that measure a job: all of one kind.

    ``found`` are all workers of the scheduler at ``address``; ``kind`` is the beginning of a
    kind's digest, by default that of most hosts. FleetError says what is wrong with a host.
    """
    if not found:
        raise FleetError(
            f"{address}: the fleet has no worker; expected at least one; type "
            f"'{START} {address}' on each host"
        )
    known: dict[str, HostFacts] = {}
    for worker, facts in found.items():
        if facts is None:
            raise FleetError(
                f"{address}: the worker at {worker} was not started by this tool; expected only "
                f"such that hold their host's lock; end it, and type '{START} {address}' there"
            )
        known[worker] = facts
    _refuse_two_on_one_host(address, known)
    here = describe_tool()
    for facts in known.values():
        if facts.tool != here:
            raise FleetError(
                f"{address}: host {facts.host} has resilience-bench {facts.tool}, here it is "
                f"{here}; expected the same; install that there, and type "
                f"'{START} {address}' again"
            )
    chosen = _choose_kind(address, known, kind)
    for facts in chosen.values():
        _refuse_lacking(address, facts, needs)
    return chosen


def _refuse_two_on_one_host(address: str, known: Mapping[str, HostFacts]) -> None:
    machines: dict[str, HostFacts] = {}
    names: dict[str, HostFacts] = {}
    for facts in known.values():
        other = machines.setdefault(facts.machine, facts)
        if other is not facts:
            raise FleetError(
                f"{address}: host {facts.host} has two workers, processes {other.pid} and "
                f"{facts.pid}; expected one: two measurements at a time disturb each other; "
                f"type 'kill {facts.pid}' there"
            )
        if names.setdefault(facts.host, facts) is not facts:
            raise FleetError(
                f"{address}: two hosts are called {facts.host}; expected a name of its own for "
                f"each; start one of them with '{START} {address} --host NAME'"
            )


def _choose_kind(address: str, known: Mapping[str, HostFacts], wanted: str) -> dict[str, HostFacts]:
    groups: dict[str, dict[str, HostFacts]] = {}
    for worker, facts in known.items():
        groups.setdefault(facts.kind, {})[worker] = facts
    fitting = [kind for kind in groups if kind.startswith(wanted)]
    if not fitting:
        raise FleetError(
            f"{address}: no host is of kind {wanted!r}; expected one of "
            f"{', '.join(sorted(groups))}; type 'resilience-bench fleet status {address}' to see "
            "them"
        )
    return groups[max(sorted(fitting), key=lambda kind: len(groups[kind]))]


def _refuse_lacking(address: str, facts: HostFacts, needs: Needs) -> None:
    pins = [
        f"{name}=={version}"
        for name, version in needs.packages.items()
        if facts.packages.get(name) != version
    ]
    if pins:
        name = pins[0].partition("==")[0]
        raise FleetError(
            f"{address}: host {facts.host} has {name} {facts.packages.get(name, 'not installed')}, "
            f"here it is {needs.packages[name]}; expected the same packages; type 'pip install "
            f"{format_names(pins, ' ')}' there, and start its worker again"
        )
    lacking = [signal for signal in needs.signals if signal not in facts.signals]
    if lacking:
        raise FleetError(
            f"{address}: host {facts.host} cannot measure {', '.join(lacking)}; expected valgrind "
            f"as here; install it there and start the worker again, or add --signals "
            f"{','.join(signal for signal in needs.signals if signal in facts.signals)}"
        )


def describe_left_out(
    found: Mapping[str, HostFacts | None], chosen: Mapping[str, HostFacts]
) -> str:
    """Say which hosts measure nothing, because they are of another kind; empty if none is."""
    others = [facts for worker, facts in found.items() if worker not in chosen and facts]
    if not others:
        return ""
    names = format_names([f"{facts.host} (kind {facts.kind})" for facts in others])
    kind = next(iter(chosen.values())).kind
    return (
        f"left out: {names}; results are of hosts of one kind, {kind}; --fleet-kind names another"
    )


def list_hosts(facts: Sequence[HostFacts]) -> list[tuple[str, str, str, str, str]]:
    """Return rows for people: host, process, kind, tool, description of the kind."""
    rows = [(one.host, str(one.pid), one.kind, one.tool, one.kind_text) for one in facts]
    return sorted(rows)
