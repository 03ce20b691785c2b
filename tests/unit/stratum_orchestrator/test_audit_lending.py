"""I12: what the oracle says of leases that were not as they should be."""

from dataclasses import replace

import pytest

from stratum_orchestrator.audit.chronicle import Chronicle
from stratum_orchestrator.audit.fold import said_by
from stratum_orchestrator.audit.lending import check_alive, check_leases
from stratum_orchestrator.audit.run import audit_run
from stratum_state.credential import CredentialLease
from stratum_state.memory import MemoryStore
from stratum_state.model import Fact
from support import records
from support.records import a_lease, a_run, a_step

RUN = a_run()
ASKED = a_lease(RUN)
ISSUED = records.issued(ASKED)
REVOKED = records.revoked(ISSUED)
STARTED = a_step(RUN)
HONEST: list[Fact] = [RUN, records.running(RUN), STARTED, ASKED, ISSUED, REVOKED]
HONEST += [records.succeeded(STARTED)]


async def said(facts: list[Fact]) -> list[str]:
    store = MemoryStore()
    for fact in facts:
        await store.write([fact])
    chronicle = Chronicle.of(RUN.id, await store.journal(RUN.id))
    return [str(each) for each in check_leases(chronicle)]


async def test_an_honest_lease_is_in_order() -> None:
    assert await said(HONEST) == []


async def test_a_lease_is_part_of_the_fold() -> None:
    store = MemoryStore()
    for fact in HONEST:
        await store.write([fact])
    trail = await store.trail(RUN.id)
    assert trail is not None
    told = said_by(replace(trail, leases=(ISSUED,)))

    found = audit_run(RUN.id, await store.journal(RUN.id), told)

    assert any(
        each.invariant == "I17" and "status of the credential" in each.detail for each in found
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (
            [RUN, records.running(RUN), STARTED, records.succeeded(STARTED), ASKED],
            "requested for a process that has ended",
        ),
        ([RUN, ASKED, STARTED], "requested for a process that has not begun"),
        (
            [RUN, STARTED, ASKED, replace(ISSUED, expires=(ISSUED.expires or 0) + 5000)],
            "315000 ms, and 310000 ms were asked for",
        ),
        ([RUN, STARTED, ASKED, replace(ISSUED, accessor=None)], "without an accessor"),
        (
            [RUN, STARTED, ASKED, ISSUED, replace(REVOKED, ended=(ISSUED.expires or 0) + 9000)],
            "taken back 9000 ms after it had ended by itself",
        ),
    ],
)
async def test_a_lease_that_is_not_as_it_should_be_is_found(
    facts: list[Fact], why: str
) -> None:
    [found] = await said(facts)

    assert found.startswith("I12")
    assert why in found


@pytest.mark.parametrize(
    ("lease", "alive", "settled", "count"),
    [
        (REVOKED, {"an-accessor"}, False, 1),
        (REVOKED, {"another"}, True, 0),
        (ISSUED, {"an-accessor"}, False, 0),
        (ISSUED, set(), True, 1),
    ],
)
async def test_the_record_is_held_against_what_is_alive(
    lease: CredentialLease, alive: set[str], *, settled: bool, count: int
) -> None:
    store = MemoryStore()
    await store.write([RUN, ASKED])
    await store.write([ISSUED])
    trail = await store.trail(RUN.id)
    assert trail is not None

    found = list(check_alive(replace(trail, leases=(lease,)), alive, settled=settled))

    assert len(found) == count
