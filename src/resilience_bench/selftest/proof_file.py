"""The file of a proof: written after every build and every rate, read again to go on."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from resilience_bench._model import Environment, Signal
from resilience_bench.environments.fingerprint import detect_environment, read_load_average
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import CheckedFile, format_path
from resilience_bench.gate.comparison import COMPARISON_POLICY, TOLERANCES
from resilience_bench.gate.decide import Policy
from resilience_bench.selftest.builds import Build, Rate

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
PROVE_HINT: Final = "type 'resilience-bench prove' to make a proof"


@dataclass(frozen=True, slots=True)
class Proof:
    """How a proof was made, and its real builds: what it takes to go on with it.

    ``sizes`` are the per cents that were planted; ``is_learned`` says whether everything was
    learned that builds are held against. What was measured lies in the folder of the same name.
    """

    neighbours: int
    selectors: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    sizes: tuple[float, ...] = ()
    is_learned: bool = True
    builds: tuple[Build, ...] = ()


@dataclass(frozen=True, slots=True)
class ProofResult:
    """What a proof has come to, for readers: its rates, and how they were had."""

    date: str
    environment: Environment
    neighbours: int
    cases: int
    rates: tuple[Rate, ...]
    builds: tuple[Build, ...] = ()


def read_rates(path: Path) -> ProofResult:
    """Read what a proof has come to; what was measured for it need not be there.

    Raises:
        UserError: If it cannot be read, or makes no sense.
    """
    source = _make_source(path)
    stored = source.parse(source.read_content())
    source.check_schema(stored, SCHEMA)
    return source.convert(stored, ProofResult)


def _make_source(path: Path) -> CheckedFile:
    return CheckedFile(path, "what 'resilience-bench prove' wrote", UserError, PROVE_HINT)


def read(path: Path) -> Proof:
    """Read a proof; what an older one does not say is what its builds say.

    Raises:
        UserError: If it cannot be read, makes no sense, or has no folder beside it.
    """
    source = _make_source(path)
    stored = source.parse(source.read_content())
    source.check_schema(stored, SCHEMA)
    if "builds" not in stored:
        source.refuse("builds", f"expected {source.kind}, found no such key")
    found = source.convert(stored, Proof)
    for position, build in enumerate(found.builds):
        for signal in build.signals:
            if signal not in build.red:
                source.refuse(f"builds[{position}].red", f"expected {signal}, found no such key")
    if not path.with_suffix("").is_dir():
        folder = format_path(path.with_suffix(""))
        source.refuse("", f"expected the folder {folder} beside it, found none")
    signals = tuple(dict.fromkeys(signal for each in found.builds for signal in each.signals))
    sizes = sorted({each.planted_percent for each in found.builds if each.planted_percent})
    return replace(found, signals=found.signals or signals, sizes=found.sizes or tuple(sizes))


def write(proof: Proof, rates: Sequence[Rate], cases: int, path: Path) -> None:
    """Write a proof, with the rates that it has come to, over so many cases.

    Raises:
        UnwritableOutputError: If it cannot be written; what was there stays.
    """
    stored = {
        "schema": SCHEMA,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "environment": dataclasses.asdict(detect_environment()),
        "load_average": read_load_average(),
        "cases": cases,
        "policies": {
            "check": dataclasses.asdict(Policy()),
            "compare": dataclasses.asdict(COMPARISON_POLICY),
            "tolerances": dict(TOLERANCES),
        },
        "rates": [dataclasses.asdict(each) for each in rates],
        **dataclasses.asdict(proof),
    }
    atomic.write_text(json.dumps(stored, indent=1) + "\n", path)
