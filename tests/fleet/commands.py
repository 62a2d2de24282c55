"""Commands as a user types them, and a suite for them to measure."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.releases.published import COMMAND


def type_command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What a command answers."""
    return subprocess.run(
        [COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def write_suite(folder: Path, scenarios: int) -> list[str]:
    """Write ``mine.py`` with scenarios that only call; return the names of the cases."""
    text = "from resilience_bench import scenario\n"
    for number in range(scenarios):
        text += (
            f"\n\n@scenario\ndef called_{number}(payload):\n"
            f'    "A call."\n    return lambda: payload()\n'
        )
    (folder / "mine.py").write_text(text)
    return [f"mine.called_{number}" for number in range(scenarios)]
