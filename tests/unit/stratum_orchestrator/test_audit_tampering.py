"""Whoever changes a field of a record in the database is found out, whichever it is."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from stratum_orchestrator.audit import dossier
from stratum_orchestrator.audit.observed import Violation
from stratum_orchestrator.audit.run import audit_evidence
from stratum_state.model import PipelineRun
from stratum_state.surreal import SurrealStore, opening
from stratum_state.surreal.cbor import Id
from support import engines, records, signing
from support.engines import INSTANCE, Faulty
from support.records import a_compensation, a_lease, a_run, a_step

TABLES = (
    *("run", "step", "compensation", "credential_lease"),
    *("head", "blob", "inbox", "journal"),
)
UNSEEN = {("journal", "epoch")}
"""Who wrote a batch: part of the fence, and of no promise about a run."""
PERMIT = '{"allowed":true,"policies":["roles"],"policy_set":"sha256:policies"}'
RUN = replace(a_run(), authorization=PERMIT)


@pytest.fixture
async def engine() -> AsyncIterator[Faulty]:
    async with engines.in_memory() as engine:
        yield engine


@pytest.fixture
async def store(engine: Faulty) -> AsyncIterator[SurrealStore]:
    async with opening.over(engine, instance=INSTANCE, signer=signing.SIGNER) as store:
        await _live(store, RUN)
        for table in TABLES:
            await _open_up(engine, table)
        yield store


async def test_every_field_of_every_record_of_a_run_is_watched(
    engine: Faulty, store: SurrealStore
) -> None:
    before = await _audited(store)

    missed = []
    for table in TABLES:
        for record in await engines.found(engine, table):
            for name, value in _alterations(table, record):
                await engines.ask(engine, _SET, id=record["id"], m={name: value})
                if not _are_named(await _audited(store)):
                    missed.append(f"{table}.{name} = {value!r}")
                await engines.ask(engine, _SET, id=record["id"], m={name: record[name]})

    assert before == ()
    assert missed == []
    assert await _audited(store) == ()


@pytest.mark.parametrize(
    "table", ["step", "compensation", "credential_lease", "head", "inbox", "journal"]
)
async def test_a_record_that_is_gone_is_missed(
    engine: Faulty, store: SurrealStore, table: str
) -> None:
    record = (await engines.found(engine, table))[-1]

    await engines.ask(engine, "DELETE $id", id=record["id"])

    assert _are_named(await _audited(store))


@pytest.mark.usefixtures("store")
async def test_the_end_that_somebody_else_wrote_is_not_signed_for_them(engine: Faulty) -> None:
    await engines.ask(engine, "DELETE head")

    async with opening.over(engine, instance=INSTANCE, signer=signing.SIGNER) as later:
        found = await _audited(later)

    assert [each.invariant for each in found] == ["I23"]


_SET = "UPDATE $id MERGE $m"


async def _live(store: SurrealStore, run: PipelineRun) -> None:
    step, undo = a_step(run), a_compensation(run)
    running = records.running(run)
    back = records.compensating(running)
    lease = a_lease(run)
    await store.write([run, running, step, lease])
    await store.write([records.issued(lease)])
    await store.write([records.revoked(records.issued(lease))])
    await store.write([records.succeeded(step, outputs='"' + "x" * 70_000 + '"')])
    await store.write([back, undo])
    await store.write([records.undone(undo), records.compensated(back)])


async def _open_up(engine: Faulty, table: str) -> None:
    """Take the schema's rules away, as its owner can."""
    [info] = await engines.ask(engine, f"INFO FOR TABLE {table}")
    assert isinstance(info, dict)
    for name in info["fields"]:
        await engines.ask(engine, f"REMOVE FIELD IF EXISTS {name} ON {table}")
    await engines.ask(engine, f"DEFINE TABLE OVERWRITE {table} SCHEMALESS")


def _alterations(table: str, record: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if name == "id" or (table, name) in UNSEEN or isinstance(value, Id):
            continue
        match value:
            case bool():
                yield name, not value
            case int():
                yield name, value + 1
            case str():
                places = sorted({0, len(value) // 3, len(value) // 2, len(value) - 1})
                for at in places:
                    yield name, value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
            case list():
                yield name, value[:-1]


async def _audited(store: SurrealStore) -> Sequence[Violation]:
    """As over the API: written down, and read again."""
    evidence = await store.evidence(RUN.id)
    assert evidence is not None
    found = dossier.read(dossier.write(RUN.id, evidence))
    return found.violations or audit_evidence(
        found.run, found.evidence, frozenset({signing.PUBLIC})
    )


def _are_named(found: Sequence[Violation]) -> bool:
    return bool(found) and {each.run for each in found} == {RUN.id}
