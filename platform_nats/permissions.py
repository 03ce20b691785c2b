"""Who may do what on the broker that we run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_INBOX_KEY = 12  # characters of the key: 55 bits that nobody can choose


def inbox(public: str) -> str:
    """Return the prefix of a user's inboxes: answers to one user are nobody else's to read."""
    return f"_INBOX_{public[:_INBOX_KEY]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A public NKey and the subjects that it may use; None means all of them."""

    public: str
    publish: tuple[str, ...] | None
    subscribe: tuple[str, ...] | None

    @classmethod
    def daemon(cls, public: str) -> Self:
        """Return an instance of ours: it makes the streams, so it may do everything."""
        return cls(public=public, publish=None, subscribe=None)

    @classmethod
    def publisher(cls, public: str, subjects: tuple[str, ...]) -> Self:
        """Return one who may publish under these subjects and read the answers, no more."""
        return cls(public=public, publish=subjects, subscribe=(f"{inbox(public)}.>",))

    def entry(self) -> Mapping[str, object]:
        """Return the user as nats-server's configuration spells it."""
        allowed = {
            verb: {"allow": list(subjects)}
            for verb, subjects in (("publish", self.publish), ("subscribe", self.subscribe))
            if subjects is not None
        }
        return {"nkey": self.public} | ({"permissions": allowed} if allowed else {})
