"""The page of the demo in the browser: break, see it, heal, see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE, visit
from tests.demo.programs import ALONE, start_demo
from tests.servers.leftovers import need


@pytest.fixture(scope="module")
def home() -> Iterator[str]:
    """The page of a demo with Redis and SQLite."""
    need("redis")
    with start_demo(*ALONE[2:]) as (_, address):
        yield address


def press(page: Any, name: str) -> None:
    """Press a button."""
    page.get_by_role("button", name=name, exact=True).click()


def find_state(page: Any, guard: str, state: str) -> Any:
    """The cell of a guard's breaker while it is in this state."""
    return page.locator(f"tr[data-guard={guard}] td.{state}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_break_is_seen_and_so_is_the_recovery(chromium: Any, home: str, scheme: str) -> None:
    """A killed Redis opens its breaker, which closes when it is back; both are events."""
    with visit(chromium, home, DESKTOP, scheme) as seen:
        page = seen.page
        page.goto(home)
        find_state(page, "cache", "closed").wait_for()
        press(page, "kill Redis")
        page.get_by_text("Redis (guard cache): kill").wait_for()
        find_state(page, "cache", "open").or_(find_state(page, "cache", "half-open")).wait_for()
        page.get_by_text(re.compile(r"cache: closed → open")).first.wait_for()
        seen.keep(f"demo-broken-{scheme}")
        press(page, "heal Redis")
        page.get_by_text("Redis (guard cache): whole").wait_for()
        find_state(page, "cache", "closed").wait_for()
        page.get_by_text(re.compile(r"cache: half-open → closed")).first.wait_for()
        seen.assert_clean()


def test_stale_answers_are_seen_while_the_database_is_locked(chromium: Any, home: str) -> None:
    """The answers turn stale, the guard says so, and buttons that make no sense are off."""
    with visit(chromium, home) as seen:
        page = seen.page
        page.goto(home)
        assert page.get_by_role("button", name="kill SQLite", exact=True).is_disabled()
        find_state(page, "database", "closed").wait_for()
        press(page, "freeze SQLite")
        page.locator(".key.stale:not([data-count='0'])").wait_for()
        page.get_by_text(re.compile(r"database: closed → open")).first.wait_for()
        press(page, "heal SQLite")
        find_state(page, "database", "closed").wait_for()
        page.get_by_text(re.compile(r"PostgreSQL|postgresql")).first.wait_for()
        seen.assert_clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(chromium: Any, home: str, scheme: str) -> None:
    """Nothing is wider than a phone, and no table is cut off."""
    with visit(chromium, home, PHONE, scheme) as seen:
        seen.page.goto(home)
        find_state(seen.page, "cache", "closed").wait_for()
        assert seen.overflow() == 0
        assert seen.clipped_tables() == []
        seen.keep(f"demo-phone-{scheme}", full_page=True)
        seen.assert_clean()


def test_a_service_cannot_put_markup_into_the_page(chromium: Any, home: str) -> None:
    """Names of guards, dependencies, alerts and events are shown as they are, as text."""
    odd = "<img src=x onerror=alert(1)>"
    state = {
        "seconds": [{"live": 1, "stale": 0, "default": 0, "failed": 0}],
        "sent": 1,
        "p50_ms": 1.0,
        "p99_ms": None,
        "guards": [{"name": odd, "state": "open", "calls": {}}],
        "dependencies": [{"name": "a", "title": odd, "ways": [], "broken": ""}],
        "events": [{"at_s": 0, "text": odd, "kind": "alert"}],
        "alerts": [{"name": odd, "guard": odd, "state": "firing"}],
        "prometheus": "",
        "missing": {"a": odd},
        "gone": [odd],
    }
    with visit(chromium, home) as seen:
        seen.page.route("**/state", lambda route: route.fulfill(json=state))
        seen.page.goto(home)
        seen.page.locator("tr[data-guard]").wait_for()
        assert seen.page.locator("img").count() == 0
        assert seen.page.get_by_text(odd).count() >= 6
        seen.assert_clean()
