"""How fast is a long history published, and how fast do its pages answer a click in the browser?"""

from __future__ import annotations

import datetime as dt
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from resilience_bench.environments.fingerprint import detect_environment, read_load_average
from resilience_bench.site.build import SiteSources, make
from resilience_bench.site.serve import format_address, make_server

TREE: Final = Path(__file__).with_name("asv_tree.py")
CHROMIUM: Final = "/usr/bin/chromium"
ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CURVE: Final = ".uplot canvas"
Step = Callable[[Any, str], float]


@click.command()
@click.option("--commits", type=click.IntRange(min=2), default=1000, show_default=True)
@click.option("--cases", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--times", type=click.IntRange(min=1), default=10, show_default=True)
def main(commits: int, cases: int, times: int) -> None:
    """Make a history up, publish it, click through it, and print how long each step took."""
    here = detect_environment()
    click.echo(f"{dt.datetime.now(dt.UTC).isoformat(timespec='seconds')}, {here.python}")
    click.echo(f"{here.cpu_count} x {here.cpu_model}, {here.os}")
    click.echo(f"load average before: {', '.join(f'{each:.2f}' for each in read_load_average())}")
    with tempfile.TemporaryDirectory(prefix="resilience-bench-") as scratch:
        project, folder = Path(scratch) / "project", Path(scratch) / "site"
        options = ["--commits", str(commits), "--cases", str(cases)]
        subprocess.run([sys.executable, TREE, project, *options], check=True, stdout=sys.stderr)
        began = time.perf_counter()
        make(
            SiteSources(project / "results", project / "asv.conf.json"), folder, lambda _text: None
        )
        took = time.perf_counter() - began
        click.echo(f"{commits:,} commits x {cases:,} cases: the site is made in {took:.1f} s")
        with make_server(folder, 0) as serving:
            threading.Thread(target=serving.serve_forever, daemon=True).start()
            measure(format_address(serving), times)
            serving.shutdown()


def measure(home: str, times: int) -> None:
    """Print how long each step takes, each time in a browser that has cached nothing."""
    # Only this script needs a browser's driver; the helpers above are for others too.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    seconds: dict[str, list[float]] = {name: [] for name in STEPS}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for _ in range(times):
            with browser.new_context() as context:
                page = context.new_page()
                for name, took in steps(page, home):
                    seconds[name].append(took)
        browser.close()
    click.echo(f"seconds until what was clicked for is there, over {times} fresh visits:")
    for name, each in seconds.items():
        click.echo(f"  {statistics.median(each):5.2f} median {max(each):5.2f} worst  {name}")


def steps(page: Any, home: str) -> Iterator[tuple[str, float]]:
    """Go through the steps in their order: the name of each, and the seconds it took."""
    for name, step in STEPS.items():
        yield name, step(page, home)


def _timed(act: Callable[[], object], there: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    there()
    return time.perf_counter() - began


def _first_page(page: Any, home: str) -> float:
    return _timed(lambda: page.goto(home), page.get_by_text("Commit by commit").wait_for)


def _history(page: Any, _home: str) -> float:
    link = page.get_by_role("link", name=re.compile("^History of"))
    return _timed(link.click, page.get_by_text("Breaker000").first.wait_for)


def _benchmark(page: Any, _home: str) -> float:
    return _timed(page.get_by_text("Breaker000").first.click, page.locator(CURVE).wait_for)


def _parameter(page: Any, _home: str) -> float:
    chip = page.get_by_role("button", name="library='tenacity', load='single'")
    legend = page.locator(".chart-legend").get_by_text("tenacity")
    return _timed(chip.click, legend.wait_for)


def _regressions(page: Any, _home: str) -> float:
    button = page.get_by_role("button", name="Regressions", exact=True)
    row = page.get_by_role("cell", name=re.compile("Breaker000")).first
    return _timed(button.click, row.wait_for)


def _search(page: Any, _home: str) -> float:
    page.get_by_role("button", name="Overview", exact=True).click()
    page.get_by_text("Breaker001").first.wait_for()
    box = page.get_by_placeholder(re.compile("Search"))
    gone = page.get_by_text("Breaker001").first
    return _timed(lambda: box.fill("Breaker000"), lambda: gone.wait_for(state="detached"))


STEPS: Final[dict[str, Step]] = {
    "the first page of the site is opened": _first_page,
    "first page, click on the history: its first page is there": _history,
    "history's first page, click on a benchmark: its curve is there": _benchmark,
    "benchmark, click on a parameter: its line is in the legend": _parameter,
    "click on the regressions: they are listed": _regressions,
    "a search is typed: the others are gone": _search,
}


if __name__ == "__main__":
    main()
