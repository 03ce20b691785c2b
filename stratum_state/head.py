"""The signed end of a run's journal: who vouches that it ended with this entry.

A signature is made with the end and becomes durable with it, in one transaction, and never
later: whoever signed what he merely finds would vouch for what somebody put there.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from stratum_state import canonical

VERSION = "stratum-head-v1"
_SIGNATURE = 64  # bytes of ed25519


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """The last entry of a run's journal at one of its ends, and a daemon's signature."""

    run: str
    n: int
    """How many entries there were."""
    hash: str
    """Of the last of them; it holds those of all before."""
    at: int
    """When it was signed, Unix milliseconds."""
    instance: str
    """The name of the daemon."""
    signer: str
    """Its public NKey."""
    signature: str = ""
    """64 bytes as base64url without padding."""

    def statement(self) -> bytes:
        """The bytes under the signature: canonical JSON text of everything else."""
        said = {
            "version": VERSION,
            "run": self.run,
            "n": self.n,
            "hash": self.hash,
            "at": self.at,
            "instance": self.instance,
            "signer": self.signer,
        }
        return canonical.text(said).encode()

    def raw(self) -> bytes:
        """The signature's bytes; none when its text is not the one way to write them."""
        try:
            raw = base64.b64decode(f"{self.signature}==", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return b""
        return raw if len(raw) == _SIGNATURE and _text(raw) == self.signature else b""


class Signer(NamedTuple):
    """The daemon as its signatures name it."""

    public: str
    """NKey."""
    instance: str
    sign: Callable[[bytes], bytes]

    def signed(self, run: str, n: int, hash_: str, at: int) -> SignedHead:
        """The head of a run's journal with our signature."""
        head = SignedHead(
            run=run, n=n, hash=hash_, at=at, instance=self.instance, signer=self.public
        )
        return replace(head, signature=_text(self.sign(head.statement())))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
