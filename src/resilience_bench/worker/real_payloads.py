"""Payloads that do real work: opened once a worker, shared by bare and guarded calls."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType, TracebackType
from typing import Any

from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.loads import PAYLOADS
from resilience_bench.scenarios.payload_definition import Payload, ServerAddress
from resilience_bench.worker.operations import (
    NotCallableError,
    NotInstalledError,
    ensure_callable,
    ensure_installed,
    open_made,
)
from resilience_bench.worker.protocol import Plan


class PayloadFailedError(Exception):
    """A payload cannot be used; the text says what it did."""


class DishonestPayloadError(PayloadFailedError):
    """A payload does not return what it must: no guarded call could be verified."""


@dataclass(frozen=True, slots=True)
class _Opened:
    work: Callable[[], Any]
    answer: object


class RealPayloads(contextlib.AbstractContextManager["RealPayloads"]):
    """The real payloads of a worker, each opened when a case first needs it.

    Bare and guarded calls of all cases share its work, and so its connections.
    """

    def __init__(self, servers: Mapping[str, str], runner: asyncio.Runner) -> None:
        """Open nothing yet.

        Args:
            servers: The addresses of the servers that run, by name, as `ServerAddress.to_json`.
            runner: The event loop of payloads that are coroutine functions.
        """
        self._servers = servers
        self._runner = runner
        self._opened: dict[tuple[str, bool], _Opened | Exception] = {}
        self._stack = contextlib.ExitStack()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close everything that was opened."""
        with contextlib.suppress(Exception):  # a server that is gone says no goodbye
            self._stack.__exit__(kind, error, trace)

    def attach(self, bound: BoundCase) -> BoundCase:
        """Return the case with its server, and with the work of its payload if that is real.

        NotInstalledError if a driver is missing; PayloadFailedError if opening it or one of two
        bare calls fails; DishonestPayloadError if these return what they should not;
        NotCallableError if it made nothing to call.
        """
        if address := self._servers.get(bound.scenario.server):
            bound = replace(bound, server=ServerAddress.from_json(address))
        payload = bound.real_payload
        if payload is None:
            return bound
        key = (payload.name, payload.is_async)
        if key not in self._opened:
            self._opened[key] = self._try_to_open(payload)
        opened = self._opened[key]
        if isinstance(opened, Exception):
            raise opened
        return replace(bound, work=opened.work, answer=opened.answer)

    def _try_to_open(self, payload: Payload) -> _Opened | Exception:
        try:
            for distribution in payload.distributions:
                ensure_installed(distribution)
            address = self._servers.get(payload.server)
            server = ServerAddress.from_json(address) if address else None
            made = open_made(payload.make(server), self._runner)
            built = self._stack.enter_context(made)
            ensure_callable(built, f"its payload {payload.name}")
            work = _make_function(built, is_async=payload.is_async)
            answers = [self._call(work, payload) for _ in range(2)]
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            if isinstance(error, NotInstalledError | NotCallableError):
                return error
            return PayloadFailedError(
                f"its payload {payload.name} raised {type(error).__name__}: {error}"
            )
        if reason := _find_dishonesty(payload, *answers):
            return DishonestPayloadError(f"its payload {payload.name} {reason}")
        return _Opened(work, answers[0])

    def _call(self, work: Callable[[], Any], payload: Payload) -> object:
        return self._runner.run(work()) if payload.is_async else work()


def _find_dishonesty(payload: Payload, first: object, second: object) -> str:
    if payload.returns is not None and first != payload.returns:
        return f"returned {_shorten(first)}; expected {_shorten(payload.returns)}"
    if first != second:
        return (
            f"returned {_shorten(first)}, then {_shorten(second)}; expected the same twice: "
            "otherwise no guarded call can be verified"
        )
    return ""


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line of it


def _make_function(work: Callable[[], Any], *, is_async: bool) -> Callable[[], Any]:
    """Return work as a function: guards look at names, and ask whether it is a coroutine's."""
    if isinstance(work, FunctionType) and inspect.iscoroutinefunction(work) is is_async:
        return work

    def payload() -> Any:
        return work()

    async def payload_async() -> Any:
        return await work()

    return payload_async if is_async else payload


def find_builtin_payloads(plan: Plan) -> Sequence[Payload]:
    """Return the payloads of this package if the plan may need one; importing them takes time."""
    used = {payload for _name, _base, _load, payload in plan.under}
    if plan.action != "discover" and used <= set(PAYLOADS):
        return ()
    from resilience_bench.payloads.builtin import BUILTIN_PAYLOADS  # noqa: PLC0415 - see above

    return BUILTIN_PAYLOADS
