"""A package index and releases that exist in no environment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from resilience_bench._model import CaseInfo, Counts, Environment
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import UserError, VariantError
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.releases import history_file
from resilience_bench.releases.history_file import History
from resilience_bench.releases.index import PublishedRelease
from resilience_bench.worker.protocol import (
    CountsMessage,
    Message,
    Plan,
    SamplesMessage,
)
from tests.factories import make_environment
from tests.scripted import Script, info, samples, suite

VERSIONS = ("1.0", "1.1", "2.0rc1", "2.0", "2.1")

RETRY, DECORATED = (
    replace(info(scenario, "thing", family="retry"), distributions=("Thing",))
    for scenario in ("called", "decorated")
)

OTHER = replace(info("called", "other", family="retry"), distributions=("other",))

CASES: list[CaseInfo] = [RETRY, DECORATED, OTHER]

CALLED, DECORATION = RETRY.case.name, DECORATED.case.name

Run = Callable[..., tuple[int, str, str]]

Log = list[tuple[str, str, int, tuple[str, ...]]]


def list_releases(package: str) -> list[PublishedRelease]:
    """Releases of one package that cases need, and of one that none does, a year apart."""
    if package not in {"thing", "idle"}:
        message = f"{package}: no releases found; type 'pip index versions {package}'"
        raise UserError(message)
    dates = [f"202{number}-06-01T00:00:00+00:00" for number in range(len(VERSIONS))]
    return [PublishedRelease(*each) for each in zip(VERSIONS, dates, strict=True)]


def costing(factors: Mapping[str, float]) -> Script:
    """A release in which cases cost so many times as much, with half a per cent of noise."""

    def reported(message: Message, seed: int) -> Message:
        if isinstance(message, SamplesMessage) and message.kind == "operation":
            noise = 1 + 0.005 * ((seed * 7919 + len(message.name)) % 7 - 3) / 3
            cost_ns = 1000 * factors.get(message.name, 1.0) * noise
            return replace(message, samples=samples(round(cost_ns), calls=1000))
        if isinstance(message, CountsMessage) and message.kind == "operation":
            cost = round(1000 * factors.get(message.name, 1.0))
            return replace(message, counts=Counts((10, 40), (10 * cost, 40 * cost)))
        return message

    return lambda plan, seed: [reported(each, seed) for each in suite(CASES)(plan, seed)]


def get_version(text: str) -> str:
    """Return the version of the release that a variant's text names first."""
    return text.partition("==")[2].partition(",")[0]


class Machine:
    """Releases by version: what each of them costs, and what was measured."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.log: Log = []
        self.made: list[str] = []
        self.broken: dict[str, str] = {}
        self.cpu = "Fast CPU"

    def launcher(self, variant: Variant) -> ScriptedLauncher:
        """What starts workers of a release."""
        version = get_version(variant.text)
        answer = self.scripts.get(version, costing({}))

        def script(plan: Plan, seed: int) -> Iterable[Message]:
            self.log.append((version, plan.action, seed, plan.cases))
            return answer(plan, seed)

        return ScriptedLauncher(script)

    @contextlib.contextmanager
    def stage(self) -> Iterator[Machine]:
        """It is its own stage."""
        yield self

    def make(self, text: str, needed: Iterable[str], **_: object) -> Variant:
        """An environment, unless it is broken."""
        self.made.append(text)
        version = get_version(text)
        if reason := self.broken.get(version):
            message = f"{text}: pip could not install it; it said: {reason}; expected others"
            raise VariantError(message)
        return Variant(text, Path(text), Path(text) / "bin" / "python", made=False, packages={})

    def environment_of(self, variant: Variant) -> Environment:
        """Where a release is measured."""
        packages = {"thing": get_version(variant.text), "other": "1.0"}
        return make_environment(packages=packages, cpu_model=self.cpu)


def history(folder: str = "results/releases/thing") -> History:
    """What was written."""
    return history_file.read(Path(folder))


def assert_refused(reported: tuple[int, str, str], *parts: str) -> None:
    """Exit code 2, nothing on the output, and one line that says these."""
    code, out, err = reported
    assert (code, out) == (2, "")
    [line] = [each for each in err.splitlines() if each.startswith("resilience-bench")]
    assert "Traceback" not in err
    for part in parts:
        assert part in line
