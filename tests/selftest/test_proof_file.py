"""The file of a proof: what is written is read, and what older ones did not say is found."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.errors import UserError
from resilience_bench.selftest import proof_file
from resilience_bench.selftest.builds import Build, NoiseFloor, estimate_rate
from resilience_bench.selftest.proof_file import Proof

ROOT = Path(__file__).resolve().parents[2]
NOT_RED: dict[str, tuple[str, ...]] = {"latency": (), "instructions": ()}
HEALTHY = Build("check", ("latency", "instructions"), 0.0, (), NOT_RED, 1, 9.5)
PLANTED = Build("compare", ("latency",), 5.0, ("a",), {"latency": ("a",)}, 0, 7.0)
PROOF = Proof(
    neighbours=2,
    selectors=("breaker.*",),
    signals=("latency", "instructions"),
    sizes=(5.0, 20.0),
    is_learned=True,
    builds=(HEALTHY, PLANTED),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for a proof, with its measurements beside it."""
    (tmp_path / "proof").mkdir()
    (tmp_path / "proof" / "check-1.json").touch()
    return tmp_path / "proof.json"


def stored(path: Path, **more: Any) -> None:
    """Change keys of a good proof; None takes one away."""
    proof_file.write(PROOF, proof_file.Findings([], 3), path)
    content = {**json.loads(path.read_text()), **more}
    path.write_text(json.dumps({key: each for key, each in content.items() if each is not None}))


def test_what_is_written_is_read(path: Path) -> None:
    """With the policies, the environment and the rates beside it, for readers."""
    rate = estimate_rate(("check", 0.0, "work"), "latency", "real", [False])
    floor = NoiseFloor("check", 72, 0.002, 0.005)
    proof_file.write(PROOF, proof_file.Findings([rate], 3, [floor]), path)
    assert proof_file.read(path) == PROOF
    assert proof_file.read_rates(path).noise_floors == (floor,)
    held = json.loads(path.read_text())
    assert (held["schema"], held["cases"], held["rates"][0]["trials"]) == (1, 3, 1)
    assert {"date", "environment", "load_average", "policies"} <= set(held)


def test_an_older_proof_says_it_by_its_builds(path: Path) -> None:
    """Signals and sizes are those of its builds; it had learned, or there would be no builds."""
    stored(path, selectors=None, signals=None, sizes=None, is_learned=None)
    found = proof_file.read(path)
    assert (found.signals, found.sizes) == (("latency", "instructions"), (5.0,))
    assert (found.selectors, found.is_learned) == ((), True)
    assert found.builds == PROOF.builds


def test_the_committed_proof_has_no_folder() -> None:
    """It is read up to there: the numbers of its workers are too many to commit."""
    with pytest.raises(UserError, match=r"expected the folder .*gate-proof beside it, found none"):
        proof_file.read(ROOT / "results" / "gate-proof.json")


def test_a_build_that_does_not_say_what_it_was_red_for_is_refused(path: Path) -> None:
    """The text names the build and the signal."""
    stored(path, builds=[{**dataclasses.asdict(PLANTED), "red": {}}])
    with pytest.raises(
        UserError, match=r"key builds\[0\]\.red: expected latency, found no such key"
    ):
        proof_file.read(path)
