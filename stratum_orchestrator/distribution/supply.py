"""Where the definitions in force come from: folders, or a bundle that passed every check."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from platform_nats import nkey
from stratum_graph.definitions import plain_file
from stratum_graph.definitions.distribution import pull, trees
from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.pull import Trust, Verified
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.definitions.distribution.shelf import Shelf
from stratum_graph.definitions.distribution.signature import Trusted
from stratum_graph.errors import DistributionError, NotPublished, RegistryDenied, Untrusted
from stratum_orchestrator.config import Settings
from stratum_orchestrator.knowledge import Sources

AWAY = "the source is away"
"""How a warning begins that is over when somebody has reached the source."""
_MAX_PASSWORD = 16 << 10
_NO_SIGNER = (
    "definitions.signers names nobody whose word would count: list the publisher's public key"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Folders to load definitions from, and which bundle they are."""

    sources: Sources
    digest: str = ""
    """Of the bundle; empty for plain folders."""
    generation: str = ""
    """Digest of the graph that the publisher got from it."""
    signer: str = ""
    """Public key; empty where a digest was trusted."""
    warnings: tuple[str, ...] = ()
    """Why this is not what the source would give, if it is not."""
    newer: str = ""
    """What the source's tag stands for by now, if that is something else."""


class Supply:
    """The source that the settings name, and the cache of what was verified."""

    def __init__(self, local: Sources, settings: Settings, project: Path, home: Path) -> None:
        """`local` is what counts where no bundle says anything else."""
        chosen = settings.definitions
        self.local = local
        self.reference = Reference.parse(chosen.source) if chosen.source else None
        if self.reference and self.reference.kind == "dir":
            self.local = replace(local, folders=(project / self.reference.place,))
        self._settings = settings
        self._project = project
        self._cache_root = project / chosen.cache if chosen.cache else home / "bundles"
        self.cache = Layout(self._cache_root)

    @property
    def is_bundle(self) -> bool:
        return self.reference is not None and self.reference.kind != "dir"

    @property
    def moves(self) -> bool:
        """Whether it is a tag, which can stand for another bundle tomorrow."""
        return self.reference is not None and self.is_bundle and bool(self.reference.tag)

    @property
    def trusts_names_alone(self) -> bool:
        """Whether a bundle is trusted because somebody named its digest, not by signature."""
        return self._settings.definitions.trust == "digest"

    @property
    def name(self) -> str:
        """The source as the settings name it."""
        return self._settings.definitions.source

    def resolve(self, active: str = "") -> Resolved:
        """What is to be in force: the active digest, or else what the source names now.

        Blocks for as long as a registry may take. The last verified one goes on serving when
        the source is away or offers what fails a check; Untrusted and the other
        DistributionErrors when there is none.
        """
        if self.reference is None or not self.is_bundle:
            return Resolved(sources=self.local)
        wanted = active or self.reference.wanted
        known, refused = self._cached(wanted)
        if known is not None:
            newer, warnings = self._drift(known.digest)
            return replace(self.laid_out(known, warnings), newer=newer)
        try:
            return self.laid_out(self.fetch(wanted))
        except DistributionError as why:
            last = self._last_good() if not active else None
            if last is None:
                raise (why if isinstance(why, Untrusted) else refused or why) from None
            return self.laid_out(last, (f"the last verified bundle serves: {why}",))

    def fetch(self, wanted: str) -> Verified:
        """Fetch a tag or digest of the source, verify it, and keep it in the cache. Blocks."""
        origin = self.origin()
        found = pull.fetch(origin, wanted, self.trust(), known=self.cache)
        self.keep(found, self._reference().at(wanted))
        return found

    def keep(self, found: Verified, reference: Reference) -> None:
        """Put a verified bundle into the cache, and remember what its tag stood for."""
        self.cache.mend()
        whole, *proofs = found.parcels
        for proof in proofs:
            self.cache.put(proof)
        self.cache.put(whole, _mark(reference) if reference.tag else "")

    def verified(self, wanted: str) -> Verified:
        """A tag or digest that somebody names, from the cache if it is there. Blocks.

        A tag is looked up first, and then it is a digest that somebody named.
        """
        digest = pull.resolve(self.origin(), self._reference().at(wanted).wanted)
        known, _ = self._cached(digest)
        return known if known is not None else self.fetch(digest)

    def standing(self) -> str:
        """The digest that the source's tag stands for now; it proves nothing. Blocks."""
        return pull.resolve(self.origin(), self._reference().wanted)

    def cached(self, digest: str) -> Verified:
        """A bundle of the cache, verified again; NotPublished, Untrusted."""
        return pull.fetch(self.cache, digest, self.trust())

    def origin(self) -> Shelf:
        """The registry or the directory that the source names."""
        return self.shelf(self._reference())

    def shelf(self, reference: Reference) -> Shelf:
        """Any other place, reached as the settings say."""
        if reference.kind == "oci-layout":
            return Layout(self._project / reference.place)
        from stratum_graph.definitions.distribution.oci import (  # noqa: PLC0415 - it is slow
            Registry,
        )

        chosen = self._settings.registry
        access = Access(
            user=chosen.user,
            password=self._password(reference) if chosen.password_file else "",
            ca=str(self._project / chosen.ca_file) if chosen.ca_file else "",
            plain_http=chosen.plain_http,
            answer_s=chosen.timeout,
        )
        return Registry(reference, access)

    def _password(self, reference: Reference) -> str:
        file = self._project / self._settings.registry.password_file
        try:
            return plain_file.read(file, _MAX_PASSWORD).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = str(error.strerror) if isinstance(error, OSError) else "it is no text"
            raise RegistryDenied(str(reference), f"{file} cannot be read: {why}") from None

    def repository(self, reference: Reference) -> str:
        """What signatures of a bundle at that place have to name."""
        return self._settings.definitions.repository or reference.repository

    def trust(self, reference: Reference | None = None, signers: Collection[str] = ()) -> Trust:
        """What has to be proved of a bundle; Untrusted when nobody could.

        Signers that are given count instead of those of the settings, and have to have signed.
        """
        chosen = self._settings.definitions
        if signers:
            chosen = structs.replace(chosen, trust="signature", signers=tuple(signers))
        place = reference or self._reference()
        for check, needed in (
            ("signature", chosen.trust == "signature"),
            ("provenance", chosen.provenance == "required"),
        ):
            if needed and not chosen.signers:
                what = f"bundle {place}"
                raise Untrusted(what, check, _NO_SIGNER)
        return Trust(
            policy=chosen.trust,
            repository=self.repository(place),
            keys=Trusted(frozenset(chosen.signers), nkey.verify),
            provenance=chosen.provenance,
        )

    def collect(self, kept: frozenset[str]) -> int:
        """Remove all but these bundles from the cache; how many went."""
        gone = [each for each in self.held() if each not in kept]
        if gone:
            self.cache.remove(gone)
            for each in gone:
                trees.remove(self._cache_root / "trees", each)
        return len(gone)

    def _reference(self) -> Reference:
        if self.reference is None or not self.is_bundle:
            raise NotPublished("a bundle (definitions.source names none)")  # noqa: TRY003
        return self.reference

    def _cached(self, wanted: str) -> tuple[Verified | None, Untrusted | None]:
        """A digest that is in the cache and passes; or which check it fails there.

        Whatever is wrong with it, it is fetched again then, and has to pass the same checks.
        A tag is looked up where it comes from.
        """
        if not wanted.startswith("sha256:"):
            return None, None
        try:
            return self.cached(wanted), None
        except (NotPublished, OSError):
            return None, None
        except Untrusted as why:
            return None, why

    def _last_good(self) -> Verified | None:
        reference = self._reference()
        if not reference.tag:
            return None
        with suppress(DistributionError, OSError):
            return self.cached(pull.resolve(self.cache, _mark(reference)))
        return None

    def _drift(self, digest: str) -> tuple[str, tuple[str, ...]]:
        """What the source's tag stands for by now, and what is wrong with the source."""
        reference = self._reference()
        try:
            now = pull.resolve(self.origin(), reference.wanted)
        except (DistributionError, OSError) as why:
            return "", (f"{AWAY}, the verified cache serves: {why}",)
        return now if now != digest and reference.tag else "", ()

    def held(self) -> Sequence[str]:
        """The bundles in the cache; none when nobody can tell, until one is fetched again."""
        with suppress(Untrusted, OSError):
            return self.cache.digests()
        return ()

    def laid_out(self, found: Verified, warnings: tuple[str, ...] = ()) -> Resolved:
        """The bundle as folders."""
        tree = trees.lay_out(self._cache_root / "trees", found.listing, found.files)
        sources = replace(
            self.local,
            folders=tree.folders,
            library=tree.library,
            policies=tree.policies,
            principals=tree.principals or self.local.principals,
            scripts=replace(self.local.scripts, is_closed=True),  # it holds them
        )
        return Resolved(
            sources=sources,
            digest=found.digest,
            generation=found.listing.generation,
            signer=found.signed.signer if found.signed else "",
            warnings=warnings,
        )


def _mark(reference: Reference) -> str:
    """How the cache calls a tag of a source."""
    return f"{reference.place}/{reference.repository}:{reference.tag}"
