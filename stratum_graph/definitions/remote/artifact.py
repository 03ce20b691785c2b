"""One script from an OCI registry: the layer that has the digest, of what the address names."""

from stratum_graph.definitions.descriptor import Descriptor, Source
from stratum_graph.definitions.distribution import bundle, pull, verify
from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.distribution.oci import Registry
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.definitions.distribution.verify import Limits, Manifest
from stratum_graph.definitions.remote import credential
from stratum_graph.definitions.remote.download import beyond
from stratum_graph.definitions.remote.places import Places
from stratum_graph.definitions.remote.refusal import NotFetched
from stratum_graph.definitions.snapshot import MAX_SOURCE
from stratum_graph.definitions.web.cord import Cord
from stratum_graph.definitions.web.reach import OutOfReach, Reach
from stratum_graph.errors import (
    BadReference,
    NotPublished,
    RegistryDenied,
    RegistryUnavailable,
    Untrusted,
)

_SHOWN = 5


def fetch(
    wanted: Descriptor, source: Source, places: Places, reach: Reach, cord: Cord
) -> bytes:
    """The bytes of the layer with the digest that the descriptor asks for; NotFetched."""
    try:
        reference = Reference.parse(wanted.uri)
    except BadReference:
        reference = None
    if reference is None or reference.kind != "oci":
        raise NotFetched("`uri` names no artifact", "write `oci://REGISTRY/REPOSITORY:TAG`")
    access = _access(reference, source, places)
    try:
        return _layer(Registry(reference, access, reach, cord), reference, wanted.sha256)
    except OutOfReach as refused:
        raise beyond(refused) from None
    except NotPublished as absent:
        raise NotFetched(str(absent), "") from None
    except RegistryDenied:
        raise NotFetched(
            f"{reference.place} does not let us have it",
            "see `source.auth` and that name in scripts.credentials",
        ) from None
    except RegistryUnavailable as away:
        remedy = "it is tried again by and by; see that the registry answers"
        raise NotFetched(str(away), remedy, away=reference.place) from None
    except Untrusted as refused:
        raise NotFetched(str(refused), "push it anew with a client that is sound") from None


def _access(reference: Reference, source: Source, places: Places) -> Access:
    chosen = credential.pick(source.auth, f"https://{reference.place}/", places)
    return Access(
        user=chosen.user if chosen else "",
        password=credential.secret(chosen) if chosen else "",
        ca=places.ca,
        answer_s=source.timeout,
        body_s=source.timeout,
        whole_s=source.timeout,
    )


def _layer(shelf: Registry, reference: Reference, sha256: str) -> bytes:
    raw = shelf.manifest(reference.wanted)
    manifest = verify.parse(raw, str(reference), Limits(), wanted=reference.wanted)
    digest = f"sha256:{sha256}"
    found = next((each for each in manifest.layers if each.digest == digest), None)
    if found is None:
        held = ", ".join(_titles(manifest)[:_SHOWN]) or "nothing"
        raise NotFetched(
            f"{reference} holds no file with the sha256 {sha256[:12]}… (it holds {held})",
            "correct `sha256`, or name the artifact by its digest: tags move",
        )
    if found.size > MAX_SOURCE:
        raise NotFetched(f"it has {found.size} bytes, of at most {MAX_SOURCE}", "split it")
    return pull.read(shelf, found, MAX_SOURCE, str(reference))


def _titles(manifest: Manifest) -> list[str]:
    return [
        f"{each.annotations.get(bundle.TITLE, 'a file')} {each.digest[7:19]}…"
        for each in manifest.layers
    ]
