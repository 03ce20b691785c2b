"""A desk over the store in memory, and the API served from it on loopback."""

import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence, Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256

import aiohttp
import anyio
from yarl import URL

from platform_nats.envelope import Outgoing, seal
from platform_nats.errors import TransportError
from platform_nats.nkey import UserKey
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.generation import Generation, compile_graph
from stratum_graph.model import Plan, Principal
from stratum_orchestrator.api.desk import Check, Event, Instance, Outcome, Status, Version
from stratum_orchestrator.api.guard import Door
from stratum_orchestrator.api.http import serve
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.api.news import News
from stratum_orchestrator.api.visitor import Question, Reception, Visitor, no_token
from stratum_orchestrator.distribution.difference import Change, changes
from stratum_orchestrator.errors import Impossible, OrchestratorError
from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.attention import Attention, Needy
from stratum_orchestrator.saga.instruction import Obeyed, Wish
from stratum_orchestrator.saga.standings import Standings
from stratum_state.activation import ActivationRecord
from stratum_state.decision import DecisionRecord
from stratum_state.evidence import Evidence
from stratum_state.memory import MemoryStore
from stratum_state.model import Fact, JournalLine, PipelineRun, Trail, VerdictRecord
from stratum_state.standing import Standing, StandingRecord
from stratum_state.store import DecisionFilter, RunFilter, VerdictFilter
from support import signing
from support.graph import node
from support.records import a_standing, an_activation
from support.saga import Everyone

TOKEN = "let-me-in"  # noqa: S105 - guards nothing


async def unrecorded(*_facts: Fact) -> None:
    """Keep nothing."""


class Doorman:
    """Lets in who has the one token, to do everything."""

    def receive(self, digest: str, grant: str) -> Visitor:
        if digest != sha256(TOKEN.encode()).hexdigest():
            raise no_token()
        return Visitor(
            principal=Principal(key="UOPERATOR", name="operator"),
            token="test",  # noqa: S106 - a name
            digest=digest,
            grant=grant,
        )

    def ask(
        self,
        visitor: Visitor,
        action: str,
        pipeline: str,
        about: Mapping[str, str],
        run: str | None = "",
    ) -> Decision:
        del run
        return Everyone().decide(visitor.principal, action, pipeline, about)

    async def settle(self) -> None:
        """Nothing is on record."""

    def explain(self, asked: Question) -> Mapping[str, object]:
        return {"asked": asked.principal}

    def is_welcome(self, visitor: Visitor) -> bool:
        return visitor.principal.active

    def about(self, fact: PipelineRun | VerdictRecord) -> Mapping[str, str]:
        return {"publisher": fact.publisher}


class Notebook:
    """Operations that only remember what was wished, or refuse."""

    def __init__(self) -> None:
        self.wishes: list[tuple[str, ...]] = []
        self.refusal: OrchestratorError | None = None
        self.new = ""
        """The run that a retry makes."""

    async def cancel(self, run_id: str, wish: Wish) -> Obeyed:
        return self._take("cancel", run_id, wish)

    async def abandon(self, run_id: str, wish: Wish) -> Obeyed:
        return self._take("abandon", run_id, wish)

    async def retry(self, run_id: str, wish: Wish, *, again: bool) -> Obeyed:
        obeyed = self._take("retry again" if again else "retry", run_id, wish)
        return Obeyed(run=self.new or run_id, detail=obeyed.detail)

    async def undo_again(self, run_id: str, node: str, wish: Wish) -> Obeyed:
        return self._take(f"undo {node} again", run_id, wish)

    async def waive(self, run_id: str, node: str, wish: Wish) -> Obeyed:
        return self._take(f"waive {node}", run_id, wish)

    async def approve(self, run_id: str, node: str, wish: Wish) -> Obeyed:
        return self._take(f"approve {node}", run_id, wish)

    async def reject(self, run_id: str, node: str, wish: Wish) -> Obeyed:
        return self._take(f"reject {node}", run_id, wish)

    def _take(self, what: str, run_id: str, wish: Wish) -> Obeyed:
        if self.refusal is not None:
            raise self.refusal
        self.wishes.append((what, run_id, wish.by, wish.reason))
        return Obeyed(run=run_id, detail="it is done (permitted by operators.runs)")


class Registrar:
    """Notes what is to be in force, or refuses."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Wish]] = []
        self.refusal: Exception | None = None

    async def activate(self, wanted: str, wish: Wish) -> ActivationRecord:
        self.asked.append((wanted, wish))
        if self.refusal is not None:
            raise self.refusal
        return an_activation(1_750_000_000_000, by=wish.by, reason=wish.reason)

    async def rollback(self, wish: Wish) -> ActivationRecord:
        return await self.activate("rollback", wish)

    async def versions(self) -> Sequence[Version]:
        return [
            Version(
                digest="sha256:" + "a" * 64,
                generation="sha256:graph",
                signer="",
                activated=1_750_000_000_000,
                by="olga",
                is_active=True,
                is_cached=True,
                live_runs=7,
                runs=("1", "2"),
            )
        ]

    async def difference(self, old: str, new: str) -> Sequence[Change]:
        del old, new
        if self.refusal is not None:
            raise self.refusal
        return list(changes({"run.nu": b"a\n"}, {"run.nu": b"b\n", "more": b"\0"}))

    async def history(self) -> Sequence[ActivationRecord]:
        return [an_activation(1_750_000_000_000)]


class Wardens:
    """Has pipelines stand as it is told, or refuses."""

    def __init__(self) -> None:
        self.standings = Standings()
        self.refusal: OrchestratorError | None = None

    async def stand(self, pipeline: str, kind: Standing, wish: Wish) -> StandingRecord:
        if self.refusal is not None:
            raise self.refusal
        record = a_standing(pipeline, kind, by=wish.by, reason=wish.reason)
        self.standings.take([record])
        return record

    def waiting(self, pipeline: str) -> int:
        return 3 if self.standings.holds(pipeline) else 0


class Hinted:
    """Notes the hints."""

    def __init__(self) -> None:
        self.heard_of: list[AbstractSet[str] | None] = []

    def heard(self, repositories: AbstractSet[str] | None) -> bool:
        self.heard_of.append(repositories)
        return repositories != frozenset()


class MemoryDesk:
    """Answers from a store in memory; each write is a change."""

    def __init__(self) -> None:
        self.store = MemoryStore(signer=signing.SIGNER)
        self.found: list[Check] = [Check(name="nats", ok=True), Check(name="store", ok=True)]
        self.generation: Generation | None = compile_graph(
            [node("lint", gives="linted", on="events.push"), node("build", needs="linted")]
        ).generation
        self.operations = Notebook()
        self.activations = Registrar()
        self.pipelines = Wardens()
        self.hints = Hinted()
        self.outcome = Outcome(kind="unchanged", reason="", generation="sha256:1", at=0)
        """What a reload comes to."""
        self.attentions: dict[str, Attention] = {}
        self.news = News(kept=8)
        self.passed: list[tuple[str, dict[str, str], bytes]] = []
        """Events that were passed on to the broker."""
        self.broker: TransportError | None = None
        """What is wrong with it."""
        self.fault: Exception | None = None
        """Of ours, when somebody asks for the graph."""
        self.key: UserKey | None = UserKey.generate()
        """Of whoever asks."""
        self.waiting = 0
        self.longest_s = math.inf
        """Nobody waits longer here, whatever was asked for."""
        self._change = 0
        self._changed = anyio.Event()

    async def write(self, *facts: Fact) -> None:
        """Record facts and wake whoever waits."""
        await self.store.write(facts)
        self.news.observe(facts)
        self._change += 1
        woken, self._changed = self._changed, anyio.Event()
        woken.set()

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        return await self.store.runs(wanted, after=after, limit=limit)

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        return await self.store.match(prefix, limit=limit)

    async def change(self, run_id: str, *, seen: int | None, within_s: float) -> int:
        del run_id
        if seen == self._change:
            await self._wait(within_s)
        return self._change

    async def trail(self, run_id: str) -> Trail | None:
        return await self.store.trail(run_id)

    async def plan(self, digest: str) -> Plan | None:
        del digest
        return self.generation.plans("events.push")[0] if self.generation else None

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return await self.store.journal(run_id)

    async def evidence(self, run_id: str) -> Evidence | None:
        return await self.store.evidence(run_id)

    async def verdicts(
        self, wanted: VerdictFilter, *, after: str | None, limit: int
    ) -> Sequence[VerdictRecord]:
        return await self.store.verdicts(after=after, limit=limit, wanted=wanted)

    async def verdict(self, sequence: int, *, within_s: float) -> VerdictRecord | None:
        if (known := await self._verdict(sequence)) is None:
            if self.broker is not None:
                raise self.broker
            await self._wait(within_s)
            known = await self._verdict(sequence)
        return known

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        return await self.store.decisions(wanted, after=after, limit=limit)

    async def needy(self, *, after: str | None, limit: int) -> Sequence[Needy]:
        found = await self.store.runs(RunFilter(), after=after, limit=1000)
        return [
            Needy(run=run, attention=self.attentions[run.id])
            for run in found
            if run.id in self.attentions
        ][:limit]

    async def asking(self, *, after: str | None, limit: int) -> Sequence[Trail]:
        runs = await self.store.asking(after=after, limit=limit)
        found = [await self.store.trail(each) for each in runs]
        return [each for each in found if each is not None]

    def attention(self, trail: Trail) -> Attention | None:
        return self.attentions.get(trail.run.id)

    async def pass_on(self, subject: str, headers: Mapping[str, str], body: bytes) -> int:
        if self.broker is not None:
            raise self.broker
        self.passed.append((subject, dict(headers), body))
        return len(self.passed)

    async def seal(
        self, who: Principal, event: Event, event_id: str | None
    ) -> Mapping[str, str]:
        if self.key is None:
            raise Impossible("no-key", f"no key of {who.name}", "make one")
        said = Outgoing(
            subject=event.subject,
            body=event.body,
            event_id=event_id or "fresh",
            time_ms=1_750_000_000_000,
            headers=event.headers,
        )
        try:
            return seal(self.key, "test", said)
        except TransportError as why:
            raise Impossible("cannot-sign", str(why), "mend it") from None

    async def instances(self) -> Sequence[Instance]:
        return [
            Instance(lane="0", name="here", heard_ms=12, is_this=True),
            Instance(lane="1", name="", heard_ms=90_000, is_this=False),
        ]

    async def reload(self, wish: Wish) -> Outcome:
        if self.operations.refusal is not None:
            raise self.operations.refusal
        return replace(self.outcome, reason=f"{wish.by}: {wish.reason}")

    def graph(self) -> Generation | None:
        if self.fault is not None:
            raise self.fault
        return self.generation

    def checks(self) -> Sequence[Check]:
        return self.found

    def status(self) -> Status:
        return Status(
            version="1.2.3",
            instance="here",
            started=1_750_000_000_000,
            generation="sha256:generation",
            diagnostics=(Diagnostic(file="a.ncl", message="a field is unknown"),),
            checks=tuple(self.found),
        )

    async def _verdict(self, sequence: int) -> VerdictRecord | None:
        known = await self.store.verdicts(after=None, limit=1000)
        return next((each for each in known if each.sequence == sequence), None)

    async def _wait(self, within_s: float) -> None:
        self.waiting += 1
        with anyio.move_on_after(min(within_s, self.longest_s)):
            await self._changed.wait()
        self.waiting -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of the API, read whole."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> dict[str, object]:
        decoded = json.loads(self.text)
        assert isinstance(decoded, dict)
        return decoded


class FixedClock:
    """Always the same moment."""

    def now_ms(self) -> int:
        return 1_750_000_010_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A desk with its API in front of it, and a client that has the token."""

    desk: MemoryDesk
    metrics: Metrics
    url: str
    session: aiohttp.ClientSession = field(repr=False)

    async def get(self, path: str, **headers: str | None) -> Answer:
        return await self.ask("GET", path, headers)

    async def post(self, path: str, told: object, **headers: str | None) -> Answer:
        asked = {"Content-Type": "application/json"} | headers
        return await self.ask("POST", path, asked, json.dumps(told).encode())

    async def ask_raw(self, path: str) -> Answer:
        """GET a path exactly as it is written."""
        asked = {"Authorization": f"Bearer {TOKEN}"}
        address = URL(self.url + path, encoded=True)
        async with self.session.get(address, headers=asked) as response:
            text = await response.text()
        return Answer(status=response.status, headers=response.headers, text=text)

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str | None],
        body: bytes | None = None,
    ) -> Answer:
        asked = {"Authorization": f"Bearer {TOKEN}"} | dict(headers)
        sent = {name.replace("_", "-"): value for name, value in asked.items() if value}
        async with self.session.request(
            method, self.url + path, headers=sent, data=body
        ) as response:
            text = await response.text()
        return Answer(status=response.status, headers=response.headers, text=text)


@asynccontextmanager
async def served(
    *, read_s: float = 10, reception: Reception | None = None, is_reserved: bool = False
) -> AsyncIterator[Served]:
    """The API on a free port, over an empty desk."""
    desk, metrics = MemoryDesk(), Metrics(FixedClock(), version="1.2.3")
    door = Door(reception=reception or Doorman(), read_s=read_s, is_reserved=is_reserved)
    async with serve(desk, metrics, door) as url, aiohttp.ClientSession() as session:
        yield Served(desk=desk, metrics=metrics, url=url, session=session)
