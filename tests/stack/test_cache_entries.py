"""What a read-through keeps: a value with its time, used within its bounds and never past them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_stack.integrations.redis import entries
from resilience_stack.integrations.redis.clients import is_repeatable
from resilience_stack.integrations.redis.entries import Codec, Entry, Times

NOW_S = 1_800_000_000.0
SECONDS = st.floats(0.001, 1e6)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)


@given(ttl_s=SECONDS, stale_s=SECONDS, age_s=st.floats(-1e6, 3e6))
def test_stale_value_is_never_older_than_its_bound(
    ttl_s: float, stale_s: float, age_s: float
) -> None:
    """It is fresh up to its time, stale up to its bound, and nothing after that."""
    times = Times(ttl_s, stale_s, wait_s=0, lock_s=1)
    entry = Entry("value", NOW_S - age_s)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries.time, "time", lambda: NOW_S)
        stale, is_fresh = times.make_stale(entry), times.is_fresh(entry)
        real_age_s = entry.age_s()
    assert real_age_s >= 0
    assert is_fresh == (real_age_s <= ttl_s)
    assert (stale is not None) == (real_age_s <= ttl_s + stale_s)
    assert stale is None or stale.age_s == real_age_s


@given(value=JSON, made_s=st.floats(0, 1e10))
def test_values_come_back_with_their_time(value: Any, made_s: float) -> None:
    """What is kept is what was given, to the millisecond."""
    codec = Codec(json.dumps, json.loads)
    found = codec.unpack(codec.pack(Entry(value, made_s)))
    assert found is not None
    assert found.value == value
    assert found.made_s == pytest.approx(made_s, abs=0.001)


@given(raw=st.binary() | st.text().map(str.encode))
def test_whatever_else_is_there_is_a_miss(raw: bytes) -> None:
    """Bytes of other programs make no exception and no value."""
    codec = Codec(json.dumps, json.loads)
    assert codec.unpack(raw) is None
    for made in (b"nan", b"inf", b"-inf", b"then"):
        assert codec.unpack(b"resilience1 " + made + b" 1") is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("GET", "key"), True),
        (("get", "key"), True),
        (("SET", "key", "value", "PX", 1000), True),
        (("SET", "key", "value", "NX"), False),
        (("SET", "key", "value", "get"), False),
        (("ZADD", "key", "INCR", 1, "member"), False),
        (("EXPIRE", "key", 1, "GT"), False),
        (("INCR", "key"), False),
        (("EVAL", "return 1", 0), False),
    ],
)
def test_repeatable_commands(command: tuple[Any, ...], expected: bool) -> None:  # noqa: FBT001
    """Only what changes no more when it is done twice is sent again."""
    assert is_repeatable(command) is expected
