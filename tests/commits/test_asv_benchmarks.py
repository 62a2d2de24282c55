"""asv's classes: what asv finds in them, and what its calls do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resilience_bench.commits.asv_benchmarks import NOTHING, VERSIONS, make_classes
from resilience_bench.commits.measure import MissingEstimate, SignalEstimates
from tests.commits.planted import write

ROOT = Path(__file__).resolve().parents[2]
METHODS = {"time_call", "track_overhead_ns", "track_ratio", "track_instructions"}
CASE = "family.guarded[here]"
KEY = ("here", "guarded", "single")
SCENARIOS = """import asyncio
from resilience_bench import FAILS, Library, PayloadError, Unsupported, scenario

class Here:
    def guard(self, payload):
        return payload

class Old(Here):
    def guard(self, payload):
        raise Unsupported("this release has none")

HERE = Library("here", Here(), ("pytest",))
BOTH = [HERE, Library("old", Old(), ("pytest",)), Library("gone", Here(), ("not-a-package",))]

@scenario(library=BOTH, in_profile=["threads"])
def guarded(library, payload):
    return library.guard(payload)

@scenario(library=[HERE], outcomes=(FAILS,), raises=PayloadError)
def fails(library, payload):
    return library.guard(payload)

@scenario(library=[HERE])
async def awaited(library, payload):
    return library.guard(payload)

@scenario(library=[HERE], payload_calls=2)
def broken(library, payload):
    return library.guard(payload)

@scenario(library=[HERE])
def sleeps(library, payload):
    import time
    def slow():
        time.sleep(0.002)
        return payload()
    return slow
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, type]:
    """The classes of a small suite."""
    top = tmp_path_factory.mktemp("top")
    (top / "stack").mkdir()
    (top / "stack" / "pyproject.toml").write_text(
        '[project]\nname = "stack"\ndependencies = ["pytest", "not-a-package"]\n'
    )
    folder = top / "suite_of_tests"
    folder.mkdir()
    (folder / "family.py").write_text(SCENARIOS)
    return make_classes(folder)


def test_a_class_a_family_with_what_asv_looks_for(suite: dict[str, type]) -> None:
    """Methods are found by their names; each has its own version, unit and parameters."""
    assert set(suite) == {"Family", "Import"}
    family = suite["Family"]
    assert family.param_names == ["library", "scenario", "load"]
    assert METHODS | {"track_scaling"} <= set(vars(family))
    assert family.track_scaling.params[2] == ["threads-16"]
    assert {name: vars(family)[name].version for name in METHODS}.items() <= VERSIONS.items()
    assert family.track_ratio.setup_cache is family.track_overhead_ns.setup_cache
    assert family.track_instructions.setup_cache is not family.track_ratio.setup_cache


@pytest.mark.parametrize("scenario", ["guarded", "fails", "awaited"])
def test_asvs_clock_counts_one_call_of_a_batch(
    suite: dict[str, type], monkeypatch: pytest.MonkeyPatch, scenario: str
) -> None:
    """What asv takes for one call is a batch, and its clock runs slower by the batch's size."""
    timed = suite["Family"]()
    timed.setup("here", scenario, "single")
    timed.time_call("here", scenario, "single")
    calls = timed.subject.calls
    monkeypatch.setattr(time, "perf_counter", lambda: 12.0)
    assert timed.timer() == 12.0 / calls
    monkeypatch.undo()
    sampled: list[int] = []
    timed.subject.sample = lambda count, _: sampled.append(count)
    timed.time_call("here", scenario, "single")
    assert sampled == [calls]
    timed.teardown("here", scenario, "single")


def test_a_slow_operation_is_called_once(suite: dict[str, type]) -> None:
    """Then asv's clock is a real one."""
    timed = suite["Family"]()
    timed.setup("here", "sleeps", "single")
    before = timed.timer()
    timed.time_call("here", "sleeps", "single")
    assert timed.timer() - before >= 0.002
    timed.teardown("here", "sleeps", "single")
    timed.setup("here", "sleeps", "single")  # asv sets up before each call that it times
    timed.teardown("here", "sleeps", "single")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (("old", "fails", "single"), "old has no fails under single"),
        (("old", "guarded", "single"), "this release has none"),
        (("gone", "guarded", "single"), "not-a-package is not installed"),
        (("here", "guarded", "tasks-100"), "here has no guarded under tasks-100"),
    ],
)
def test_what_is_not_there_is_skipped(
    suite: dict[str, type], key: tuple[str, str, str], reason: str
) -> None:
    """Asv's way: NotImplementedError from setup."""
    with pytest.raises(NotImplementedError, match=reason):
        suite["Family"]().setup(*key)


def test_an_operation_that_does_not_do_what_it_says_is_not_timed(suite: dict[str, type]) -> None:
    """Asv shows the failure."""
    with pytest.raises(Exception, match="ran the payload 1 times, expected 2"):
        suite["Family"]().setup("here", "broken", "single")


def test_figures_are_handed_on(suite: dict[str, type]) -> None:
    """What was measured at once is reported case by case."""
    results = SignalEstimates(
        {CASE: {"ratio": 2.0, "overhead_ns": 900.0, "instructions": 10.0}}, {}
    )
    tracked = suite["Family"]()
    tracked.setup(results, *KEY)
    assert tracked.track_ratio(results, *KEY) == 2.0
    assert tracked.track_overhead_ns(results, *KEY) == 900.0
    assert tracked.track_instructions(results, *KEY) == 10.0
    under_load = SignalEstimates({"family.guarded[here,threads-16,io]": {"scaling": 1.5}}, {})
    assert tracked.track_scaling(under_load, "here", "guarded", "threads-16") == 1.5
    tracked.teardown(results, *KEY)


def test_figures_that_are_not_there_are_skipped(suite: dict[str, type]) -> None:
    """Before the method is called."""
    results = SignalEstimates({}, {CASE: MissingEstimate("not installed", is_skipped=True)})
    with pytest.raises(NotImplementedError, match="not installed"):
        suite["Family"]().setup(results, *KEY)


def test_imports_are_tracked_beside_nothing(suite: dict[str, type]) -> None:
    """The interpreter alone is the first value; what is not installed is skipped."""
    imported = suite["Import"]()
    assert imported.params == [[NOTHING, "here", "old", "gone"]]
    imported.setup(NOTHING)
    imported.peakmem_import(NOTHING)
    imported.setup("here")
    imported.peakmem_import("here")
    with pytest.raises(NotImplementedError, match="not-a-package is not installed"):
        imported.setup("gone")


def listed_by_asv(folder: Path, tmp_path: Path) -> set[str]:
    """The names that asv finds in an interpreter that has its runner, the tool and nothing else."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    runner = Path(sys.prefix) / "lib" / version / "site-packages" / "asv_runner"
    (tmp_path / "asv_runner").symlink_to(runner)
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT / 'src')!r}]\n"
        f"from asv_runner.discovery import list_benchmarks\n"
        f"list_benchmarks({str(folder)!r}, sys.stdout)"
    )
    # -I -S: no site-packages, so neither numpy nor pytest nor any library to measure.
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {each["name"] for each in json.loads(done.stdout)}


def test_asv_finds_what_is_meant_and_nothing_else(tmp_path: Path) -> None:
    """In the suite of this project asv lists the classes' methods only."""
    single = {
        f"history.{family}.{method}"
        for family in ("Breaker", "Composed", "Control", "Metrics", "Retry")
        for method in METHODS
    }
    loaded = {
        f"history.{family}.track_scaling" for family in ("Breaker", "Composed", "Metrics", "Retry")
    }
    names = listed_by_asv(ROOT / "benchmarks", tmp_path)
    # The control has no overhead, and noise around nothing would be listed as a regression.
    expected = single - {"history.Control.track_overhead_ns"}
    assert names == expected | loaded | {"history.Import.peakmem_import"}


def test_a_scenario_whose_name_looks_like_asvs_is_no_benchmark(tmp_path: Path) -> None:
    """``time_out`` is a scenario of its family, not a function that asv times."""
    folder = tmp_path / "suite_of_asv"
    write(tmp_path, "stack/pyproject.toml", '[project]\nname = "stack"\n')
    write(tmp_path, "suite_of_asv/__init__.py", "")
    write(
        tmp_path,
        "suite_of_asv/family.py",
        "from resilience_bench import scenario\n\n@scenario\ndef time_out(payload):\n"
        "    return payload\n",
    )
    write(tmp_path, "suite_of_asv/history.py", (ROOT / "benchmarks" / "history.py").read_text())
    expected = {f"history.Family.{method}" for method in METHODS}
    assert listed_by_asv(folder, tmp_path) == expected | {"history.Import.peakmem_import"}
