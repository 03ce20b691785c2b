"""Signed statements as DSSE envelopes: who says what, proved by an NKey. Pure.

The keys themselves are somebody else's business: signing and verifying are handed in.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct

Verify = Callable[[str, bytes, bytes], bool]
"""Public key, message and signature to whether they belong together."""


class Signer(Protocol):
    """A key that can sign."""

    @property
    def public(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...


class NotSigned(Exception):
    """A statement by nobody who counts; the text says why."""


class Statement(NamedTuple):
    """What somebody has proved to have said."""

    payload: bytes
    signer: str


class _Signature(Struct, frozen=True):
    keyid: str
    sig: str


class _Envelope(Struct, frozen=True, rename={"payload_type": "payloadType"}):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


def seal(payload_type: str, payload: Mapping[str, object], key: Signer) -> bytes:
    """The envelope with the payload as canonical JSON."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    signature = key.sign(_message(payload_type, text))
    envelope = {
        "payload": base64.b64encode(text).decode(),
        "payloadType": payload_type,
        "signatures": [{"keyid": key.public, "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()


def open_sealed(
    envelope: bytes, payload_type: str, trusted: frozenset[str], verify: Verify
) -> Statement:
    """The statement, if one of the trusted keys made it; else NotSigned."""
    try:
        read = msgspec.json.decode(envelope, type=_Envelope)
        payload = base64.b64decode(read.payload, validate=True)
        signatures = [
            (each.keyid, base64.b64decode(each.sig, validate=True)) for each in read.signatures
        ]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, binascii.Error) as error:
        raise NotSigned(f"the envelope cannot be read: {error}") from None  # noqa: TRY003
    if read.payload_type != payload_type:
        raise NotSigned(f"it is about {read.payload_type[:100]!r}")  # noqa: TRY003
    message = _message(payload_type, payload)
    strangers = [signer for signer, _ in signatures if signer not in trusted]
    for signer, signature in signatures:
        if signer in trusted and verify(signer, message, signature):
            return Statement(payload, signer)
    if signatures and len(strangers) == len(signatures):
        raise NotSigned(f"the signer {strangers[0][:64]} is not trusted")  # noqa: TRY003
    raise NotSigned("the signature does not verify")  # noqa: TRY003


def _message(payload_type: str, payload: bytes) -> bytes:
    """What DSSE signs: the type and the payload, each behind its length."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
