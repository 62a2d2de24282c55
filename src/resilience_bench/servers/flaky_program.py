"""The program of ``flaky-redis``: it starts a server, and stands between that and its callers.

Its control port sets how it behaves, a word and a delay in seconds a line; the answer is
how many calls have reached it until then. A call has reached it when its first bytes have arrived,
or when its connection was refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Final, Literal, cast, get_args

from resilience_bench.servers.keeper import make_dying_with_parent

Mode = Literal["healthy", "slow", "refusing", "frozen"]
MODES: Final = get_args(Mode)
BACKLOG: Final = 512
RESET: Final = struct.pack("ii", 1, 0)
"""A socket that lingers for 0 s is reset instead of closed."""
RETRY_S: Final = 0.01


class Dependency:
    """How the dependency behaves at the moment, and what has reached it."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.mode: Mode = "healthy"
        self.delay_s = 0.0
        self.reached = 0
        self.callers: set[Caller] = set()

    def behave(self, mode: Mode, delay_s: float) -> int:
        """Behave so from now on; return how many calls have reached it before."""
        reached, self.mode, self.delay_s = self.reached, mode, delay_s
        for caller in tuple(self.callers):
            caller.notice_change()
        return reached


class Caller(asyncio.Protocol):
    """The connection of a caller, with its twin to the server."""

    def __init__(self, dependency: Dependency) -> None:
        self._dependency = dependency
        self._awaits_call = True
        self._held: list[Callable[[], None]] = []
        self._upstream: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse the caller, or connect to the server."""
        self.transport = cast("asyncio.Transport", transport)
        if self._dependency.mode == "refusing":
            self._dependency.reached += 1
            self._reset()
            return
        self._dependency.callers.add(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def notice_change(self) -> None:
        """Act on another behaviour of the dependency."""
        if self._dependency.mode == "refusing":
            self._reset()
        elif self._dependency.mode != "frozen":
            held, self._held = self._held, []
            for send in held:
                send()

    async def _connect(self) -> None:
        loop, dependency = asyncio.get_running_loop(), self._dependency
        try:
            connection = loop.create_connection(
                lambda: _Answers(self), dependency.host, dependency.port
            )
            self._upstream, _ = await connection
        except OSError:
            self._reset()
            return
        if self.transport.is_closing():
            self._upstream.abort()
        self.notice_change()

    def data_received(self, data: bytes) -> None:
        """Count a call at its first bytes, and pass it on; a frozen server does not read it."""
        if self._awaits_call:
            self._awaits_call = False
            self._dependency.reached += 1

        def send() -> None:
            if self._upstream is not None:
                self._upstream.write(data)

        self._pass_on(send)

    def answer(self, data: bytes) -> None:
        """Pass an answer on: late from a slow server, never from a frozen one."""
        self._awaits_call = True
        if self._dependency.mode == "slow":
            loop = asyncio.get_running_loop()
            loop.call_later(self._dependency.delay_s, self._pass_on, self._make_answer(data))
        else:
            self._pass_on(self._make_answer(data))

    def _make_answer(self, data: bytes) -> Callable[[], None]:
        return lambda: self.transport.write(data)

    def _pass_on(self, send: Callable[[], None]) -> None:
        def send_if_open() -> None:
            if not self.transport.is_closing():
                send()

        if self._dependency.mode == "frozen" or self._upstream is None:
            self._held.append(send_if_open)
        else:
            send_if_open()

    def connection_lost(self, error: Exception | None) -> None:
        """Give up the connection to the server as well."""
        del error
        self._dependency.callers.discard(self)
        if self._upstream is not None:
            self._upstream.abort()

    def close(self) -> None:
        """Close the connection of the caller: that to the server has ended."""
        self.transport.close()

    def _reset(self) -> None:
        connection = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


class _Answers(asyncio.Protocol):
    """The connection to the server on behalf of a caller."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def data_received(self, data: bytes) -> None:
        self._caller.answer(data)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._caller.close()


async def _control(
    dependency: Dependency, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(OSError):
        async for line in reader:
            mode, delay_s = line.decode().split()
            if mode not in MODES:
                break
            reached = dependency.behave(cast("Mode", mode), float(delay_s))
            await asyncio.sleep(0)  # whoever is reset is so before the answer
            writer.write(f"{reached}\n".encode())
        writer.close()


async def serve(host: str, port: int, control_port: int, server_port: int, *command: str) -> int:
    """Start the server, and stand before it until it ends.

    Returns:
        Its exit code.
    """
    dying = make_dying_with_parent(signal.SIGKILL)
    server = await asyncio.create_subprocess_exec(*command, preexec_fn=dying)
    while server.returncode is None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, server_port)
            writer.close()
            break
        await asyncio.sleep(RETRY_S)
    loop, dependency = asyncio.get_running_loop(), Dependency(host, server_port)
    await asyncio.start_server(
        lambda reader, writer: _control(dependency, reader, writer), host, control_port
    )
    await loop.create_server(lambda: Caller(dependency), host, port, backlog=BACKLOG)
    return await server.wait()


def main() -> None:
    """Serve as the command line says: host, port, control port, port and command of the server."""
    host, *numbers = sys.argv[1:5]
    code = asyncio.run(serve(host, *map(int, numbers), *sys.argv[5:]))  # type: ignore[arg-type]
    sys.exit(f"the server behind the proxy ended with exit code {code}")
