"""Commands for whichever instance holds a run: asked of all, answered by one.

A command is obeyed when an instance of the deployment has signed it, and so is an answer
believed: that somebody may use the subject on the broker is not enough. `docs/instances.md`
says which keys count.
"""

import base64
import binascii
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from hashlib import sha256

import anyio
import msgspec
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError, TimeoutError as NoAnswer

from platform_nats.connection import Connection
from platform_nats.nkey import UserKey, verify

log = logging.getLogger(__name__)

COMMAND = "stratum.control.command"
_VERSION = "stratum-control-v1"
_ANSWER_S = 2.0
_FRESH_MS = 5 * 60 * 1000

Obey = Callable[[str, str], Awaitable[str | None]]
"""Run and command to what came of it; None when the run is another's."""


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one instance says to the others, signed."""

    about: str
    """Of a command the run; of an answer the signature of the command."""
    text: str
    time: int
    """Unix milliseconds."""
    key: str
    """Public NKey of the instance."""
    signature: str
    """Base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """As whom an instance speaks to the others, and whom it believes."""

    key: UserKey
    audience: str
    trusted: Callable[[], Collection[str]]
    """Public NKeys of instances, beside our own."""
    now_ms: Callable[[], int]
    _heard: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """Commands by their signature, and when they were given: none counts twice."""

    def say(self, kind: str, about: str, text: str) -> Said:
        """Sign it."""
        said = Said(
            about=about, text=text, time=self.now_ms(), key=self.key.public, signature=""
        )
        signature = self.key.sign(self._statement(kind, said))
        return msgspec.structs.replace(said, signature=base64.b64encode(signature).decode())

    def fault(self, kind: str, said: Said) -> str:
        """Why it does not count; empty when it does."""
        if said.key != self.key.public and said.key not in self.trusted():
            return "its key is none of an instance"
        try:
            signature = base64.b64decode(said.signature, validate=True)
        except binascii.Error:
            signature = b""
        if not verify(said.key, self._statement(kind, said), signature):
            return "its signature does not fit"
        return "" if abs(self.now_ms() - said.time) <= _FRESH_MS else "it is not of now"

    def is_news(self, said: Said) -> bool:
        """Whether it is heard for the first time, of what is fresh."""
        while self._heard and next(iter(self._heard.values())) < self.now_ms() - 2 * _FRESH_MS:
            self._heard.popitem(last=False)
        if said.signature in self._heard:
            return False
        self._heard[said.signature] = said.time
        return True

    def _statement(self, kind: str, said: Said) -> bytes:
        parts = (said.about, said.text)
        digests = (sha256(each.encode(errors="replace")).hexdigest() for each in parts)
        lines = (_VERSION, kind, self.audience, said.key, str(said.time), *digests)
        return "".join(f"{line}\n" for line in lines).encode()


async def serve(connection: Connection, voice: Voice, obey: Obey) -> None:
    """Answer commands for runs of ours, leave others to their owners; until cancelled."""

    async def handle(message: Msg) -> None:
        said = _read(message.data)
        fault = voice.fault("command", said) if said else "it cannot be read"
        if said is None or fault:
            log.warning("command not obeyed", extra={"why": fault, "bytes": len(message.data)})
            return
        if not voice.is_news(said):
            log.warning("command not obeyed", extra={"why": "it was heard before"})
            return
        answer = await obey(said.about, said.text)
        if answer is not None:
            told = voice.say("answer", said.signature, answer)
            await message.respond(msgspec.json.encode(told))

    subscription = await connection.client.subscribe(COMMAND, cb=handle)
    try:
        await anyio.sleep_forever()
    finally:
        with anyio.move_on_after(1, shield=True):
            await subscription.unsubscribe()


async def ask(connection: Connection, voice: Voice, run: str, command: str) -> str | None:
    """What came of the command where the run is; None when nobody who answers has it."""
    asked = voice.say("command", run, command)
    try:
        answer = await connection.client.request(
            COMMAND, msgspec.json.encode(asked), timeout=_ANSWER_S
        )
    except (NoAnswer, NoRespondersError, Error):
        return None
    told = _read(answer.data)
    fault = voice.fault("answer", told) if told else "it cannot be read"
    if told is None or fault or told.about != asked.signature:
        log.warning("answer not believed", extra={"why": fault or "it is to another command"})
        return None
    return told.text


def _read(data: bytes) -> Said | None:
    try:
        return msgspec.json.decode(data, type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
