"""The application that each worker serves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.service.log import set_up_log
from demo.service.observer import Observer, Spans
from demo.service.settings import Settings
from demo.service.shop import Shop
from resilience_stack.edge.asgi import HealthApp, ResilienceMiddleware

METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def make_app() -> HealthApp:
    """Make the application, by the settings in the current folder."""
    set_up_log()
    settings = Settings.read()
    shop = Shop(settings)
    spans = Spans() if settings.spans_folder else None

    async def show_item(request: Request) -> Response:
        try:
            return JSONResponse(await shop.show(request.path_params["item_id"]))
        except LookupError as error:
            return JSONResponse({"detail": str(error)}, 404)

    async def order(request: Request) -> Response:
        return JSONResponse(await shop.order(request.path_params["item_id"]), 201)

    @contextlib.asynccontextmanager
    async def run_shop(_app: Starlette) -> AsyncIterator[None]:
        await shop.warm_up()
        yield
        if spans is not None:
            spans.write(settings.spans_folder)
        await shop.close()

    served = Starlette(
        routes=[
            Route("/items/{item_id:int}", show_item),
            Route("/orders/{item_id:int}", order, methods=["POST"]),
        ],
        middleware=[Middleware(Observer, spans=spans), Middleware(ResilienceMiddleware)],
        lifespan=run_shop,
    )
    # What watches the service is served before it: it is none of its requests.
    watched = Starlette(routes=[Route("/metrics", show_metrics)])
    watched.mount("/", served)
    watched.router.lifespan_context = served.router.lifespan_context
    return HealthApp(shop.manager, watched)


def show_metrics(_request: Request) -> Response:
    """Return the metrics of all workers; in a thread, because it reads files."""
    gathered = CollectorRegistry()
    MultiProcessCollector(gathered, path=os.environ[METRICS_FOLDER])  # type: ignore[no-untyped-call]
    return Response(generate_latest(gathered), media_type=CONTENT_TYPE_LATEST)
