"""A registry on loopback that answers as a test tells it to. Standard library only."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from stratum_graph.definitions.distribution import bundle
from stratum_graph.definitions.distribution.bundle import Parcel

_DRIP_S = 0.02


@dataclass
class Reply:
    """One answer; an endless one goes on until whoever asked hangs up."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_endless: bool = False
    is_silent: bool = False
    """Nothing comes until whoever asked hangs up."""
    drips: str = ""
    """`head` or `body`: it comes byte by byte, without end, and never pauses for long."""


@dataclass
class Asked:
    """One request, as it came."""

    method: str
    path: str
    authorization: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""


class Hostile:
    """Serves what it was given, unless a lie is told for the path."""

    def __init__(self) -> None:
        self.host = ""
        self.asked: list[Asked] = []
        self.given_up = 0
        """How many have hung up on silence."""
        self.lies: dict[str, Callable[[], Reply]] = {}
        """End of a path to what is answered instead."""
        self._answers: dict[str, bytes] = {}

    def offer(self, parcel: Parcel, tag: str = "") -> None:
        """Serve the parcel as an honest registry would, with the referrers' interface."""
        for digest, content in parcel.blobs.items():
            self._answers[f"blobs/{digest}"] = content
        self._answers[f"manifests/{parcel.digest}"] = parcel.manifest
        if tag:
            self._answers[f"manifests/{tag}"] = parcel.manifest
        if parcel.subject:
            self._refer(parcel)

    def lie(self, end: str, **reply: object) -> None:
        """Answer what ends so with this."""
        told = Reply(**reply)  # type: ignore[arg-type]
        self.lies[end] = lambda: told

    def reply(self, path: str) -> Reply:
        for end, lie in self.lies.items():
            if path.endswith(end):
                return lie()
        known = self._answers.get("/".join(path.split("/")[-2:]))
        return Reply(body=known) if known is not None else Reply(status=404)

    def _refer(self, parcel: Parcel) -> None:
        entry = {
            "mediaType": bundle.MANIFEST,
            "digest": parcel.digest,
            "size": len(parcel.manifest),
            "artifactType": parcel.artifact_type,
        }
        listed = self._answers.get(f"referrers/{parcel.subject}", b'{"manifests": []}')
        index = {
            "schemaVersion": 2,
            "mediaType": bundle.INDEX,
            "manifests": [*json.loads(listed)["manifests"], entry],
        }
        self._answers[f"referrers/{parcel.subject}"] = json.dumps(index).encode()


@contextmanager
def hostile(tls: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """A registry of lies, for as long as the block lasts."""
    registry = Hostile()
    gone = threading.Event()
    handler = type("Handler", (_Handler,), {"registry": registry, "gone": gone})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign] - who hangs up may
        if tls is not None:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        registry.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield registry
        finally:
            gone.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    registry: ClassVar[Hostile]
    gone: ClassVar[threading.Event]

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.registry.asked.append(Asked(self.command, self.path, given, headers))
        reply = self.registry.reply(self.path)
        if reply.is_silent:
            self.rfile.read(1)
            self.registry.given_up += 1
        elif reply.drips:
            self._drip(reply)
        else:
            self._answer(reply)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if not reply.is_endless:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(reply.body)
            while reply.is_endless:
                self.wfile.write(b"x" * 65536)

    def _drip(self, reply: Reply) -> None:
        head = b"HTTP/1.1 200 OK\r\n"
        self.wfile.write(head if reply.drips == "head" else head + b"\r\n")
        with suppress(OSError):
            while not self.gone.wait(_DRIP_S):
                self.wfile.write(b"x")
