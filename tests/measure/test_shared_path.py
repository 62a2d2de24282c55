"""How variants take turns at one path, alone and with several workers side by side."""

from __future__ import annotations

import os
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resilience_bench.environments.variants import Variant
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.measure.shared_path import SharedPath, create_shared_path
from resilience_bench.worker.protocol import CountsMessage, EndMessage, Plan, ProblemMessage

WHO_AM_I = """
import importlib.util, mine, sys
foreign = [name for name in ("pybreaker", "numpy", "shadow") if importlib.util.find_spec(name)]
raise RuntimeError(f"{mine.NAME} {foreign} {sys.prefix} {mine.__file__}")
"""
# Opening a FIFO waits until it is opened at its other end.
FIRST = "open({!r}, 'w').close(); open({!r}).close()\n"
SECOND = "open({!r}).close(); open({!r}, 'w').close()\n"
COUNTED = """
from resilience_bench import RESULT, scenario

@scenario
def bare(payload):
    return payload
"""


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    """An environment with a module ``mine``."""
    return made(tmp_path / "one", "one")


def made(home: Path, name: str) -> Variant:
    """A venv with a module ``mine`` that says its name."""
    venv.EnvBuilder(symlinks=True).create(home)
    [site] = home.glob("lib/python*/site-packages")
    (site / "mine.py").write_text(f"NAME = {name!r}\n")
    return Variant(name, home, home / "bin" / "python", made=True, packages={})


def discovering(file: Path, text: str) -> Plan:
    """A plan that imports a file of this text."""
    file.write_text(text)
    return Plan("discover", (str(file),))


def problem(here: SharedPath, variant: Variant, plan: Plan) -> str:
    """What a worker finds wrong with the plan's file."""
    messages = here.launcher(variant).run(plan, hash_seed=0)
    [said] = [message.text for message in messages if isinstance(message, ProblemMessage)]
    return said


def test_variants_take_turns_at_one_path(
    variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have the same prefix, text for text, and import only what is theirs."""
    other = made(tmp_path / "other", "two")
    (tmp_path / "inherited").mkdir()
    for name in ("mine.py", "shadow.py"):
        (tmp_path / "inherited" / name).write_text("NAME = 'inherited'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "inherited"))
    plan = discovering(tmp_path / "cases.py", WHO_AM_I)
    with create_shared_path() as here:
        said = [problem(here, value, plan) for value in (variant, other, variant)]
        env = here.folder / "env"
        assert [path.name for path in here.tool.iterdir()] == ["resilience_bench"]
        assert (here.tool / "resilience_bench" / "measure" / "launcher.py").is_file()
    for text, name in zip(said, ("one", "two", "one"), strict=True):
        assert f"{name} [] {env} {env}/lib/" in text
    assert not here.folder.exists()
    assert variant.home.is_dir()


def test_interpreter_outside_a_venv_keeps_its_path(tmp_path: Path) -> None:
    """What is no venv cannot be moved by a link, so it runs where it is."""
    variant = Variant("/opt/python", tmp_path, Path("/opt/python"), made=False, packages={})
    with create_shared_path() as here:
        assert here.launcher(variant).workers.python == "/opt/python"
        here.point_at(variant)
        assert not (here.folder / "env").exists()


def test_link_stays_as_it_is_for_the_same_variant(variant: Variant, tmp_path: Path) -> None:
    """Only another variant makes a new link, so workers that run are never disturbed."""
    other = made(tmp_path / "other", "two")
    with create_shared_path() as here, ThreadPoolExecutor(8) as pool:
        list(pool.map(here.point_at, [variant] * 50))
        link = here.folder / "env"
        before = link.lstat()
        list(pool.map(here.point_at, [variant] * 50))
        assert link.lstat() == before
        assert link.readlink() == variant.home
        here.point_at(other)
        assert link.readlink() == other.home


def test_workers_of_one_variant_run_side_by_side(variant: Variant, tmp_path: Path) -> None:
    """Two that wait for each other both come to their end."""
    one, two = str(tmp_path / "one.fifo"), str(tmp_path / "two.fifo")
    os.mkfifo(one)
    os.mkfifo(two)
    plans = [
        discovering(tmp_path / "first.py", FIRST.format(one, two)),
        discovering(tmp_path / "second.py", SECOND.format(one, two)),
    ]
    with create_shared_path() as here, ThreadPoolExecutor(2) as pool:
        launcher = here.launcher(variant)
        for messages in pool.map(launcher.run, plans, (0, 1)):
            [done] = messages
            assert isinstance(done, EndMessage)


def test_stop_ends_a_worker_that_another_thread_waits_for(variant: Variant, tmp_path: Path) -> None:
    """The thread gets an error that its worker was ended, and the stage can be left."""
    started = tmp_path / "started.fifo"
    os.mkfifo(started)
    text = f"import time\nwith open({str(started)!r}, 'w'): pass\ntime.sleep(3600)\n"
    plan = discovering(tmp_path / "endless.py", text)
    with create_shared_path() as here, ThreadPoolExecutor(1) as pool:
        launcher = here.launcher(variant)
        waiting = pool.submit(launcher.run, plan, 0)
        started.read_text()
        launcher.stop()
        with pytest.raises(WorkerFailedError, match="SIGKILL"):
            waiting.result()


@pytest.mark.needs("valgrind")
def test_instructions_are_counted_on_the_stage(variant: Variant, tmp_path: Path) -> None:
    """Two workers under valgrind, side by side, count in the variant that has its turn."""
    file = tmp_path / "cases.py"
    file.write_text("import mine\nassert mine.NAME == 'one'\n" + COUNTED)
    plan = Plan("count", (str(file),), ("cases.bare",), time_limit_s=300.0)
    with create_shared_path() as here, ThreadPoolExecutor(2) as pool:
        for messages in pool.map(here.launcher(variant).run, [plan, plan], (0, 1)):
            counted = {
                message.kind: message for message in messages if isinstance(message, CountsMessage)
            }
            assert set(counted) == {"control", "operation"}
            first, second = counted["operation"].counts.instructions
            assert 0 < first < second


def test_given_environment_takes_its_turn_as_well(tmp_path: Path) -> None:
    """Our own environment, given by its path, runs at the stage's path when it is a venv."""
    given = Variant(sys.prefix, Path(sys.prefix), Path(sys.executable), made=False, packages={})
    text = "import pybreaker, sys\nraise RuntimeError(sys.prefix)\n"
    plan = discovering(tmp_path / "cases.py", text)
    staged = (given.home / "pyvenv.cfg").is_file()
    with create_shared_path() as here:
        prefix = str(here.folder / "env") if staged else sys.prefix
        assert prefix in problem(here, given, plan)
