"""Which bundle is in force: allowed by the policies, on record, then brought into force."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import anyio

from stratum_graph.definitions.distribution.pull import Verified
from stratum_graph.definitions.distribution.signature import signed_at
from stratum_graph.errors import BadReference, DistributionError, GraphError, NotPublished
from stratum_graph.model import Principal
from stratum_orchestrator.api.desk import Version
from stratum_orchestrator.distribution.difference import Change, changes
from stratum_orchestrator.distribution.supply import Resolved, Supply
from stratum_orchestrator.distribution.versions import HISTORY, versions
from stratum_orchestrator.errors import Denied, Impossible
from stratum_orchestrator.ports import Clock, Decision
from stratum_orchestrator.saga.delegation import Asker, Matter, decide
from stratum_orchestrator.saga.instruction import Wish
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_state import canonical
from stratum_state.activation import ActivationKind, ActivationRecord, activation_id
from stratum_state.errors import Unavailable
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Activations:
    """What may be done about the bundle in force. Raises Denied, Impossible."""

    supply: Supply
    operator: Principal
    rules: Callable[[], Rules]
    rulings: Rulings
    tracker: StateTracker
    clock: Clock
    check: Callable[[Resolved], Awaitable[str]]
    """Compiles a bundle and brings nothing into force; the graph's digest, or GraphError."""
    reload: Callable[[ActivationRecord], Awaitable[None]]
    """Brings into force what is on record."""
    tell: Callable[[str], Awaitable[None]]
    """Lets the other instances know that something is on record."""
    apart: Callable[[Callable[[], Awaitable[ActivationRecord]]], Awaitable[ActivationRecord]]
    """Does it to its end, whatever becomes of whoever asked."""
    keep: int
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    async def activate(self, wanted: str, wish: Wish) -> ActivationRecord:
        """Bring a tag or digest of the source into force; durable on return."""
        decision = self._allow(wish)
        return await self._in_turn(wanted, wish, decision, ActivationKind.ACTIVATED)

    async def rollback(self, wish: Wish) -> ActivationRecord:
        """Bring back into force what was before; durable on return."""
        decision = self._allow(wish)
        current = await latest(self.tracker, self.supply.name)
        if current is None or not current.previous:
            raise Impossible(
                "nothing-before",
                "nothing of this source was in force before",
                "name a version: stratum versions, then stratum activate DIGEST",
            )
        kind = ActivationKind.ROLLED_BACK
        return await self._in_turn(current.previous, wish, decision, kind)

    async def follow(self, digest: str) -> bool:
        """Bring into force what the source's tag has moved to; whether that was done.

        What was in force before is not taken again: somebody may have gone back from it. Nor is
        what was signed before that: a registry may offer whatever was ever signed. Impossible.
        """
        if any(each.digest == digest for each in await self.history()):
            return False
        reason = f"{self.supply.name} stands for it (definitions.follow)"
        wish = Wish(by="configuration", reason=reason)
        decision = self._allow(wish)
        await self._insist_on_progress(await self._verified(digest))
        await self._in_turn(digest, wish, decision, ActivationKind.ACTIVATED)
        return True

    async def _insist_on_progress(self, found: Verified) -> None:
        current = await latest(self.tracker, self.supply.name)
        if current is None:
            return
        was = signed_at((await self._cached(current.digest)).signed)
        now = signed_at(found.signed)
        if was is not None and (now is None or now < was):
            when = f"signed {now.isoformat()}" if now else "not said to be signed at any time"
            raise Impossible(
                "older",
                f"it was {when}, and what is in force {was.isoformat()}",
                f"if it is meant: stratum activate {found.digest}",
            )

    async def overhear(self) -> None:
        """Follow what another instance has put on record."""
        async with self._turn:
            try:
                current = await latest(self.tracker, self.supply.name)
            except Unavailable:  # it is asked again at the next occasion
                log.debug("activations not read: the store is away")
                return
            if current is None:
                return
            try:
                await self.reload(current)
            except (GraphError, OSError) as why:
                facts = {"digest": current.digest, "why": str(why)}
                log.warning("activation not followed", extra=facts)

    async def history(self) -> Sequence[ActivationRecord]:
        """Every activation that is on record, newest first."""
        return await self.tracker.activations(limit=HISTORY)

    async def versions(self) -> Sequence[Version]:
        """The bundles that were in force, the latest first; then others that are kept."""
        return await versions(self.supply, self.tracker)

    async def difference(self, old: str, new: str) -> Sequence[Change]:
        """What differs between two bundles that are kept here; Impossible when one is not."""
        before, after = await self._cached(old), await self._cached(new)
        return list(changes(before.files, after.files))

    async def _cached(self, digest: str) -> Verified:
        try:
            return await anyio.to_thread.run_sync(self.supply.cached, digest)
        except (DistributionError, OSError) as why:
            remedy = f"fetch it: stratum pull {digest}"
            raise Impossible("not-kept", f"{digest} is not here: {why}", remedy) from None

    async def kept(self) -> frozenset[str]:
        """Digests that the cache has to keep: the latest ones, and those of live runs."""
        versions = await self.versions()
        return frozenset(
            each.digest for at, each in enumerate(versions) if at < self.keep or each.live_runs
        )

    async def _in_turn(
        self, wanted: str, wish: Wish, decision: Decision, kind: ActivationKind
    ) -> ActivationRecord:
        async def do() -> ActivationRecord:
            async with self._turn:
                return await self._activate(wanted, wish, decision, kind)

        return await self.apart(do)

    async def _activate(
        self, wanted: str, wish: Wish, decision: Decision, kind: ActivationKind
    ) -> ActivationRecord:
        found = await self._verified(wanted)
        current = await latest(self.tracker, self.supply.name)
        if current is not None and current.digest == found.digest:
            why = f"{found.digest} is in force already"
            raise Impossible("already-active", why, "see stratum versions")
        resolved = await anyio.to_thread.run_sync(self.supply.laid_out, found)
        try:
            generation = await self.check(resolved)
        except (GraphError, OSError) as why:
            remedy = "publish one that compiles here; what is in force stays"
            raise Impossible("does-not-compile", str(why), remedy) from None
        record = self._record(found, wish, decision, kind)
        previous = current.digest if current else ""
        record = replace(record, generation=generation, previous=previous)
        await self.tracker.record(record)
        log.warning("bundle activated", extra={"digest": record.digest, "by": record.by})
        await self.reload(record)
        await self.tell(record.digest)
        await self._tidy()
        return record

    def _record(
        self, found: Verified, wish: Wish, decision: Decision, kind: ActivationKind
    ) -> ActivationRecord:
        now = self.clock.now_ms()
        return ActivationRecord(
            id=activation_id(now, found.digest),
            source=self.supply.name,
            digest=found.digest,
            previous="",
            generation="",
            signer=found.signed.signer if found.signed else "",
            kind=kind,
            by=wish.by,
            reason=wish.reason,
            authorization=canonical.text(asdict(decision)),
            at=now,
        )

    async def _verified(self, wanted: str) -> Verified:
        if not self.supply.is_bundle:
            raise Impossible(
                "no-bundle",
                "the definitions come from folders, which are what they are",
                "set definitions.source, and start again",
            )
        try:
            return await anyio.to_thread.run_sync(self.supply.verified, wanted)
        except BadReference as bad:
            raise Impossible("bad-reference", str(bad), "give a tag or a digest") from None
        except (DistributionError, OSError) as why:
            code = "not-published" if isinstance(why, NotPublished) else "not-verified"
            raise Impossible(code, str(why), "what is in force stays") from None

    async def _tidy(self) -> None:
        """Let go of old bundles; whatever stands in the way is for the next time."""
        kept = await self.kept()
        try:
            gone = await anyio.to_thread.run_sync(self.supply.collect, kept)
        except (DistributionError, OSError) as why:
            log.warning("old bundles stay", extra={"why": str(why)})
            return
        if gone:
            log.info("old bundles removed", extra={"count": gone})

    def _allow(self, wish: Wish) -> Decision:
        asker = wish.asker or Asker(principal=self.operator)
        now = self.clock.now_ms()
        matter = Matter(action="activate", pipeline="", now_ms=now, about={})
        decision = decide(self.rules(), asker, matter)
        if wish.asker is None or not decision.allowed:  # else it was noted at the door
            self.rulings.note(asker, matter, decision)
        if not decision.allowed:
            raise Denied("activate", "the daemon", decision.reason)
        return decision


async def latest(tracker: StateTracker, source: str) -> ActivationRecord | None:
    """What is in force of a source: its latest activation, unless another source was later.

    A source that the settings name anew begins with what it says there.
    """
    found = await tracker.activations(limit=1)
    return found[0] if found and found[0].source == source else None


def configured(resolved: Resolved, source: str, generation: str, now: int) -> ActivationRecord:
    """The first activation of a source: the settings name it."""
    return ActivationRecord(
        id=activation_id(now, resolved.digest),
        source=source,
        digest=resolved.digest,
        previous="",
        generation=generation,
        signer=resolved.signer,
        kind=ActivationKind.CONFIGURED,
        by="configuration",
        reason="definitions.source names it",
        authorization="{}",
        at=now,
    )
