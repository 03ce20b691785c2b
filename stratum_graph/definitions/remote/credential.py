"""Credentials by name: which one, for whom, and what it says. Never in a message."""

import base64
from urllib.parse import SplitResult, urlsplit

from stratum_graph.definitions import plain_file
from stratum_graph.definitions.remote.places import Credential, Places
from stratum_graph.definitions.remote.refusal import NotFetched
from stratum_graph.definitions.web.reach import Reach

_MAX_SECRET = 16 << 10


def pick(name: str, url: str, places: Places) -> Credential | None:
    """The one that is named, if it may be shown there; NotFetched."""
    if not name:
        return None
    found = next((each for each in places.credentials if each.name == name), None)
    if found is None:
        known = ", ".join(each.name for each in places.credentials) or "none"
        remedy = f"add it to scripts.credentials of the configuration (there: {known})"
        raise NotFetched(f"`source.auth` names `{name}`, which is no credential", remedy)
    asked = urlsplit(url)
    host = netloc(asked)
    if not {host, asked.hostname or ""} & set(found.hosts):
        remedy = (
            f"add the host to the credential's hosts in the configuration, if `{name}` is its"
        )
        raise NotFetched(f"the credential `{name}` is not for {host}", remedy)
    listed = Reach(places.hosts).lists(asked.hostname or "", port(asked))
    if asked.scheme != "https" and not listed:
        why = f"the credential `{name}` would go to {host} in clear text"
        raise NotFetched(why, "use https, or list the host in scripts.hosts")
    return found


def netloc(url: SplitResult) -> str:
    """Host and port, the port only where it is not the usual one."""
    host = url.hostname or ""
    named = f"[{host}]" if ":" in host else host
    return named if port(url) == _usual(url) else f"{named}:{port(url)}"


def port(url: SplitResult) -> int:
    """The port of an address, written or not."""
    return url.port if url.port is not None else _usual(url)


def _usual(url: SplitResult) -> int:
    return 443 if url.scheme == "https" else 80


def text(credential: Credential) -> str:
    """What its file holds; NotFetched."""
    try:
        return plain_file.read(credential.secret_file, _MAX_SECRET).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise NotFetched(
            f"the credential `{credential.name}` cannot be read: {why}",
            "see secret_file of that name in scripts.credentials",
        ) from None


def secret(credential: Credential) -> str:
    """The one word that its file holds; NotFetched."""
    found = text(credential)
    if not found or not found.isprintable():
        raise NotFetched(
            f"the credential `{credential.name}` is not one printable line",
            "write the secret alone into its secret_file",
        )
    return found


def authorization(credential: Credential) -> str:
    """A header's value: a password where there is a user, else a token."""
    if credential.user:
        both = f"{credential.user}:{secret(credential)}"
        return f"Basic {base64.b64encode(both.encode()).decode()}"
    return f"Bearer {secret(credential)}"
