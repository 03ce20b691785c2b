"""Events as no friend would send them, each with the verdict that it deserves."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TypeVar

from platform_nats.envelope import Outgoing, seal
from platform_nats.nkey import UserKey
from support.wire import Message, header_block

REFUSED_BY_SERVER = "refused by the server"
OPEN, STRICT = "events.open", "events.strict"
"""Subjects: one whose pipeline takes any payload, one with `{n: integer, word: (a+)+}`."""
_FINE = b'{"n":1,"word":"a"}'
_HOUR_MS = 3_600_000

Each = TypeVar("Each")

BAD_JSON: tuple[bytes, ...] = (
    b"",
    b" \n",
    b"not json",
    b'{"n":1',
    b'{"n":1}{"n":2}',
    b"\xff\xfe\x00",
    b'{"n":"\xc3\x28"}',
    b"\xef\xbb\xbf{}",
    b'{"n":NaN}',
    b'{"n":1e999}',
    b'{"n":-Infinity}',
    b"[" * 100_000 + b"]" * 100_000,
    b'{"n":' * 2_000 + b"1" + b"}" * 2_000,
    b"[" * 65 + b"]" * 65,
    b'{"n":' + b"9" * 5_000 + b"}",
    b'{"n":18446744073709551616}',
    b'{"n":9223372036854775808}',
    b'{"n":"\\u0000"}',
    b'{"n":"\\ud800"}',
    b'{"\\udfff":1}',
    b'{"n":1,"n":2}',
    b'{"n":{"x":1,"\\u0078":2}}',
)
MISFITS: tuple[bytes, ...] = (
    b"{}",
    b"null",
    b"[]",
    b'"text"',
    b'{"n":"1","word":"a"}',
    b'{"n":1.5,"word":"a"}',
    b'{"n":1,"word":""}',
    b'{"n":1,"word":"%s!"}' % (b"a" * 50_000),
    b'{"n":1,"word":"a","extra":1}',
)
INERT: tuple[bytes, ...] = (
    b'{"":1,"id":"x","__proto__":{},"$where":"1","constructor":null}',
    b'{"__entity":{"type":"User","id":"admin"}}',
    b'{"x":"a; REMOVE TABLE run; --","y":"\\\\\\"\'`${1+1}"}',
    b'{"x":"\xf0\x9f\x92\xa3\xe2\x80\xae\\u001b]0;x\\u0007"}',
    b'{"n":-9007199254740992,"m":1e-300,"f":0.1}',
    b"[" * 64 + b"]" * 64,
    b"[" + b",".join([b"{}"] * 20_000) + b"]",
    b"null",
    b'"$nu.env; rm -rf /"',
    b'"%s"' % (b"x" * 200_000),
)
NOWHERE: tuple[str, ...] = (
    "events.nowhere",
    "events.%2e%2e/etc/passwd",
    "events.OPEN",
    "events." + "x" * 3_000,
    "events.$where",
    "events.é\u202e",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """A message, and what should become of it."""

    code: str
    message: Message


class Poisoner:
    """Makes any number of them; the same ones for the same seed."""

    def __init__(
        self, key: UserKey, audience: str, now_ms: Callable[[], int], seed: int
    ) -> None:
        """`key` may publish under `events.>`, and a principal has it."""
        self._key = key
        self._stranger = UserKey.generate()
        self._audience = audience
        self._now_ms = now_ms
        self._random = Random(seed)  # noqa: S311 - has to be the same again
        self._seed = seed
        self._numbers = count()

    def make(self, number: int) -> list[Poison]:
        """So many, every kind in turn, each kind's members by chance."""
        kinds = self._kinds()
        return [next(kinds) for _ in range(number)]

    def _kinds(self) -> Iterator[Poison]:
        while True:
            yield self._signed("bad-json", self._one_of(BAD_JSON))
            yield self._signed("bad-payload", self._one_of(MISFITS), STRICT)
            yield self._signed("accepted", self._one_of(INERT))
            yield self._signed("no-pipeline", b"{}", self._one_of(NOWHERE))
            yield from self._lies()
            yield from self._bad_headers()
            yield from self._raw_headers()

    def _lies(self) -> Iterator[Poison]:
        """What is well formed and not true."""
        yield _poison("bad-signature", OPEN, self._headers(OPEN, _FINE), b'{"n":2}')
        yield _poison("bad-signature", STRICT, self._headers(OPEN, _FINE), _FINE)
        added = {**self._headers(OPEN, _FINE), "Ce-Type": "added later"}
        yield _poison("bad-signature", OPEN, added, _FINE)
        elsewhere = self._headers(OPEN, _FINE, audience="elsewhere")
        yield _poison("bad-signature", OPEN, elsewhere, _FINE)
        yield _poison(
            "unknown-publisher", OPEN, self._headers(OPEN, _FINE, self._stranger), _FINE
        )
        off_ms = self._one_of((-_HOUR_MS, _HOUR_MS))
        yield _poison("stale", OPEN, self._headers(OPEN, _FINE, off_ms=off_ms), _FINE)
        name = self._name()
        yield _poison("unsigned", OPEN, {"Nats-Msg-Id": name}, _FINE)

    def _bad_headers(self) -> Iterator[Poison]:
        changes: tuple[dict[str, str], ...] = (
            {"Stratum-Sig": "A" * 84},
            {"Stratum-Sig": "=" * 86},
            {"Stratum-Sig-Alg": "none"},
            {"Stratum-Time": "1e12"},
            {"Stratum-Principal": "A" + self._key.public[1:]},
            {"Stratum-Principal": "SU" + self._key.public[2:]},
            {"Nats-Msg-Id": f"{self._name()} with spaces"},
            {"ce-id": "another"},
            {"CE-Source": "x", "ce-source": "y"},
            {"Content-Type": "application/cloudevents+json"},
        )
        headers = {**self._headers(OPEN, _FINE), **self._one_of(changes)}
        yield _poison("bad-header", OPEN, headers, _FINE)
        filled = {**self._headers(OPEN, _FINE), "X-Filler": "x" * 17_000}
        yield _poison("too-large", OPEN, filled, _FINE)
        yield self._signed(REFUSED_BY_SERVER, b'"%s"' % (b"x" * (300 << 10)))

    def _raw_headers(self) -> Iterator[Poison]:
        """Header blocks that are none, below any client library."""
        blocks = (
            b"NATS/1.0 404 No Messages\r\n\r\n",
            b"NATS/1.0\r\nStatus: 100\r\nDescription: Idle Heartbeat\r\n\r\n",
            b"NATS/1.0 \xff\xff\xff\r\n\r\n",
            b"N",
            bytes(12),
            b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n",
            b"NATS/1.0\r\n: nameless\r\n\r\n",
            b"NATS/1.0\r\nno colon\r\n\r\n",
            b"NATS/1.0\r\nX: " + b"\r\n folded" * 50 + b"\r\n\r\n",
        )
        message = Message(subject=OPEN.encode(), headers=self._one_of(blocks), body=_FINE)
        yield Poison(code="unsigned", message=message)

    def _signed(self, code: str, body: bytes, subject: str = OPEN) -> Poison:
        return _poison(code, subject, self._headers(subject, body), body)

    def _headers(
        self,
        subject: str,
        body: bytes,
        key: UserKey | None = None,
        *,
        off_ms: int = 0,
        audience: str | None = None,
    ) -> dict[str, str]:
        event = Outgoing(
            subject=subject,
            body=body,
            event_id=self._name(),
            time_ms=self._now_ms() + off_ms,
            headers={},
        )
        return seal(key or self._key, audience or self._audience, event)

    def _name(self) -> str:
        return f"poison-{self._seed}-{next(self._numbers)}"

    def _one_of(self, several: Sequence[Each]) -> Each:
        return self._random.choice(several)


def good(
    key: UserKey, audience: str, subject: str, data: object, event: tuple[str, int]
) -> Message:
    """A well-formed event; `event` is its id and its time in Unix milliseconds."""
    body = json.dumps(data).encode()
    event_id, now_ms = event
    outgoing = Outgoing(
        subject=subject, body=body, event_id=event_id, time_ms=now_ms, headers={}
    )
    headers = header_block(seal(key, audience, outgoing))
    return Message(subject=subject.encode(), headers=headers, body=body)


def _poison(code: str, subject: str, headers: Mapping[str, str], body: bytes) -> Poison:
    block = header_block(dict(headers))
    return Poison(
        code=code, message=Message(subject=subject.encode(), headers=block, body=body)
    )
