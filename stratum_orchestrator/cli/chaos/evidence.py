"""Reading everything that is on record of a home, for the oracle."""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import anyio
import msgspec

from platform_nats.connection import ConnectionSettings, connect
from platform_nats.statement import EVENT_ID
from platform_nats.streams import STATUS, STATUS_PREFIX
from stratum_graph.definitions.content import ContentStore, digest_of
from stratum_graph.errors import GraphError
from stratum_graph.model import Plan
from stratum_orchestrator import config, storage
from stratum_orchestrator.audit.observed import Announced, Observed, Process
from stratum_orchestrator.execution.marks import name_of
from stratum_orchestrator.home import DAEMON, Home
from stratum_orchestrator.saga.plans import Plans
from stratum_state.model import Trail, VerdictRecord
from stratum_state.store import RunFilter, Store
from stratum_state.surreal import open_store

_PAGE = 200
_QUIET_S = 2.0


def collect(home: Path, into: Path) -> int:
    """Write what is on record of a home at rest, as JSON; the exit code.

    Opens the embedded database, so that the process has to end with `daemon.leave`.
    """
    into.write_bytes(msgspec.json.encode(anyio.run(_collect, Home(home))))
    return 0


def read(file: Path) -> Observed:
    """What `collect` wrote."""
    return msgspec.json.decode(file.read_bytes(), type=Observed)


async def _collect(home: Home) -> Observed:
    loaded = await config.load(home.project, config.environment(), {})
    place = loaded.settings.surrealdb
    opening = open_store(
        f"surrealkv://{home.database}",
        instance="witness",
        namespace=place.namespace,
        database=place.database,
    )
    async with opening as store:
        trails = [each async for each in _trails(store)]
        journals = {each.run.id: await store.journal(each.run.id) for each in trails}
        kept = {each.run.id: await store.evidence(each.run.id) for each in trails}
        verdicts = [each async for each in _verdicts(store)]
    return Observed(
        trails=trails,
        journals=journals,
        verdicts=verdicts,
        plans=_plans(home, trails),
        contents=_contents(home, trails),
        processes=list(_processes(home.marker())),
        heads={run: each.heads for run, each in kept.items() if each is not None},
        trusted=frozenset({storage.key(loaded.settings, home, make=False).public}),
    )


async def _trails(store: Store) -> AsyncIterator[Trail]:
    after: str | None = None
    while page := await store.runs(RunFilter(), after=after, limit=_PAGE):
        for run in page:
            if (trail := await store.trail(run.id)) is not None:
                yield trail
        after = page[-1].id


async def _verdicts(store: Store) -> AsyncIterator[VerdictRecord]:
    after: str | None = None
    while page := await store.verdicts(after=after, limit=_PAGE):
        for verdict in page:
            yield verdict
        after = page[-1].id


def _plans(home: Home, trails: Sequence[Trail]) -> dict[str, Plan]:
    kept = Plans(ContentStore(home.content))
    found = {}
    for digest in {trail.run.plan for trail in trails}:
        try:
            found[digest] = kept.get(digest)
        except (GraphError, OSError):  # then the oracle judges without it
            continue
    return found


def _contents(home: Home, trails: Sequence[Trail]) -> dict[str, str]:
    """What runs need, as far as it is what it is called."""
    content = ContentStore(home.content)
    kept = Plans(content)
    plans = {trail.run.plan for trail in trails}
    needed = plans | {tree for digest in plans for tree in kept.trees(digest)}
    return {digest: _digest(content, digest) for digest in needed}


def _digest(content: ContentStore, digest: str) -> str:
    try:
        return digest_of(content.get(digest))
    except (GraphError, OSError):
        return ""


def _processes(token: str) -> Iterator[Process]:
    """The processes of steps of this home."""
    for pid in (int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()):
        name = name_of(pid) or ""
        if name.startswith(f"{token}:"):
            run, node = name.split(":")[2].split("/")[:2]
            yield Process(pid=pid, run=run, node=node)


async def announced(home: Home, url: str) -> list[Announced]:
    """Every lifecycle fact that listeners were told, from the broker of a daemon that runs."""
    heard: list[Announced] = []
    who = ConnectionSettings(url=url, seed=home.key(DAEMON, make=False).seed())
    async with connect(who) as connection:
        stream = connection.jetstream
        left = (await stream.stream_info(STATUS)).state.messages
        if not left:
            return heard
        told = await stream.subscribe(f"{STATUS_PREFIX}.>", ordered_consumer=True)
        while left:
            message = await told.next_msg(timeout=_QUIET_S)
            _, _, run, what = message.subject.split(".", 3)
            identity = (message.headers or {}).get(EVENT_ID, "")
            heard.append(Announced(run=run, what=what, identity=identity))
            left = message.metadata.num_pending
    return heard
