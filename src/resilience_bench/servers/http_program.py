"""The program of the HTTP server: 1 kB for every GET, over connections that stay open."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

BODY: Final = b"x" * 1000


class Handler(BaseHTTPRequestHandler):
    """Answers every GET alike."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for each other's receipt
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: a line a request would cost more than the answer."""


class Server(ThreadingHTTPServer):
    """A thread a connection."""

    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve on the host and the port of the command line."""
    host, port = sys.argv[1:]
    Server((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
