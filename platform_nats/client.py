"""nats-py's client, without the faults by which a publisher could silence us.

Whoever may publish can send bytes that the server stores and nats-py's reader stumbles over:
a header block that is none, a subject that is not UTF-8, a subject with a carriage return,
a vertical tab or a form feed in it. The reader would end there, and again at every redelivery.
"""

import re
from contextlib import suppress

from nats.aio.client import Client, Srv
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NoAnswer
from nats.protocol import parser

from platform_nats.stray import answered

# As nats-py has them, but with the white space of the protocol: blank and tab, nothing else.
parser.MSG_RE = re.compile(
    rb"\AMSG[ \t]+([^ \t\n]+)[ \t]+([0-9]+)[ \t]+(([^ \t\n]+)[ \t]+)?([0-9]+)\r\n"
)
parser.HMSG_RE = re.compile(
    rb"\AHMSG[ \t]+([^ \t\n]+)[ \t]+([0-9]+)[ \t]+(([^ \t\n]+)[ \t]+)?"
    rb"([0-9]+)[ \t]+([0-9]+)\r\n"
)
_ILLEGIBLE = re.compile(r"[\x00-\x1f\x7f]")


class SturdyClient(Client):
    """A client that goes on reading whatever a publisher has sent, and gives legible text."""

    connect = answered(Client.connect)
    flush = answered(Client.flush)
    publish = answered(Client.publish)
    request = answered(Client.request)
    subscribe = answered(Client.subscribe)

    async def _connect_to_server(self, s: Srv) -> None:
        self._abandon()  # a refused attempt leaves its socket open
        await super()._connect_to_server(s)

    async def close(self) -> None:
        if (
            not self.is_connected
        ):  # nobody is there to send it to; nats-py would stumble over it
            self._pending.clear()
            self._pending_data_size = 0
        with suppress(OSError, NoAnswer):
            await answered(super().close)()
        self._abandon()  # a connection that was never complete keeps its socket, too

    def _abandon(self) -> None:
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        try:
            parsed: dict[str, str] | None = await super()._process_headers(headers)
        except (IndexError, ValueError):
            return None  # without headers it is unsigned, and refused as such
        return parsed and {name: _legible(value) for name, value in parsed.items()}

    def _build_message(
        self,
        sid: int,
        subject: bytes,
        reply: bytes,
        data: bytes,
        headers: dict[str, str] | None,
    ) -> Msg:
        legible = _legible(subject.decode(errors="replace")).encode()
        message: Msg = super()._build_message(sid, legible, reply, data, headers)
        return message


def _legible(text: str) -> str:
    """Replace what no store or terminal should get to see; a signature does not survive it."""
    return _ILLEGIBLE.sub("\ufffd", text)
