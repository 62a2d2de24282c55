"""The application of the page: its document, what it shows, and its buttons."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from demo.stage import Stage
from demo.watch import Watch
from resilience_bench.servers.kept_server import ServerFailedError

DOCUMENT: Final = Path(__file__).with_name("page.html")
OWN_HEADER: Final = "X-Demo"
"""Only the page itself can send it: what another page of the browser asks for is refused."""
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
)


def make_page(stage: Stage, watch: Watch) -> Starlette:
    """Make the application of the page of a stage."""
    lock = asyncio.Lock()

    def show(_request: Request) -> Response:
        text = DOCUMENT.read_text(encoding="utf-8")
        return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})

    async def show_state(_request: Request) -> Response:
        return JSONResponse(watch.describe(), headers={"Cache-Control": "no-store"})

    async def press(request: Request) -> Response:
        if OWN_HEADER not in request.headers:
            return JSONResponse({"detail": f"{OWN_HEADER} is missing"}, 403)
        dependency = stage.dependencies.get(request.path_params["name"])
        way = request.path_params["way"]
        if dependency is None or way not in (*dependency.ways, "heal"):
            return JSONResponse({"detail": "there is no such button"}, 404)
        async with lock:
            try:
                if way == "heal":
                    await asyncio.to_thread(dependency.heal)
                else:
                    await asyncio.to_thread(dependency.damage, way)
            except ServerFailedError as error:
                watch.note(f"{dependency.title} {error}")
                return JSONResponse({"detail": str(error)}, 503)
        watch.note(f"{dependency.title}: {way}")
        return JSONResponse({"broken": dependency.broken})

    return Starlette(
        routes=[
            Route("/", show),
            Route("/state", show_state),
            Route("/press/{name}/{way}", press, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )
