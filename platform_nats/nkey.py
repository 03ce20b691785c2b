"""NKeys of users: ed25519 in NATS's spelling (base32 over prefix, key and CRC-16)."""

import base64
import binascii
import secrets
from functools import lru_cache
from typing import Self

import nkeys
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from platform_nats.errors import InvalidKey

_CRC = 2  # bytes, little endian, behind everything else
_PUBLIC = 1 + 32 + _CRC
_SEED = 2 + 32 + _CRC
_CACHED = 4096
_NO_SEED = "a seed begins with SU"
_NO_PUBLIC_KEY = "a user's public key begins with U"
_NOT_BASE32 = "it is not base32"
_WRONG_LENGTH = "it has the wrong length"
_WRONG_CHECKSUM = "its checksum does not fit, so it was mistyped or cut"
_SEED_HEAD = bytes(
    (nkeys.PREFIX_BYTE_SEED | nkeys.PREFIX_BYTE_USER >> 5, (nkeys.PREFIX_BYTE_USER & 31) << 3)
)


class UserKey:
    """A user's key pair. Its seed shows in no representation and no message."""

    __slots__ = ("_key", "_seed", "public")

    def __init__(self, seed: str) -> None:
        """Take an encoded seed (`SU…`); InvalidKey when it is none."""
        raw = _decoded(seed.strip(), _SEED)
        if raw[:2] != _SEED_HEAD:
            raise InvalidKey(_NO_SEED)
        self._seed = seed.strip()
        self._key = SigningKey(raw[2:])
        self.public = _public_text(bytes(self._key.verify_key))

    @classmethod
    def generate(cls) -> Self:
        seed: bytes = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
        return cls(seed.decode())

    def __repr__(self) -> str:
        return f"UserKey({self.public})"

    def seed(self) -> str:
        """Return the secret itself, for a key file or a connection."""
        return self._seed

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the ed25519 signature."""
        return self._key.sign(message).signature


def check_public(public: str) -> None:
    """Return when the text is a user's public key (`U…`), else raise InvalidKey."""
    _verify_key(public)


def verify(public: str, message: bytes, signature: bytes) -> bool:
    """Tell whether the signature is the key's own; no signature is that of no key."""
    try:
        _verify_key(public).verify(message, signature)
    except (BadSignatureError, InvalidKey, ValueError):  # ValueError: not 64 bytes
        return False
    return True


@lru_cache(_CACHED)
def _verify_key(public: str) -> VerifyKey:
    raw = _decoded(public, _PUBLIC)
    if raw[0] != nkeys.PREFIX_BYTE_USER:
        raise InvalidKey(_NO_PUBLIC_KEY)
    return VerifyKey(raw[1:])


def _public_text(raw: bytes) -> str:
    body = bytes((nkeys.PREFIX_BYTE_USER,)) + raw
    return base64.b32encode(body + _crc(body)).decode()


def _decoded(text: str, size: int) -> bytes:
    """Decode and check; give what stands before the CRC."""
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise InvalidKey(_NOT_BASE32) from None
    if len(raw) != size:
        raise InvalidKey(_WRONG_LENGTH)
    body, crc = raw[:-_CRC], raw[-_CRC:]
    if _crc(body) != crc:
        raise InvalidKey(_WRONG_CHECKSUM)
    return body


def _crc(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0).to_bytes(_CRC, "little")
