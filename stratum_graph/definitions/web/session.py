"""A session that connects where it may, and is cut when it takes too long.

The check and the connection take the same address: a name that means something else a moment
later gains nothing. What is cut ends in the midst of a head, a body or a handshake: a time-out
for each read would let a slow answer drip for ever.
"""

import socket
from typing import ClassVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from stratum_graph.definitions.web.cord import Cord
from stratum_graph.definitions.web.reach import Reaching


class _Tied(HTTPConnection):
    """A connection to an address that was allowed, on the session's cord."""

    reach: ClassVar[Reaching]
    cord: ClassVar[Cord]
    _twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        try:
            addresses = self.reach.addresses(self.host.rstrip("."), self.port)
        except OSError as unknown:
            failed = unknown if isinstance(unknown, socket.gaierror) else socket.gaierror()
            raise NameResolutionError(self.host, self, failed) from unknown
        why: Exception = OSError("it has no address")
        for each in addresses:
            if self.cord.is_cut:
                why = TimeoutError("the time is up")
                break
            try:
                made = create_connection(
                    (each, self.port), self.timeout, socket_options=self.socket_options
                )
            except OSError as refused:
                why = refused
                continue
            self._twin = self.cord.hold(made)
            return made
        message = f"no connection to {self.host}: {why}"
        raise NewConnectionError(self, message) from why

    def close(self) -> None:
        super().close()
        if self._twin is not None:
            self.cord.let_go(self._twin)
            self._twin = None


class _TiedTls(_Tied, HTTPSConnection):
    """Likewise, with TLS; the name is what the certificate has to be for."""


class Session(requests.Session):
    """Connects where it may, by no proxy, and follows nothing by itself."""

    def __init__(self, reach: Reaching, cord: Cord | None = None) -> None:
        super().__init__()
        self.cord = cord or Cord()
        bound = {"reach": reach, "cord": self.cord}
        plain = type("Plain", (_Tied,), bound)
        tls = type("Tls", (_TiedTls,), bound)
        adapter = HTTPAdapter()
        adapter.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
        self.trust_env = False
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere. Even unasked requests would look there, and read the answer's whole body."""
        del resp
