"""A service of the tests that calls a host by httpx: as a program, or served by WSGI or ASGI."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import Any

import httpx
from prometheus_client import REGISTRY, generate_latest

from resilience_stack import ResilienceManager
from resilience_stack.integrations.httpx import AsyncGuardedTransport, GuardedTransport

MANAGER = ResilienceManager()
LIMITS = httpx.Timeout(60)
AT_ONCE = 4


def call_forever(url: str) -> None:
    """Call one after the other, until SIGTERM raises SystemExit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with httpx.Client(transport=GuardedTransport(MANAGER), timeout=LIMITS) as client:
        while True:
            client.get(url)
            time.sleep(0.001)


async def call_forever_async(url: str) -> None:
    """Call by four tasks at once, which SIGTERM cancels."""
    async with httpx.AsyncClient(
        transport=AsyncGuardedTransport(MANAGER), timeout=LIMITS
    ) as client:

        async def call() -> None:
            while True:
                await client.get(url)
                await asyncio.sleep(0.001)

        tasks = [asyncio.ensure_future(call()) for _ in range(AT_ONCE)]
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, lambda: [task.cancel() for task in tasks])
        await asyncio.gather(*tasks, return_exceptions=True)


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer a request with the body of the host whose port is the path."""
    with httpx.Client(transport=GuardedTransport(MANAGER), timeout=LIMITS) as client:
        body = client.get(f"http://127.0.0.1:{environ['PATH_INFO'][1:]}/").content
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Do the same for an ASGI server, and write the metrics when it shuts the application down."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            if event == "shutdown":
                MANAGER.flush_metrics()
            await send({"type": f"lifespan.{event}.complete"})
        return
    transport = AsyncGuardedTransport(MANAGER)
    async with httpx.AsyncClient(transport=transport, timeout=LIMITS) as client:
        body = (await client.get(f"http://127.0.0.1:{scope['path'][1:]}/")).content
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    kind, where = sys.argv[1:]
    try:
        if kind == "plain":
            call_forever(where)
        else:
            asyncio.run(call_forever_async(where))
    finally:
        sys.stdout.write(generate_latest(REGISTRY).decode())
