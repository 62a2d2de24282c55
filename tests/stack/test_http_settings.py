"""Transports that cannot work are refused; requests that cannot be sent are tried once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from resilience_stack.integrations.httpx import AsyncGuardedTransport, GuardedTransport, policy
from tests.stack.bench import Bench

KINDS = pytest.mark.parametrize("kind", [GuardedTransport, AsyncGuardedTransport])


@pytest.mark.parametrize("error", [httpx.UnsupportedProtocol, httpx.LocalProtocolError])
def test_a_request_that_cannot_be_sent_is_tried_once(
    bench: Bench, error: type[httpx.TransportError]
) -> None:
    """It is the caller's mistake: the next attempt would end in it, too."""
    attempts: list[str] = []

    def fail(request: httpx.Request) -> httpx.Response:
        attempts.append(request.method)
        raise error("no such protocol")

    transport = GuardedTransport(bench.manager, httpx.MockTransport(fail), policy=policy())
    with httpx.Client(transport=transport) as client, pytest.raises(error):
        client.get("http://host/")
    assert attempts == ["GET"]
    assert bench.calls("http host") == (1, 0, 0)


@KINDS
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"policy": None}, "policy is None, expected a Policy"),
        ({"name": ""}, "name is empty"),
        ({"name": 5}, "name is 5"),
        ({"max_hosts": True}, "max_hosts is True"),
    ],
)
def test_a_setting_of_another_type_is_refused(
    bench: Bench, kind: type, settings: dict[str, Any], said: str
) -> None:
    """When the transport is made, not at the first request."""
    with pytest.raises((TypeError, ValueError), match=said):
        kind(bench.manager, **settings)


@KINDS
def test_what_is_no_manager_is_refused(kind: type) -> None:
    """Likewise."""
    with pytest.raises(TypeError, match="manager is None, expected a ResilienceManager"):
        kind(None)
