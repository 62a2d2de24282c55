"""Payloads that do real work: the decorator, and the address of a server that they call."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, overload

from resilience_bench._model import RealPayload
from resilience_bench.scenarios.loads import PAYLOADS, is_load

SERVERS: Final = ("flaky-redis", "folder", "http", "postgres", "redis")
"""What the suite can start for a payload; ``folder`` is an empty temporary folder."""
ASYNC_PREFIX: Final = "async_"
BUILTIN: Final = "resilience_bench.payloads."
"""How the names of the modules with the payloads of this package begin."""
Payloads = Mapping[tuple[str, bool], "Payload"]
"""Payloads by their name and whether they are for coroutines."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server that the suite started listens.

    Attributes:
        folder: A folder of this server alone; that of PostgreSQL has its Unix socket.
        host: The loopback address; empty for ``folder``.
        port: The TCP port; 0 for ``folder``.
        user: Who logs in at PostgreSQL.
        password: What PostgreSQL expects over TCP.
        control_port: The port that sets how ``flaky-redis`` behaves; 0 for all others.
    """

    folder: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    control_port: int = 0

    def to_json(self) -> str:
        """Return the address as text, for a plan."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServerAddress:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Payload:
    """A registered payload: the function that makes the work, and what it needs.

    ``returns`` is what each run returns, or None if any value is accepted.
    """

    function: Callable[..., Any]
    server: str = ""
    distributions: tuple[str, ...] = ()
    returns: object = None

    @property
    def is_async(self) -> bool:
        """Whether the work is a coroutine function: the payload is ``async def``."""
        function = self.function
        return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)

    @property
    def name(self) -> str:
        """The name in cases: that of the function, written with hyphens."""
        name = self.function.__name__
        return (name.removeprefix(ASYNC_PREFIX) if self.is_async else name).replace("_", "-")

    @property
    def needs(self) -> RealPayload:
        """What must be there before it can run."""
        is_builtin = self.function.__module__.startswith(BUILTIN)
        path = "" if is_builtin else self.function.__code__.co_filename
        return RealPayload(self.name, self.server, self.distributions, path)

    def make(self, server: ServerAddress | None) -> Any:
        """Call the function, with the address of its server if it takes one."""
        takes_server = bool(inspect.signature(self.function).parameters)
        return self.function(server) if takes_server else self.function()


@overload
def payload(function: Callable[..., Any]) -> Payload: ...


@overload
def payload(
    *, server: str | None = None, distributions: Iterable[str] = (), returns: object = None
) -> Callable[[Callable[..., Any]], Payload]: ...


def payload(
    function: Callable[..., Any] | None = None,
    *,
    server: str | None = None,
    distributions: Iterable[str] = (),
    returns: object = None,
) -> Payload | Callable[[Callable[..., Any]], Payload]:
    """Register a function that makes the work of a payload.

    The function may take ``server``, a `ServerAddress`. It returns the work, a callable without
    arguments, or yields it and tidies up afterwards. An ``async def`` function makes a coroutine
    function; its name may begin with ``async_``, which is no part of the payload's name.

    Args:
        function: The decorated function, if the decorator is used without arguments.
        server: One of `SERVERS`, which the suite starts once a run; default: none.
        distributions: What must be installed.
        returns: What each run must return; default: any value, as long as it is the same one.

    Raises:
        TypeError: If the definition contradicts itself.
    """

    def register(maker: Callable[..., Any]) -> Payload:
        registered = Payload(maker, server or "", tuple(distributions), returns)
        if contradiction := _find_contradiction(registered):
            raise TypeError(f"payload {maker.__qualname__}{contradiction}")
        return registered

    return register if function is None else register(function)


def _find_contradiction(registered: Payload) -> str:
    wanted = set(inspect.signature(registered.function).parameters)
    if unknown := wanted - {"server"}:
        return f" takes {', '.join(sorted(unknown))}; a payload may take 'server' only"
    if problem := find_server_problem(registered.server, "payload", takes=bool(wanted)):
        return problem
    if registered.name in PAYLOADS or is_load(registered.name):
        return f": {registered.name!r} already has a meaning in the names of cases; rename it"
    return ""


def find_server_problem(server: str, decorator: str, *, takes: bool) -> str:
    """Return what is wrong with the server of a definition, which may be taken as an argument."""
    if takes and not server:
        return f" takes 'server', but @{decorator}(server=...) names none"
    if server and server not in SERVERS:
        return f": server is {server!r}, expected one of {', '.join(SERVERS)}"
    return ""


def register_payloads(known: Payloads, found: Iterable[Payload]) -> dict[tuple[str, bool], Payload]:
    """Return the payloads with others; TypeError if two have the same name."""
    registered = dict(known)
    for one in found:
        other = registered.setdefault((one.name, one.is_async), one)
        if other is not one:
            raise TypeError(
                f"payload {one.name} is also defined by {other.function.__module__}; rename one"
            )
    return registered
