"""What the command prints where: to a pipe, to a reader that leaves, quietly, without colour."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resilience_bench.files import results
from tests.factories import make_case, measured_result

COMMAND = str(Path(sys.executable).with_name("resilience-bench"))
NAMES = [f"a_library_whose_name_is_so_long_that_it_fills_the_line_{number}" for number in range(30)]
SCENARIO = """from resilience_bench import scenario

@scenario(parameters={"number": range(300)})
def success(payload, number):
    return payload
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a results file of many long names, and a scenario file of many cases."""
    folder = tmp_path_factory.mktemp("console")
    times = {make_case(name, f"mine.{value}"): 100.0 for name in NAMES for value in ("a", "b", "c")}
    results.write(measured_result(times, workers=3), folder / "result.json")
    (folder / "mine.py").write_text(SCENARIO)
    return folder


def execute(script: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which the command is called $BENCH."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"],
        cwd=folder,
        env={**os.environ, "BENCH": COMMAND, **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "pipe",
    [
        "--help | true",
        "list mine.py | head -1",
        "show result.json | head -1",
        "show result.json --format markdown | true",
        "report result.json -o report.html | true",
        "show result.json 2>&1 | head -1",
    ],
)
def test_a_reader_that_leaves_is_no_failure(pipe: str, folder: Path) -> None:
    """Whoever reads the first line only, or none, gets exit code 0 and no complaint."""
    done = execute(f"$BENCH {pipe}", folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_goes_into_a_pipe_is_not_wrapped(folder: Path) -> None:
    """Every name stands whole in its line, without colours, whatever COLUMNS says."""
    done = execute("$BENCH show result.json | cat", folder, COLUMNS="40")
    lines = done.stdout.splitlines()
    for name in NAMES:
        assert sum(line.split()[:1] == [name] for line in lines) == 3
    assert sum(line.startswith("per call: ") and line.endswith(".") for line in lines) == 1
    assert "\x1b" not in done.stdout


def test_colours_are_left_out_where_nobody_wants_them(folder: Path) -> None:
    """NO_COLOR holds even where colours are forced."""
    colourful = execute("$BENCH show result.json", folder, FORCE_COLOR="1", TERM="xterm")
    plain = execute("$BENCH show result.json", folder, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1")
    assert "\x1b[32m" in colourful.stdout
    assert "\x1b[32m" not in plain.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str, folder: Path) -> None:
    """Each shell gets a script that completes the names of commands and options."""
    script = execute("$BENCH", folder, _RESILIENCE_BENCH_COMPLETE=f"{shell}_source")
    assert script.returncode == 0
    assert f"_RESILIENCE_BENCH_COMPLETE={shell}_complete" in script.stdout


@pytest.mark.parametrize(
    ("words", "number", "expected"),
    [("re", 1, {"report", "releases"}), ("show --so", 2, {"--sort"}), ("--q", 1, {"--quiet"})],
)
def test_what_was_begun_is_completed(
    words: str, number: int, expected: set[str], folder: Path
) -> None:
    """A begun command or option is completed to all that begin so."""
    done = execute(
        "$BENCH",
        folder,
        _RESILIENCE_BENCH_COMPLETE="bash_complete",
        COMP_WORDS=f"resilience-bench {words}",
        COMP_CWORD=str(number),
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected


@pytest.mark.parametrize("arguments", ["-q run {}", "run {} --quiet", "run {} --no-progress"])
def test_flags_stand_before_or_behind_the_command(arguments: str, folder: Path) -> None:
    """Nothing is said of the progress; --quiet prints no more than where the results are."""
    rest = "mine.py '*number=1]' --signals latency -o out.json"
    done = execute(f"$BENCH {arguments.format(rest)}", folder)
    assert (done.returncode, done.stderr) == (0, "")
    if "--no-progress" in arguments:
        assert "mine.success" in done.stdout
    else:
        assert done.stdout == "results: out.json\n"
