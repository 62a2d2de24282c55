"""Without --fleet there is no Dask; without its extra, --fleet is one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
for name in {blocked!r}: sys.modules[name] = None
from resilience_bench.cli.main import main
code = main({arguments!r})
loaded = sorted(n for n in sys.modules if n.split(".")[0] in ("dask", "distributed", "psutil"))
print("loaded", [n for n in loaded if sys.modules[n]])
sys.exit(code)
"""
FILE = """
from resilience_bench import scenario

@scenario
def called(payload):
    "A call."
    return payload
"""


def type_command(
    folder: Path, *arguments: str, blocked: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, in which some packages cannot be imported."""
    (folder / "mine.py").write_text(FILE)
    program = PROGRAM.format(arguments=list(arguments), blocked=blocked)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "mine.py", "--signals", "latency", "-o", "out.json"),
        ("prove", "--help"),
        ("history", "--help"),
        ("releases", "--help"),
        ("fleet", "worker", "--help"),
    ],
)
def test_nothing_of_dask_is_imported_without_fleet(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A command without --fleet neither needs nor loads Dask."""
    done = type_command(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize("package", ["distributed", "dask", "cloudpickle"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "mine.py", "--signals", "latency", "--fleet", "tcp://127.0.0.1:9"),
        ("fleet", "status", "tcp://127.0.0.1:9"),
        ("fleet", "worker", "tcp://127.0.0.1:9"),
    ],
)
def test_without_the_extra_the_line_says_what_to_install(
    tmp_path: Path, arguments: tuple[str, ...], package: str
) -> None:
    """The usual line, with exit code 2."""
    done = type_command(tmp_path, *arguments, blocked=(package,))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "type: pip install 'resilience-bench[fleet]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("run", "--fleet", "tcp://127.0.0.1:9", "--drift", "5"), "cannot be combined with"),
        (("run", "--fleet-kind", "abc"), "add --fleet ADDRESS"),
        (("prove", "--fleet", "tcp://127.0.0.1:9", "--from", "x.json"), "leave out --from"),
    ],
)
def test_options_that_do_not_go_with_a_fleet_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    """What a fleet cannot do is said before anything is measured."""
    done = type_command(tmp_path, *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
