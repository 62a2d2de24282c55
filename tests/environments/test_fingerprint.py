"""What is noted of the machine, the interpreter and the commit."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import pytest

from resilience_bench.environments.fingerprint import (
    _detect_cpu_model,
    detect_environment,
    find_commit,
)


def test_environment_names_python_cpu_and_every_package() -> None:
    """What decides the comparability of a result is there, and true."""
    environment = detect_environment()
    assert platform.python_version() in environment.python
    assert environment.cpu_count >= 1
    assert environment.cpu_model
    assert environment.kernel == platform.release()
    assert environment.packages["pybreaker"] == importlib.metadata.version("pybreaker")
    assert environment.free_threaded is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n", "AMD EPYC family 26 model 2"),
        ("model name\t: ARMv8\nBogoMIPS\t: 50\n", "ARMv8"),
        ("cpu\t\t: POWER9\nmodel\t\t: 8335-GTH\n", platform.processor() or platform.machine()),
    ],
    ids=["x86", "no numbers", "other words"],
)
def test_generations_of_one_name_are_distinguished(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    """What is called by one name on virtual machines differs by family and model."""
    monkeypatch.setattr(Path, "read_text", lambda _self, **_: text)
    assert _detect_cpu_model() == expected


def test_commit_tells_clean_from_changed(tmp_path: Path) -> None:
    """The revision is that of the directory, and a changed tree is not called clean."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert find_commit(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("one")
    git("add", ".")
    git("commit", "-m", "first")
    commit = find_commit(tmp_path)
    assert commit is not None
    assert (commit.revision, commit.clean) == (git("rev-parse", "HEAD"), True)
    (tmp_path / "results.json").write_text("what an earlier run has measured")
    assert find_commit(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    changed = find_commit(tmp_path)
    assert changed is not None
    assert not changed.clean
