"""The page of all messages is up to date, and each message is short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "messages.md"
LONGEST = 200
"""Two lines of a terminal that is 100 columns wide."""


def test_the_page_of_messages_is_up_to_date(tmp_path: Path) -> None:
    """What scripts/messages writes is what is committed."""
    written = tmp_path / "messages.md"
    command = [sys.executable, "scripts/lib/messages.py", "--output", str(written)]
    subprocess.run(command, cwd=ROOT, check=True)
    assert PAGE.read_text() == written.read_text(), "type 'scripts/messages' and commit the page"


def test_no_message_is_longer_than_two_lines() -> None:
    """What is filled in comes on top: so the words have to be few."""
    blocks = re.findall(r"^```text\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    messages = "".join(blocks).splitlines()
    assert len(messages) > 100
    assert [message for message in messages if len(message) > LONGEST] == []
