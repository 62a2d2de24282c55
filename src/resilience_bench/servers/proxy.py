"""A TCP proxy that passes through, delays, cuts, truncates and freezes on command."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

__all__ = ["Proxy"]

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
CHUNK = 65536
PATIENCE_S = 60.0

End = Literal["reset", "close", "silence"]


@dataclass
class _Fault:
    """Answers that are cut off: after how many bytes, and how many of them."""

    after_bytes: int
    end: End
    times: int


class _Connection:
    """Both sides of one connection, and how much of an answer the client may still get."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.task: asyncio.Task[None] | None = None
        self.writers: list[asyncio.StreamWriter] = []
        self.fault: _Fault | None = None
        self.left_bytes = 0
        self.is_silent = False
        self._is_reset = False

    def reset(self) -> None:
        """Close both sides at once: the client gets a reset."""
        self._is_reset = True
        if self.task is not None:
            self.task.cancel()

    def close(self) -> None:
        """Close both sides, as the connection ended: after what was sent, or at once."""
        if self._is_reset and self.client.fileno() >= 0:
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        for writer in self.writers:
            if self._is_reset:
                writer.transport.abort()
            else:
                writer.close()
        if not self.writers:
            self.client.close()


class Proxy:
    """Stands between a client and a server on 127.0.0.1, in a thread of its own.

    Each command holds when its method returns. Use it as a context manager.

    Attributes:
        port: Where it listens.
        connections: How many connections it has accepted so far.
        bytes_to_server: How many bytes it has passed on to the server.
        bytes_to_client: How many bytes it has passed on to clients.
    """

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.connections = 0
        self.bytes_to_server = 0
        self.bytes_to_client = 0
        self._server_port = server_port
        self._delay_s = 0.0
        self._fault: _Fault | None = None
        self._open: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._listener: socket.socket | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *raised: object) -> None:
        self._run(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    @property
    def open_connections(self) -> int:
        """How many connections are open at the moment."""
        return len(self._open)

    def pass_through(self) -> None:
        """Do nothing but pass on, from now on; what is frozen goes on."""
        self._run(self._pass_through)

    def delay(self, seconds: float) -> None:
        """Wait so long before each part of an answer is passed on."""
        self._run(lambda: setattr(self, "_delay_s", seconds))

    def cut(self, after_bytes: int = 0, times: int = 1) -> None:
        """Reset connections after so many bytes of their next answers; so many, then pass on."""
        self._set_fault(after_bytes, "reset", times)

    def truncate(self, after_bytes: int = 0, times: int = 1, *, silently: bool = False) -> None:
        """End the next answers after so many bytes, in order; or silently, without closing."""
        self._set_fault(after_bytes, "silence" if silently else "close", times)

    def freeze(self) -> None:
        """Pass nothing on until `thaw`; connections are still accepted."""
        self._run(self._thawed.clear)

    def thaw(self) -> None:
        """Pass on again, what has come meanwhile as well."""
        self._run(self._thawed.set)

    def reset_all(self) -> None:
        """Reset all connections that are open."""
        self._run(self._reset_all)

    def refuse(self) -> None:
        """Accept no more connections until `listen`: connecting is refused. Reset open ones."""
        self._run(self._refuse)

    def lead_to(self, server_port: int) -> None:
        """Connect to the server on this port from the next connection on."""
        self._run(lambda: setattr(self, "_server_port", server_port))

    def listen(self) -> None:
        """Accept connections, on the same port as before; nothing changes if it does already."""
        self._run(self._listen)

    def _run(self, command: Callable[[], object]) -> None:
        async def obey() -> None:
            if asyncio.iscoroutine(result := command()):
                await result

        asyncio.run_coroutine_threadsafe(obey(), self._loop).result(PATIENCE_S)

    def _set_fault(self, after_bytes: int, end: End, times: int) -> None:
        self._run(lambda: setattr(self, "_fault", _Fault(after_bytes, end, times)))

    def _pass_through(self) -> None:
        self._delay_s = 0.0
        self._fault = None
        self._thawed.set()

    def _reset_all(self) -> None:
        for connection in self._open:
            connection.reset()

    def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self._reset_all()

    def _listen(self) -> None:
        if self._listener is not None:
            return
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=2048)
        self._listener.settimeout(0)
        self.port = self._listener.getsockname()[1]
        self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        client.settimeout(0)
        self.connections += 1
        connection = _Connection(client)
        self._open.add(connection)
        connection.task = self._loop.create_task(self._serve(connection))
        # A task that is cancelled before its first step has no other end than this one.
        connection.task.add_done_callback(lambda _task: self._end(connection))

    def _end(self, connection: _Connection) -> None:
        connection.close()
        self._open.discard(connection)

    async def _stop(self) -> None:
        self._refuse()
        self._thawed.set()
        tasks = [connection.task for connection in self._open if connection.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(5):  # what was aborted is closed in the next turns of the loop
            await asyncio.sleep(0)

    async def _serve(self, connection: _Connection) -> None:
        try:
            requests, client = await asyncio.open_connection(sock=connection.client)
            connection.writers.append(client)
            await self._thawed.wait()
            answers, server = await asyncio.open_connection("127.0.0.1", self._server_port)
            connection.writers.append(server)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump_requests(requests, server))
                group.create_task(self._pump_answers(answers, client, connection))
        except (OSError, ExceptionGroup):
            connection.reset()

    async def _pump_requests(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK):
            await self._thawed.wait()
            server.write(data)
            await server.drain()
            self.bytes_to_server += len(data)
        server.write_eof()

    async def _pump_answers(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, connection: _Connection
    ) -> None:
        while data := await reader.read(CHUNK):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await self._thawed.wait()
            kept, end = self._shorten(data, connection)
            client.write(kept)
            await client.drain()
            self.bytes_to_client += len(kept)
            if end == "reset":
                # What was written has to be on its way first: a reset loses what is not.
                await asyncio.sleep(0.01)
                connection.reset()
                return
            if end == "close":
                break
        connection.close()

    def _shorten(self, data: bytes, connection: _Connection) -> tuple[bytes, End | None]:
        """Return what the client gets of a part of an answer, and how it ends, if it does."""
        if connection.is_silent:
            return b"", None
        if connection.fault is None:
            fault = self._fault
            if fault is None or not fault.times:
                return data, None
            fault.times -= 1
            connection.fault, connection.left_bytes = fault, fault.after_bytes
        if len(data) < connection.left_bytes:
            connection.left_bytes -= len(data)
            return data, None
        kept, end = data[: connection.left_bytes], connection.fault.end
        connection.fault = None
        connection.is_silent = end == "silence"
        return kept, end
