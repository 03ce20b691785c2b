"""Access keys of object stores: lasting ones, and those that somebody lends for an hour."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from stratum_graph.definitions.remote import credential
from stratum_graph.definitions.remote.places import Credential
from stratum_graph.definitions.remote.refusal import NotFetched
from stratum_graph.definitions.remote.signing import Key

_REMEDY = "write what `aws configure export-credentials --format process` prints, or the secret"


class _Lent(Struct, frozen=True, rename="pascal"):
    """What programs print that lend keys (`credential_process` of AWS)."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""
    expiration: datetime | None = None


def access_key(chosen: Credential, region: str) -> Key:
    """The key of that name as its file holds it now; NotFetched."""
    text = credential.text(chosen)
    if text.startswith("{"):
        return _lent(text, chosen.name, region)
    if not chosen.user:
        raise NotFetched(
            f"the credential `{chosen.name}` does not say which access key it is",
            "give its id as `user` of that name in scripts.credentials",
        )
    return Key(id=chosen.user, secret=credential.secret(chosen), region=region)


def _lent(text: str, name: str, region: str) -> Key:
    try:
        lent = msgspec.json.decode(text, type=_Lent)
    except (msgspec.DecodeError, RecursionError):
        raise NotFetched(f"the credential `{name}` is no access key", _REMEDY) from None
    words = (lent.access_key_id, lent.secret_access_key, lent.session_token or "-")
    if not all(each and each.isascii() and each.isprintable() for each in words):
        raise NotFetched(f"the credential `{name}` is no access key", _REMEDY)
    ends = lent.expiration
    if ends and (ends if ends.tzinfo else ends.replace(tzinfo=UTC)) <= datetime.now(UTC):
        raise NotFetched(
            f"the credential `{name}` was lent until {ends.isoformat()}",
            "have its secret_file written anew before it ends",
        )
    return Key(
        id=lent.access_key_id,
        secret=lent.secret_access_key,
        session=lent.session_token,
        region=region,
    )
