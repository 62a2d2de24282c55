"""A server that speaks enough of PostgreSQL's protocol to refuse a connection in any language."""

from __future__ import annotations

import socketserver
import struct
import threading
from typing import Self

__all__ = ["RefusingServer"]

ENCRYPTION = {80877103, 80877104}
"""Codes of a first message that asks for TLS or GSS. Source: PostgreSQL, chapter 53.7."""


class RefusingServer:
    """Refuses each connection with the same text.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        refused: How many it has refused.
    """

    def __init__(self, text: str, *, asks: bool) -> None:
        """Listen.

        Args:
            text: What it says.
            asks: Whether it asks for a password before.
        """
        self.refused = 0
        self._text = text
        self._asks = asks
        self._server = socketserver.ThreadingTCPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self})
        )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def refuse(self, handler: _Handler) -> None:
        """Go through the protocol up to the refusal."""
        while handler.read_code() in ENCRYPTION:
            handler.wfile.write(b"N")
        if self._asks:
            handler.send(b"R", struct.pack("!I", 3))
            handler.rfile.read(1)
            handler.read_code()
        fields = {"S": "FATAL", "V": "FATAL", "C": "XX000", "M": self._text}
        handler.send(b"E", b"".join(f"{key}{fields[key]}\0".encode() for key in fields) + b"\0")
        self.refused += 1


class _Handler(socketserver.StreamRequestHandler):
    owner: RefusingServer

    def handle(self) -> None:
        """Refuse."""
        self.owner.refuse(self)

    def read_code(self) -> int:
        """Read a message; return the number that it begins with."""
        (size,) = struct.unpack("!I", self.rfile.read(4))
        code: int = struct.unpack("!I", self.rfile.read(size - 4)[:4])[0]
        return code

    def send(self, kind: bytes, body: bytes) -> None:
        """Send a message."""
        self.wfile.write(kind + struct.pack("!I", len(body) + 4) + body)
