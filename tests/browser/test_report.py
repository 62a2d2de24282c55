"""The page of one run, opened from disk with the network blocked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilience_bench.cli import main
from resilience_bench.files import results
from tests.browser.conftest import DESKTOP, PHONE, visit
from tests.factories import make_case, measured_result
from tests.site.site_factories import EVIL, evil_labels


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_stands_alone(
    chromium: Any, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    """Opened as a file it shows tables, pictures and what moved, and asks for nothing else."""
    results.write(evil_labels(), tmp_path / "now.json")
    before = measured_result({make_case(EVIL): 900.0, make_case("pybreaker"): 2400.0})
    results.write(before, tmp_path / "before.json")
    page = tmp_path / "report.html"
    arguments = [tmp_path / "now.json", "--against", tmp_path / "before.json", "-o", page]
    assert main.main(["report", *map(str, arguments)]) == 0
    with visit(chromium, page.as_uri(), size, scheme) as seen:
        seen.page.goto(page.as_uri(), wait_until="networkidle")
        assert seen.page.locator("figure svg").count() == 1
        assert seen.page.locator("figure svg").bounding_box()["width"] > 200
        assert seen.page.get_by_text(EVIL).count() > 1
        assert seen.page.get_by_text("improved").count() > 0
        seen.keep(f"report-{size['width']}-{scheme}")
        seen.assert_clean()
        assert seen.overflow() <= 0
