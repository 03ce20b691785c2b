#!/usr/bin/env python3
"""A booking service for the example: `python3 service.py [PORT]`, in memory, on loopback.

PUT /bookings/KEY books once, however often it is asked; DELETE takes back what is there; GET
lists. Hotels in Atlantis are full. One in Limbo is booked, and the answer never comes.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

BOOKED: dict[str, object] = {}
CLOSED = threading.Event()


class Bookings(BaseHTTPRequestHandler):
    """Answers for what is booked."""

    def do_GET(self) -> None:
        self._answer(200, list(BOOKED.values()))

    def do_PUT(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_hotel = wanted["what"] == "hotel"
        if is_hotel and wanted["city"] == "Atlantis":
            self._answer(409, {"why": "no room"})
            return
        BOOKED.setdefault(self._key, wanted)
        if is_hotel and wanted["city"] == "Limbo":
            CLOSED.wait()
        self._answer(200, wanted)

    def do_DELETE(self) -> None:
        BOOKED.pop(self._key, None)
        self._answer(200, {})

    @property
    def _key(self) -> str:
        return unquote(self.path.rpartition("/")[2])

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until Ctrl-C; the port is the first line that is printed."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8930
    with ThreadingHTTPServer(("127.0.0.1", port), Bookings) as server:
        server.daemon_threads = True
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
