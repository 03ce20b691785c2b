"""Bundles as the command line deals with them: where they are, and what went wrong there."""

from collections.abc import Iterator, Sequence, Set as AbstractSet
from contextlib import contextmanager

from platform_nats import nkey
from platform_nats.errors import InvalidKey
from stratum_graph.definitions.distribution.pull import Trust
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.definitions.distribution.signature import Trusted
from stratum_graph.errors import (
    BadReference,
    DistributionError,
    NotPublished,
    RegistryDenied,
    RegistryUnavailable,
)
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.workspace import Workspace
from stratum_orchestrator.distribution.supply import Supply


class NoSource(Stop):
    """Nothing says which bundle is meant."""

    def __init__(self) -> None:
        super().__init__(
            "no bundle is named",
            remedy="name one, such as oci-layout:bundles:v1, or set definitions.source",
            code=Exit.USAGE,
        )


class NoPublicKey(Stop):
    """A signer is named who cannot be one."""

    def __init__(self, given: str, why: InvalidKey) -> None:
        super().__init__(
            f"--signer {given[:64]!r} is no public key: {why}",
            remedy="`stratum keys show` prints the public half of a key",
            code=Exit.USAGE,
        )


class Unusable(Stop):
    """A folder or a file on the way is not what it should be."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"{error.filename or 'the place'} cannot be used: {error.strerror or error}",
            remedy="see that it is a folder, who may use it, and what room there is",
            code=Exit.IO,
        )


def supply(face: Face, place: Workspace) -> Supply:
    """The source that the project's settings name, and its cache."""
    with told():
        return Supply(place.sources, place.settings, place.project, face.home.absolute())


def reference(supply: Supply, given: str) -> Reference:
    """What was named, a tag or digest of the configured source, or that source itself."""
    with told():
        if ":" in given and not given.startswith("sha256:"):
            found = Reference.parse(given)
        elif supply.reference is None:
            raise NoSource
        else:
            found = supply.reference.at(given) if given else supply.reference
    if found.kind == "dir":
        raise NoSource
    return found


def public_keys(given: Sequence[str]) -> Sequence[str]:
    """What was named as signers; Stop when it is no public key."""
    for each in given:
        try:
            nkey.check_public(each)
        except InvalidKey as why:
            raise NoPublicKey(each, why) from None
    return given


def trust_in(signers: AbstractSet[str], repository: str) -> Trust:
    """Trust in what these keys have signed, and in nothing else."""
    keys = Trusted(frozenset(signers), nkey.verify)
    return Trust(policy="signature", repository=repository, keys=keys)


@contextmanager
def told() -> Iterator[None]:
    """What stands in the way of a bundle, as the end of the command."""
    try:
        yield
    except BadReference as bad:
        raise Stop(str(bad), code=Exit.USAGE) from None
    except NotPublished as absent:
        raise Stop(str(absent), code=Exit.NOT_FOUND) from None
    except RegistryDenied as denied:
        raise Stop(str(denied), code=Exit.PERMISSION) from None
    except RegistryUnavailable as away:
        raise Stop(str(away), code=Exit.UNAVAILABLE) from None
    except DistributionError as refused:
        raise Stop(str(refused), code=Exit.REFUSED) from None
    except OSError as error:
        raise Unusable(error) from None
