"""What a response asks to wait: seconds or a date of any age and form, and nothing that raises."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resilience_stack.integrations.httpx.requests import read_retry_after


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows another time than that of dates in headers."""
    monkeypatch.setenv("TZ", "XXX-11")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def read(text: str) -> float | None:
    """Read a header."""
    return read_retry_after(httpx.Response(503, headers=[(b"Retry-After", text.encode())]))


@pytest.mark.usefixtures("far_from_greenwich")
@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_a_date_is_in_gmt_in_each_of_its_forms(form: str) -> None:
    """Recipients have to read the old one as well, which does not say so."""
    text = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)).strftime(form)
    assert 90 < (read(text) or 0) <= 100


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "nan", "inf", "+5", "5, 6", "0x10", "٣", "Mon, 01 Jan 99999 00:00:00"]
)
def test_what_is_neither_is_not_waited_for(text: str) -> None:
    """Nor is it an error."""
    assert read(text) is None


DATES = st.datetimes().map(lambda moment: format_datetime(moment.replace(tzinfo=dt.UTC)))


@given(st.one_of(st.text("Wed, 21OctGMT:+-0123456789"), DATES), st.integers(), st.integers(0, 30))
@example("Wed, 21 Oct 2015 07:28:00 +", 99999999999999999, 27)
def test_no_header_of_another_host_raises(text: str, number: int, place: int) -> None:
    """Whatever it is, with whatever number in it: seconds of 0 or more, or None."""
    seconds = read(f"{text[:place]}{number}{text[place:]}")
    assert seconds is None or seconds >= 0
