"""What to ask a web server for a script: the address, and the headers that prove who asks."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from stratum_graph.definitions.descriptor import Descriptor, Source
from stratum_graph.definitions.remote import credential, signing
from stratum_graph.definitions.remote.access_key import access_key
from stratum_graph.definitions.remote.places import Places
from stratum_graph.definitions.remote.refusal import NotFetched

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_GCS = "https://storage.googleapis.com"


class Request(NamedTuple):
    """One GET."""

    url: str
    headers: Callable[[], Mapping[str, str]]
    """Made anew for each try: some are good for minutes only."""

    @property
    def host(self) -> str:
        return credential.netloc(urlsplit(self.url))


def request(wanted: Descriptor, source: Source, places: Places) -> Request:
    """What to ask; NotFetched when the descriptor cannot be meant."""
    match source.type:
        case "s3":
            return _s3(wanted.uri, source, places)
        case "gcs":
            return _gcs(wanted.uri, source, places)
        case _:
            return _http(wanted.uri, source, places)


def _http(uri: str, source: Source, places: Places) -> Request:
    _checked(uri, "uri")
    return Request(uri, _shown(uri, source, places))


def _gcs(uri: str, source: Source, places: Places) -> Request:
    bucket, name = _object(uri, "gs")
    place = _endpoint(source, _GCS)
    url = f"{place}/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
    return Request(url, _shown(url, source, places))


def _s3(uri: str, source: Source, places: Places) -> Request:
    bucket, name = _object(uri, "s3")
    region = source.region or "us-east-1"
    place = _endpoint(source, f"https://s3.{region}.amazonaws.com")
    url = f"{place}{signing.path_of(bucket, name)}"
    chosen = credential.pick(source.auth, url, places)
    if chosen is None:
        return Request(url, dict)
    key = access_key(chosen, region)

    def headers() -> Mapping[str, str]:
        return signing.signed(url, key, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))

    return Request(url, headers)


def _shown(url: str, source: Source, places: Places) -> Callable[[], Mapping[str, str]]:
    chosen = credential.pick(source.auth, url, places)
    if chosen is None:
        return dict
    said = credential.authorization(chosen)
    return lambda: {"authorization": said}


def _object(uri: str, scheme: str) -> tuple[str, str]:
    """Bucket and name of an object."""
    found, _, rest = uri.partition("://")
    bucket, _, name = rest.partition("/")
    dotted = {".", ".."} & set(name.split("/"))  # clients and servers would not agree on it
    if found != scheme or not _BUCKET.fullmatch(bucket) or not name or dotted:
        raise NotFetched("`uri` names no object", f"write `{scheme}://BUCKET/PATH`")
    return bucket, name


def _endpoint(source: Source, usual: str) -> str:
    """Where the store answers."""
    place = source.endpoint.rstrip("/") or usual
    _checked(place, "source.endpoint")
    asked = urlsplit(place)
    if asked.query:
        raise NotFetched("`source.endpoint` has a query", "write the address alone")
    return f"{asked.scheme}://{credential.netloc(asked)}{asked.path}"


def _checked(url: str, field: str) -> None:
    """NotFetched for what is no plain web address."""
    try:
        asked = urlsplit(url)
        known = asked.scheme in {"http", "https"} and asked.hostname and credential.port(asked)
    except ValueError:
        known, asked = "", urlsplit("")
    if not known or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise NotFetched(f"`{field}` is no web address", "write `https://HOST/PATH`")
    if "@" in asked.netloc:
        why = f"`{field}` holds a user or a password"
        raise NotFetched(why, "name a credential of the configuration in `source.auth`")
    if asked.fragment:
        raise NotFetched(f"`{field}` has a `#`", "leave it out: servers never see it")
