"""Signs events and publishes them, so that each is stored once or the caller knows why not."""

import json
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import anyio
from nats.errors import Error as NatsError, TimeoutError as NoAnswer
from nats.js.api import PubAck
from nats.js.errors import APIError, NoStreamResponseError

from platform_nats.cloudevent import attributes
from platform_nats.connection import Connection, ConnectionSettings, connect
from platform_nats.envelope import Outgoing, seal
from platform_nats.errors import DuplicateId, NotPermitted, NotPublished
from platform_nats.statement import EVENT_ID
from platform_nats.subject import check

_ATTEMPT_S = 5.0
_WITHIN_S = 30.0
_NO_STREAM_S = 2.0  # JetStream may be starting
_REST_S = 0.25
_NO_ANSWER = "no answer in time"
_NO_STREAM = (
    "no stream takes this subject; it must be within the subjects of the deployment, "
    "and JetStream must be up"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where an event is stored."""

    stream: str
    sequence: int
    duplicate: bool
    """An earlier attempt of ours had stored it already."""
    event_id: str


class Publisher:
    """Publishes as one key for one deployment, over a connection that it does not own."""

    def __init__(
        self, connection: Connection, audience: str, *, within_s: float = _WITHIN_S
    ) -> None:
        self._connection = connection
        self._audience = audience
        self._within_s = within_s

    async def publish(
        self,
        subject: str,
        data: object,
        *,
        event_id: str | None = None,
        cloudevent: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Sign and publish; return when it is stored.

        `data` is bytes, sent as they are, or a value, sent as JSON. An attempt without an
        answer is repeated with the same signed headers, so no second event can come of it.
        Raises BadSubject, CannotSeal, NotPermitted, DuplicateId, NotPublished.
        """
        check(subject)
        event = self._event(subject, data, event_id or str(uuid4()), cloudevent=cloudevent)
        event = replace(event, headers={**event.headers, **(headers or {})})
        return await self._receipt(event, seal(self._connection.key, self._audience, event))

    async def relay(self, subject: str, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Publish an event that somebody else has signed; its headers name its id.

        Raises BadSubject, DuplicateId, NotPublished, NotPermitted.
        """
        check(subject)
        event = Outgoing(
            subject=subject, body=body, event_id=headers[EVENT_ID], time_ms=0, headers=headers
        )
        return await self._receipt(event, headers)

    async def _receipt(self, event: Outgoing, headers: Mapping[str, str]) -> Receipt:
        ack, is_repeated = await self._stored(event, headers)
        if ack.duplicate and not is_repeated:
            raise DuplicateId(event.subject, event.event_id, ack.seq)
        return Receipt(
            stream=ack.stream,
            sequence=ack.seq,
            duplicate=bool(ack.duplicate),
            event_id=event.event_id,
        )

    async def _stored(self, event: Outgoing, headers: Mapping[str, str]) -> tuple[PubAck, bool]:
        """Try until it is stored; tell whether an attempt before may have stored it, too."""
        last = anyio.current_time() + self._within_s
        absent = math.inf
        is_repeated = False
        while True:
            try:
                return await self._attempt(event, headers), is_repeated
            except NoStreamResponseError as silent:
                absent = min(absent, anyio.current_time() + _NO_STREAM_S)
                # a server that has come back knows no stream for as long as it reads them
                until = last if is_repeated else absent
                self._check_patience(event, until, _NO_STREAM, silent)
            except NoAnswer as silent:
                is_repeated = True
                self._check_patience(event, last, _NO_ANSWER, silent)
            await anyio.sleep(_REST_S)

    def _check_patience(
        self, event: Outgoing, deadline: float, why: str, silent: NatsError
    ) -> None:
        refusal = self._connection.refusal()
        if refusal is not None:
            raise refusal from silent
        if anyio.current_time() >= deadline:
            raise NotPublished(event.subject, event.event_id, why) from silent

    async def _attempt(self, event: Outgoing, headers: Mapping[str, str]) -> PubAck:
        with self._connection.attempt(event.subject) as attempt:
            try:
                return await self._connection.jetstream.publish(
                    event.subject, event.body, timeout=_ATTEMPT_S, headers=dict(headers)
                )
            except (NoAnswer, NoStreamResponseError):
                raise
            except APIError as refused:
                why = str(refused.description)
                raise NotPublished(event.subject, event.event_id, why) from refused
            except (NatsError, ValueError) as error:  # ValueError: somebody else answered
                raise NotPublished(event.subject, event.event_id, str(error)) from error
        if attempt.is_denied:
            raise NotPermitted(self._connection.key.public, event.subject)
        raise NoAnswer

    def _event(
        self, subject: str, data: object, event_id: str, *, cloudevent: bool
    ) -> Outgoing:
        now_ms = time.time_ns() // 1_000_000
        headers: dict[str, str] = {}
        if not isinstance(data, bytes):
            headers["Content-Type"] = "application/json"
        if cloudevent:
            headers |= attributes(event_id, self._connection.key.public, subject, now_ms)
        return Outgoing(
            subject=subject,
            body=data if isinstance(data, bytes) else _json(data),
            event_id=event_id,
            time_ms=now_ms,
            headers=headers,
        )


def _json(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@asynccontextmanager
async def publisher(
    url: str, seed: str, audience: str, creds_file: Path | None = None
) -> AsyncIterator[Publisher]:
    """Connect as the seed's key and publish for the audience; closes behind itself.

    A server in operator mode wants the `.creds` file that holds the same seed. Raises
    InvalidKey, NoServer, NotAuthorized.
    """
    who = ConnectionSettings(url=url, seed=seed, name="publisher", creds_file=creds_file)
    async with connect(who) as connection:
        yield Publisher(connection, audience)
