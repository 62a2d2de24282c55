"""The price service: a program of its own, which the shop calls over HTTP."""

from __future__ import annotations

import json
import sys

from resilience_bench.servers import http_program


class Prices(http_program.Handler):
    """Answers ``/prices/ITEM`` with a price."""

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Answer."""
        name = self.path.rpartition("/")[2]
        body = json.dumps({"cents": 100 + 10 * int(name) if name.isdecimal() else 100}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on the host and the port of the command line."""
    host, port = sys.argv[1:]
    http_program.Server((host, int(port)), Prices).serve_forever()


if __name__ == "__main__":
    main()
