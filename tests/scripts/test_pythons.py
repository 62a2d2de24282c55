"""``scripts/pythons``, with a source package that takes no time to compile."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.lib.python_sources import PINNED
from tests.scripts.test_python_sources import make_root

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "dpkg-query": 'shift 2; shift; for name in "$@"; do echo "$name installed"; done',
    "apt-get": (
        'echo "$@" >> "$CALLS"; cp "$(dirname "$APT_CONFIG")/sources.list" "$CALLS.list"\n'
        'case "$1" in source) for name; do :; done\n'
        '[ "$LACKS" != "$name" ] || { echo "E: $name: 404  Not Found"; exit 100; }\n'
        'echo "Version: ${name#python}.9-1" > "${name}_9-1.dsc";; esac'
    ),
    "apt-helper": (
        'shift; echo "download $1 $2 $3" >> "$CALLS"\n'
        '[ -n "$POOL" ] || { echo "E: Failed to fetch $1  404  Not Found"; exit 100; }\n'
        'case "$2" in *.dsc) digest=$(printf %064d 7); {\n'
        'echo "Version: 3.14.7-1"; echo "Checksums-Sha1:"; echo " $(printf %040d 7) 9 wrong.xz"\n'
        'echo "Checksums-Sha256:"; echo " $digest 9 python3.14_3.14.7.orig.tar.xz"; } > "$2";; esac'
    ),
    "dpkg-source": (
        'mkdir "$3"; cat > "$3/configure" <<"END"\n'
        "#!/bin/sh\n"
        'echo "$@" > options\n'
        'for each; do case "$each" in --prefix=*) echo "${each#--prefix=}" > prefix;; esac; done\n'
        "END\n"
        'chmod +x "$3/configure"'
    ),
    "make": (
        '[ -z "$FAILS" ] || { echo "x.c: error: $FAILS"; exit 2; }\n'
        'if [ -n "$HANGS" ]; then echo $$ > "$HANGS"; sleep 600; fi\n'
        'case "$1" in install) home="${2#DESTDIR=}$(cat prefix)"; mkdir -p "$home/bin"\n'
        'for name in 3.13 3.13t 3.14 3.14t; do printf "#!/bin/sh\\n" > "$home/bin/python$name"\n'
        'chmod +x "$home/bin/python$name"; done;; esac'
    ),
}
"""What stands in for the programs that are called; the compiler itself is not tested here."""


class Stage:
    """A system of its own with its own cache."""

    def __init__(self, folder: Path) -> None:
        self.root = make_root(folder / "system", list="deb http://a.example bookworm main\n")
        self.calls = folder / "calls"
        self.cache = folder / "cache"
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        for name, text in PROGRAMS.items():
            file = programs / name
            file.write_text(f"#!/bin/sh\n{text}\n")
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "TMPDIR": str(self.scratch),
            "FAILS": "",
            "HANGS": "",
            "LACKS": "",
            "POOL": "",
            "RESILIENCE_BENCH_CACHE": str(self.cache),
        }

    @property
    def command(self) -> list[str]:
        """What `scripts/pythons` runs, under this very interpreter."""
        return [sys.executable, "scripts/lib/pythons.py", "--root", str(self.root)]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the script to its end."""
        return subprocess.run(
            [*self.command, *arguments],
            cwd=ROOT,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def count_fetches(self) -> int:
        """How often a source package was fetched."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return sum(line.startswith("source") for line in lines)

    def list_left(self) -> list[str]:
        """What is left of builds, complete or not."""
        folder = self.cache / "pythons"
        kept = [path.name for path in folder.iterdir()] if folder.exists() else []
        return sorted([*kept, *(path.name for path in self.scratch.iterdir())])


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A fresh one."""
    return Stage(tmp_path)


def test_all_are_built_once_from_one_source_a_version(stage: Stage) -> None:
    """Four Pythons of two sources; with and without the GIL they differ in one option."""
    done = stage.run()
    assert done.returncode == 0, done.stderr
    assert stage.list_left() == ["3.13", "3.13t", "3.14", "3.14t"]
    assert stage.count_fetches() == 2
    for step in ("Python 3.13: 3.13.9-1 of trixie", "3.14t: compiling"):
        assert step in done.stderr
    held = {
        name: json.loads((stage.cache / "pythons" / name / "build.json").read_text())
        for name in stage.list_left()
    }
    assert held["3.13t"]["package"] == "3.13.9-1"
    for version in ("3.13", "3.14"):
        without, with_lock = held[f"{version}t"]["options"], held[version]["options"]
        assert set(without) - set(with_lock) == {"--disable-gil"}
        assert set(with_lock) <= set(without)
    again = stage.run()
    assert again.returncode == 0
    assert again.stderr.count("built already") == 4
    assert stage.count_fetches() == 2


def test_the_source_is_that_of_the_systems_mirror(stage: Stage) -> None:
    """One line: the mirror that the own sources of apt name, with the newer suite."""
    assert stage.run("3.14t").returncode == 0
    line = Path(f"{stage.calls}.list").read_text()
    assert line == "deb-src http://a.example forky main\n"


def test_a_version_that_the_mirror_lacks_does_not_stop_the_others(stage: Stage) -> None:
    """Exit code 2 with the suites that were tried in one line; the other version is built."""
    done = stage.run(LACKS="python3.14")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: Python 3.14 cannot be fetched from forky: apt-get source failed")
    assert "and from sid: " in last
    assert (
        "and from the mirror's pool: apt-helper download-file failed; it said: E: Failed to fetch"
        in last
    )
    assert "404  Not Found" in last
    assert stage.list_left() == ["3.13", "3.13t"]


def test_a_package_that_no_suite_lists_any_more_is_taken_from_the_pool(stage: Stage) -> None:
    """Each file is checked by its digest: that of the first is known, and it has the others'."""
    done = stage.run("3.14t", LACKS="python3.14", POOL="yes")
    assert done.returncode == 0, done.stderr
    assert "Python 3.14: 3.14.7-1 of the mirror's pool" in done.stderr
    own = [line for line in stage.calls.read_text().splitlines() if line.startswith("download")]
    folder = "http://a.example/pool/main/p/python3.14"
    names = ("python3.14_3.14.7-1.dsc", "python3.14_3.14.7.orig.tar.xz")
    digests = (PINNED["3.14"][1], f"{7:064}")
    assert own == [
        f"download {folder}/{name} {name} SHA256:{digest}"
        for name, digest in zip(names, digests, strict=True)
    ]


def test_the_list_says_what_is_built(stage: Stage) -> None:
    """A line for each Python: its package, options and path, or what to type."""
    assert stage.run("--plain", "3.13t").returncode == 0
    done = stage.run("--list")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("3.13t  3.13.9-1 of trixie, ")
    assert "--disable-gil" in lines[0]
    assert "--enable-optimizations" not in lines[0]
    assert lines[1].strip() == str(stage.cache / "pythons" / "3.13t" / "bin" / "python3.13t")
    assert lines[2] == "3.13  not built; type 'scripts/pythons 3.13'"
    assert stage.count_fetches() == 1


@pytest.mark.parametrize("damage", ["build.json", "bin/python3.13t"])
def test_what_is_not_complete_is_built_again(stage: Stage, damage: str) -> None:
    """A folder without its statement or its program is not a Python that is built."""
    assert stage.run("3.13t").returncode == 0
    (stage.cache / "pythons" / "3.13t" / damage).unlink()
    assert "3.13t  not built" in stage.run("--list").stdout
    assert stage.run("3.13t").returncode == 0
    assert stage.count_fetches() == 2
    assert "3.13t  3.13.9-1" in stage.run("--list").stdout


def test_an_unknown_python_is_refused_in_one_line(stage: Stage) -> None:
    """Exit code 2; the line names those that can be built."""
    done = stage.run("3.8")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: '3.8' is no Python that can be built here; expected some")
    assert "3.13t, 3.13, 3.14t, 3.14" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_build_that_fails_says_where_to_read_on(stage: Stage) -> None:
    """Exit code 2 with the compiler's error; the log stays, and nothing that looks built."""
    done = stage.run("3.13t", FAILS="no such header")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "make failed with exit code 2; it said: x.c: error: no such header" in last
    assert stage.list_left() == ["3.13t.log"]
    assert str(stage.cache / "pythons" / "3.13t.log") in last


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing_half_built(
    stage: Stage, tmp_path: Path, number: signal.Signals
) -> None:
    """The compiler is ended, the scratch folder is gone, and the next call builds."""
    marker = tmp_path / "compiling"
    process = subprocess.Popen(
        [*stage.command, "3.13t"],
        cwd=ROOT,
        env={**stage.environment, "HANGS": str(marker)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not marker.exists() or not marker.read_text().strip():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "interrupted" in said
    compiler = Path(f"/proc/{marker.read_text().strip()}")
    while compiler.exists():  # until init has taken note of its end
        time.sleep(0.05)
    assert [name for name in stage.list_left() if not name.endswith(".log")] == []
    assert stage.run("3.13t").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_a_compiler_starts_waits_until_it_has(
    number: signal.Signals,
) -> None:
    """Only a process that has been started can be ended."""
    code = (
        "import os, pythons\n"
        "try:\n"
        "    with pythons.hold_interruptions_back():\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "        print('started')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts" / "lib")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["started", "interrupted"]), done.stderr
