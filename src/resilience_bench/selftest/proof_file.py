"""The file of a proof: written after every build and every rate, read again to continue."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from resilience_bench._model import Environment, Signal
from resilience_bench.environments.fingerprint import detect_environment, read_load_average
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import CheckedFile, format_path
from resilience_bench.gate.comparison import TOLERANCES
from resilience_bench.selftest.builds import POLICIES, Build, NoiseFloor, Rate, name_files

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
PROVE_HINT: Final = "type 'resilience-bench prove' to make a proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How a proof is made, and its real builds: all that is needed to continue it.

    ``sizes`` are the per cents that are planted; ``is_learned`` says whether the calibration is
    complete. The measurements are in the folder of the same name.
    """

    neighbours: int
    selectors: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    sizes: tuple[float, ...] = ()
    is_learned: bool = True
    builds: tuple[Build, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofResult(Proof):
    """A proof with its rates, for readers."""

    date: str
    environment: Environment
    cases: int
    rates: tuple[Rate, ...]
    noise_floors: tuple[NoiseFloor, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What a proof has shown: its rates, over so many cases, and how precise its gates can be.

    ``environment`` is where it was measured, by default here.
    """

    rates: Sequence[Rate]
    cases: int
    noise_floors: Sequence[NoiseFloor] = ()
    environment: Environment | None = None


def read_rates(path: Path) -> ProofResult:
    """Read a proof for its rates, without its measurements; UserError if it makes no sense."""
    source, stored = _read_object(path)
    return source.convert(stored, ProofResult)


def _read_object(path: Path) -> tuple[CheckedFile, dict[str, Any]]:
    source = CheckedFile(path, "what 'resilience-bench prove' wrote", UserError, PROVE_HINT)
    stored = source.parse(source.read_content())
    source.check_schema(stored, SCHEMA)
    return source, stored


def read(path: Path) -> Proof:
    """Read a proof to continue it, an older one as well; UserError if something is missing."""
    source, stored = _read_object(path)
    if "builds" not in stored:
        source.refuse("builds", f"expected {source.kind}, found no such key")
    proof = source.convert(stored, Proof)
    for position, build in enumerate(proof.builds):
        for signal in set(build.signals) - build.red.keys():
            source.refuse(f"builds[{position}].red", f"expected {signal}, found no such key")
    folder = path.with_suffix("")
    if not folder.is_dir():
        source.refuse("", f"expected the folder {format_path(folder)} beside it, found none")
    for position, build in enumerate(proof.builds):
        for name in () if build.planted_percent else name_files(build.gate, position + 1):
            file = folder / f"{name}.json"
            if not file.exists():
                found = f"expected its measurements in {format_path(file)}, found no file"
                source.refuse(f"builds[{position}]", found)
    signals = tuple(dict.fromkeys(signal for build in proof.builds for signal in build.signals))
    sizes = tuple(sorted({build.planted_percent for build in proof.builds} - {0.0}))
    return dataclasses.replace(proof, signals=proof.signals or signals, sizes=proof.sizes or sizes)


def write(proof: Proof, found: Findings, path: Path) -> None:
    """Write a proof and what it has shown; UnwritableOutputError keeps the old one."""
    stored = {
        "schema": SCHEMA,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "environment": dataclasses.asdict(found.environment or detect_environment()),
        "load_average": read_load_average(),
        "cases": found.cases,
        "policies": {gate: dataclasses.asdict(policy) for gate, policy in POLICIES.items()}
        | {"tolerances": dict(TOLERANCES)},
        "rates": [dataclasses.asdict(rate) for rate in found.rates],
        "noise_floors": [dataclasses.asdict(floor) for floor in found.noise_floors],
        **dataclasses.asdict(proof),
    }
    atomic.write_text(json.dumps(stored, indent=1) + "\n", path)
