"""What is shown while measuring: a bar on a terminal, a line per family elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from resilience_bench.launcher import ScriptedLauncher
from resilience_bench.progress import shown_progress
from resilience_bench.session import Profile, Session
from tests.scripted import info, suite

CASES = [info("a"), info("b"), info("c", family="retry")]


def shown(*, terminal: bool) -> str:
    """What a whole session of three cases and two workers shows."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80)
    session = Session(ScriptedLauncher(suite(CASES)), CASES, Profile("tiny", 2, 4))
    with shown_progress(session, console) as show:
        for done in session.run():
            show(done)
    return file.getvalue()


def test_elsewhere_a_line_per_family_is_printed_once_it_is_done() -> None:
    """Logs get one line for what is to come and one for each family, without control codes."""
    assert shown(terminal=False).splitlines() == [
        "measuring 3 cases with 2 workers each (tiny)",
        "breaker: 2 measured",
        "retry: 1 measured",
    ]


def test_on_a_terminal_a_bar_shows_the_share_and_the_time_left() -> None:
    """The bar counts cases times workers, and says how long it will take."""
    text = shown(terminal=True)
    assert "6/6" in text
    assert "left:" in text
