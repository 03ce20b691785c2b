"""Kept versions of the definitions as graphs, made when an event names one; a few at hand."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio

from stratum_graph.errors import DistributionError, GraphError, NotPublished
from stratum_graph.generation import Generation
from stratum_graph.model import Definition
from stratum_orchestrator import knowledge
from stratum_orchestrator.auth.cedar import CedarAuthorizer
from stratum_orchestrator.auth.entities import PipelineFacts
from stratum_orchestrator.distribution.supply import Resolved, Supply
from stratum_orchestrator.distribution.versions import HISTORY
from stratum_orchestrator.errors import Refused
from stratum_orchestrator.saga.edition import CODE, HEADER, InForceAlone
from stratum_orchestrator.saga.rules import Rules
from stratum_state.activation import ActivationRecord
from stratum_state.tracker import StateTracker

_AT_HAND = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edition:
    """A version that was verified and compiled."""

    bundle: str
    generation: Generation
    facts: Mapping[str, PipelineFacts]

    def over(self, rules: Rules) -> Rules:
        """The rules in force over this graph."""
        law = rules.authorizer
        known = law.use(self.facts) if isinstance(law, CedarAuthorizer) else law
        return replace(rules, generation=self.generation, authorizer=known)


class KeptEditions:
    """Finds versions in the cache of bundles; one that was in force is fetched again."""

    def __init__(
        self,
        supply: Supply,
        tracker: StateTracker,
        in_force: Callable[[], str],
        compiled: Callable[[Resolved], Awaitable[Generation]],
    ) -> None:
        """`in_force` is the digest of the bundle; `compiled` makes a graph, or GraphError."""
        self._supply = supply
        self._tracker = tracker
        self._in_force = in_force
        self._compiled = compiled
        self._known: dict[str, _Edition] = {}
        self._turn = anyio.Lock()

    @property
    def definitions(self) -> Sequence[Definition]:
        """What runs of the versions at hand would need."""
        return [each for x in self._known.values() for each in x.generation.definitions]

    @property
    def generations(self) -> Collection[Generation]:
        """Those at hand."""
        return [each.generation for each in self._known.values()]

    async def find(self, wanted: str, rules: Rules) -> Rules:
        """See `saga.edition.Editions`. Raises Unavailable, too."""
        if wanted == rules.generation.digest or wanted == self._in_force():
            return rules
        if not self._supply.is_bundle:
            return await InForceAlone().find(wanted, rules)
        async with self._turn:  # a version is made once, however many events wait for it
            found = self._at_hand(wanted) or await self._made(wanted)
            self._known[found.bundle] = self._known.pop(found.bundle, found)
            while len(self._known) > _AT_HAND:
                del self._known[next(iter(self._known))]
        return found.over(rules)

    def _at_hand(self, wanted: str) -> _Edition | None:
        return next(
            (x for x in self._known.values() if wanted in {x.bundle, x.generation.digest}), None
        )

    async def _made(self, wanted: str) -> _Edition:
        history = [
            each
            for each in await self._tracker.activations(limit=HISTORY)
            if each.source == self._supply.name and wanted in {each.digest, each.generation}
        ]
        bundle = history[0].digest if history else wanted
        try:
            resolved = await anyio.to_thread.run_sync(self._resolved, bundle, history)
            generation = await self._compiled(resolved)
        except NotPublished:
            raise Refused(CODE, _not_kept(wanted)) from None
        except (GraphError, OSError) as why:
            away = isinstance(why, DistributionError | OSError)
            verb = "cannot be had" if away else "does not compile here"
            remedy = f"leave {HEADER} out to run what is in force"
            raise Refused(CODE, f"version {wanted} {verb}: {why}; {remedy}") from None
        log.info("version at hand", extra={"digest": bundle, "generation": generation.digest})
        return _Edition(bundle=bundle, generation=generation, facts=knowledge.facts(generation))

    def _resolved(self, bundle: str, history: Sequence[ActivationRecord]) -> Resolved:
        """Verified again, and laid out; NotPublished when it is not kept. Blocks."""
        if history:
            return self._supply.laid_out(self._supply.verified(bundle))
        if self._supply.trusts_names_alone:  # naming it in an event is not what that means
            raise NotPublished(bundle)
        return self._supply.laid_out(self._supply.cached(bundle))


def _not_kept(wanted: str) -> str:
    return (
        f"version {wanted} is not kept here: `stratum versions` lists those that are, "
        f"`stratum pull {wanted}` keeps one that was never in force"
    )
