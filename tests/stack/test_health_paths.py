"""Where the health endpoints are, under which mounts, and what else a server asks of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from resilience_stack.edge import asgi
from resilience_stack.edge.health import HealthPaths
from tests.stack.bench import Bench


def ask(app: Any, scope: dict[str, Any], *received: str) -> list[dict[str, Any]]:
    """What an application sends in a scope in which it receives these messages."""
    sent: list[dict[str, Any]] = []
    messages = iter(received)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": next(messages)}

    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("root", "path", "status"),
    [
        ("", "/livez", 200),
        ("/", "/livez", 200),
        ("/live", "/livez", 200),
        ("/livez", "/livez", 200),
        ("/api", "/api/livez", 200),
        ("/api/", "/api/livez", 200),
        ("/api", "/livez", 200),
        ("/api", "/apilivez", 404),
        ("", "/livez/", 404),
        ("", "//livez", 404),
        ("", "", 404),
    ],
)
def test_a_mount_is_taken_off_the_path(bench: Bench, root: str, path: str, status: int) -> None:
    """Only where it is a folder of the path; servers differ in whether it is in it."""
    scope = {"type": "http", "method": "GET", "root_path": root, "path": path}
    assert ask(asgi.HealthApp(bench.manager), scope)[0]["status"] == status


def test_a_server_may_start_and_stop_it(bench: Bench) -> None:
    """There is nothing to do; a server that insists on an answer gets one."""
    app = asgi.HealthApp(bench.manager)
    sent = ask(app, {"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown")
    assert [each["type"] for each in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_it_takes_no_websocket(bench: Bench) -> None:
    """One is closed, in the messages of WebSockets."""
    app = asgi.HealthApp(bench.manager)
    sent = ask(app, {"type": "websocket", "path": "/livez"}, "websocket.connect")
    assert sent == [{"type": "websocket.close"}]


@pytest.mark.parametrize(
    "paths", [{"live": "livez"}, {"ready": ""}, {"live": None}, {"live": "/x", "ready": "/x"}]
)
def test_paths_that_nobody_can_ask_for_are_refused(paths: dict[str, Any]) -> None:
    """When they are set, with the field and the value."""
    with pytest.raises((TypeError, ValueError), match=r"HealthPaths\.\w+ is .*expected"):
        HealthPaths(**paths)
