"""Transports of httpx with a guard for each host around them."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self, cast

import httpx

from resilience_stack.core.manager import ResilienceManager
from resilience_stack.core.policy import Policy
from resilience_stack.integrations.httpx.hosts import Hosts
from resilience_stack.integrations.httpx.requests import (
    STREAM,
    explain,
    is_failed,
    is_repeatable,
    limit_request,
    pass_request_id_on,
    raise_if_failed,
    rebuild,
    refuse_late_answer,
)
from resilience_stack.integrations.httpx.settings import REPEATABLE, AnsweredError
from resilience_stack.integrations.httpx.settings import policy as make_policy

__all__ = ["AsyncGuardedTransport", "GuardedTransport"]

STANDARD: Final = make_policy()


class GuardedTransport(httpx.BaseTransport):
    """A transport of httpx that sends each request through the guard of its host.

    Errors of the connection, exceeded limits and responses of 500 and above are failures. The
    response of the last attempt is given to the caller, be it a failure or not; only what an open
    breaker refuses is an exception. Sent again is what changes no more when it is done twice
    (GET, HEAD, OPTIONS, TRACE, PUT, DELETE, and what has an ``Idempotency-Key``), and what never
    reached the host; never a body that cannot be read twice.

    A response is read to its end within the guard, so that a body that breaks off is a failure
    too. A request with the extension ``{"resilience_stream": True}`` is guarded up to its body.
    """

    def __init__(
        self,
        manager: ResilienceManager,
        transport: httpx.BaseTransport | None = None,
        *,
        policy: Policy = STANDARD,
        name: str = "http",
        max_hosts: int = 100,
    ) -> None:
        """Put guards around a transport.

        Args:
            manager: Holds the guards; each is called like "http api.example.com".
            transport: What sends the requests; by default httpx's own, without its retries.
            policy: That of each guard.
            name: What their names begin with.
            max_hosts: So many hosts get a guard of their own; all further ones share one.

        Raises:
            ValueError: If ``max_hosts`` is less than 1, or the name is unfit.
            TypeError: If an argument is of another type.
        """
        self._transport = transport or httpx.HTTPTransport()
        self._hosts = Hosts(manager, policy, name, max_hosts)

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._transport.__exit__(kind, error, trace)

    def close(self) -> None:
        """Close the transport inside."""
        self._transport.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request through the guard of its host.

        Raises:
            CircuitBreakerError: If the breaker of the host is open: nothing was sent.
            BulkheadFullError: If too many requests to it are in flight; likewise.
            TransportError: The last attempt's own.
        """
        guard = self._hosts.find(request.url)
        pass_request_id_on(request)
        extensions = request.extensions
        try:
            return guard.call(self._send, request, extensions.get("timeout", {}))
        except AnsweredError as error:
            return error.response
        finally:
            request.extensions = extensions

    def _send(self, request: httpx.Request, limits: dict[str, Any]) -> httpx.Response:
        limit_request(request, limits)
        try:
            response = self._transport.handle_request(request)
            if request.extensions.get(STREAM) and not is_failed(response):
                return response
            response = self._read(request, response)
            raise_if_failed(response)
        except Exception as error:
            explain(request, error)
            raise
        return response

    def _read(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        stream = cast("httpx.SyncByteStream", response.stream)
        parts = []
        try:
            for part in stream:
                parts.append(part)
                refuse_late_answer(request)
        finally:
            stream.close()
        return rebuild(response, b"".join(parts))


class AsyncGuardedTransport(httpx.AsyncBaseTransport):
    """The same for coroutines; limits of the guard cancel what takes too long."""

    def __init__(
        self,
        manager: ResilienceManager,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        policy: Policy = STANDARD,
        name: str = "http",
        max_hosts: int = 100,
    ) -> None:
        """Put guards around a transport, see `GuardedTransport`."""
        self._transport = transport or httpx.AsyncHTTPTransport()
        self._hosts = Hosts(manager, policy, name, max_hosts)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def aclose(self) -> None:
        """Close the transport inside."""
        await self._transport.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request through the guard of its host, see `GuardedTransport.handle_request`."""
        guard = self._hosts.find(request.url)
        pass_request_id_on(request)
        extensions = request.extensions
        token = REPEATABLE.set(is_repeatable(request))
        try:
            return await guard.call_async(self._send, request, extensions.get("timeout", {}))
        except AnsweredError as error:
            return error.response
        finally:
            request.extensions = extensions
            REPEATABLE.reset(token)

    async def _send(self, request: httpx.Request, limits: dict[str, Any]) -> httpx.Response:
        limit_request(request, limits)
        try:
            response = await self._transport.handle_async_request(request)
            if request.extensions.get(STREAM) and not is_failed(response):
                return response
            response = await self._read(response)
            raise_if_failed(response)
        except Exception as error:
            explain(request, error)
            raise
        return response

    async def _read(self, response: httpx.Response) -> httpx.Response:
        stream = cast("httpx.AsyncByteStream", response.stream)
        try:
            parts = [part async for part in stream]
        finally:
            await stream.aclose()
        return rebuild(response, b"".join(parts))
