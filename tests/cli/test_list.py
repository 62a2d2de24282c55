"""The list of cases: fast to show, a line a case."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resilience_bench.cli.list import describe_cases
from tests.factories import make_case, make_record

SLOW, FAST = make_case("slow"), make_case("fast")
HEAVY = {"numpy", "scipy", "matplotlib", "asv", "msgspec", "rich", "jinja2", "packaging"}
SCENARIO = """from resilience_bench import scenario

@scenario
def success(payload):
    \"\"\"Our guard lets a call through.\"\"\"
    return payload
"""


def test_list_has_a_line_a_case_and_a_sum() -> None:
    """Available cases stand alone; the others with why not."""
    records = [make_record(FAST), make_record(SLOW, "not available", "it has no [async]")]
    assert list(describe_cases(records)) == [
        "breaker.closed_success[fast]",
        "breaker.closed_success[slow]  not available: it has no [async]",
        "1 of 2 cases is available",
    ]


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("list", "mine.py")])
def test_what_people_type_first_imports_nothing_heavy(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """Help, version and the list of one's own file load no package that takes long to import."""
    (tmp_path / "mine.py").write_text(SCENARIO)
    program = (
        "import sys; from resilience_bench.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert loaded & HEAVY == set()
