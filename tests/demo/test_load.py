"""The load: what is sent is fixed beforehand, and each request has one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from demo.load import KINDS, Load, Outcome, count_calls, count_kinds, find_quantile_ms

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n"


def make_outcome(*calls: str, status: int = 200, latency_s: float = 0.001) -> Outcome:
    """The outcome of a request."""
    return Outcome(0.0, latency_s, status, "", calls=calls)


async def send(handler: Handler, count: int, *, rate: float = 200, **options: int) -> Load:
    """Send at least so many requests to a server, and wait for their outcomes."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    load, is_over = Load(url, rate=rate, **options), asyncio.Event()
    running = asyncio.create_task(load.run(is_over))
    while load.sent + load.unsent < count:  # noqa: ASYNC110 - nobody tells when
        await asyncio.sleep(0.01)
    is_over.set()
    await running
    server.close()
    await server.wait_closed()
    return load


def test_two_loads_send_the_same_requests_in_the_same_order() -> None:
    """The seed decides what is sent; orders and reads are both in it."""
    seen: list[list[str]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen[-1].append((await reader.readline()).decode())
        while (await reader.readline()).strip():
            pass
        writer.write(HEAD + b"\r\n")
        await writer.drain()
        writer.close()

    for _ in range(2):
        seen.append([])
        asyncio.run(send(answer, 30, in_flight=1000))
    first, second = (sorted(lines[:20]) for lines in seen)
    assert first == second
    assert {line.split()[0] for line in seen[0]} == {"GET", "POST"}


def test_the_outcome_has_what_the_response_says() -> None:
    """The ID, the worker and the calls are those of the headers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = []
        while line := (await reader.readline()).strip():
            lines.append(line.lower())
        given = [line.split(b": ")[1] for line in lines if line.startswith(b"x-request-id")]
        writer.write(HEAD + b"X-Request-ID: " + (given or [b"made"])[0] + b"\r\n")
        writer.write(b"X-Worker: 7\r\nX-Calls: cache=miss,prices=stale\r\n\r\n")
        await writer.drain()
        writer.close()

    load = asyncio.run(send(answer, 60, in_flight=1000))
    assert len(load.outcomes) == load.sent >= 60
    for outcome in load.outcomes:
        assert outcome.request_id == (outcome.given_id or "made")
        assert (outcome.worker, outcome.kind, outcome.status) == ("7", "stale", 200)
        assert outcome.calls == ("cache=miss", "prices=stale")
    assert {bool(outcome.given_id) for outcome in load.outcomes} == {True, False}


def test_what_would_be_too_much_at_once_is_not_sent() -> None:
    """Requests that are due while as many as allowed are in flight are counted, not sent."""

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.0)
        writer.close()

    load = asyncio.run(send(hold, 20, in_flight=3))
    assert load.unsent > 0
    assert len(load.outcomes) == load.sent
    assert {(outcome.status, outcome.kind) for outcome in load.outcomes} == {(0, "failed")}


def test_a_load_that_is_behind_its_times_ends_all_the_same() -> None:
    """A machine that cannot send as fast as requests are due is never waiting when it is over."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        await writer.drain()
        writer.close()

    sending = send(answer, 20, rate=1e6, in_flight=3)
    load = asyncio.run(asyncio.wait_for(sending, timeout=60.0))
    assert load.sent >= 3
    assert len(load.outcomes) == load.sent


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (make_outcome("database=live", "prices=live"), "live"),
        (make_outcome("cache=miss", "cache=lost", "prices=live"), "live"),
        (make_outcome("database=stale", "prices=live"), "stale"),
        (make_outcome("database=stale", "prices=default"), "default"),
        (make_outcome("database=failed", status=503), "failed"),
        (make_outcome(status=0), "failed"),
    ],
)
def test_a_request_is_as_good_as_the_worst_in_its_answer(outcome: Outcome, kind: str) -> None:
    """A stale part makes a stale answer; an error of the server is no answer."""
    assert outcome.kind == kind
    assert count_kinds([outcome]) == {each: int(each == kind) for each in KINDS}


def test_calls_and_latencies_are_summed_up() -> None:
    """Each call counts once; a quantile is that of the requests there are."""
    outcomes = [make_outcome("a=live", "b=hit", latency_s=0.001 * each) for each in range(1, 101)]
    assert count_calls(outcomes) == {"a=live": 100, "b=hit": 100}
    assert find_quantile_ms(outcomes, 0.5) == pytest.approx(51)
    assert find_quantile_ms(outcomes, 1.0) == pytest.approx(100)
    assert find_quantile_ms([], 0.5) is None
