"""Leases: on record before they are used, and ended however their process ends."""

import anyio
import pytest

from stratum_graph.model import Credential, Definition, Retry
from stratum_orchestrator.saga.revocation import Revocations
from stratum_state.credential import CredentialLease, CredentialStatus
from stratum_state.memory import MemoryStore
from stratum_state.model import RunStatus, StepRecord, Trail
from stratum_state.tracker import StateTracker
from support import records
from support.graph import node
from support.lender import ScriptedBroker
from support.records import a_lease, a_run
from support.runner import ScriptedRunner
from support.saga import TickingClock, World

REGISTRY = Credential(name="registry", env="REGISTRY_TOKEN", path="secret/ci", field="token")
OUTPUTS = {"deploy": {"deployed": 1}, "lint": {"linted": 1}}


def deploy(**fields: object) -> Definition:
    return node("deploy", gives="deployed", on="events.go", credentials=(REGISTRY,), **fields)


def world(
    broker: ScriptedBroker, *nodes: Definition, runner: ScriptedRunner | None = None
) -> World:
    return World(nodes or [deploy()], runner or ScriptedRunner(outputs=OUTPUTS), broker=broker)


def leases(trail: Trail) -> list[tuple[str, str, str]]:
    return [(each.node, each.purpose, str(each.status)) for each in trail.leases]


async def test_a_process_finds_what_it_is_lent_and_only_there() -> None:
    around = world(ScriptedBroker())

    await around.carry()

    [command] = around.runner.commands  # type: ignore[attr-defined]
    assert command.secrets == {"REGISTRY_TOKEN": "value of registry"}
    assert "value of" not in repr(command)
    assert "value of" not in repr(around.store.history)


async def test_a_lease_is_on_record_before_and_after_everything() -> None:
    around = world(ScriptedBroker())

    trail = await around.carry()

    facts = [each for each in around.store.history if isinstance(each, CredentialLease)]
    assert [str(each.status) for each in facts] == ["requested", "issued", "revoked"]
    kinds = [line.kind for line in await around.store.journal(trail.run.id)]
    assert kinds[2:7] == [
        "step.started",
        "credential.requested",
        "credential.issued",
        "credential.revoked",
        "step.succeeded",
    ]


@pytest.mark.parametrize(
    "runner",
    [
        ScriptedRunner(outputs=OUTPUTS),
        ScriptedRunner(fails={"deploy"}),
        ScriptedRunner(outputs={"deploy": {"wrong": 1}}),
        ScriptedRunner(hangs={"deploy"}),
    ],
    ids=["success", "failure", "bad output", "time-out"],
)
async def test_nothing_is_alive_when_the_step_has_ended(runner: ScriptedRunner) -> None:
    broker = ScriptedBroker()

    trail = await world(broker, deploy(timeout=0.05), runner=runner).carry()

    assert broker.alive == {}
    assert set(leases(trail)) >= {("deploy", "do", "revoked")}
    assert all(each.is_over for each in trail.leases)


async def test_a_step_that_is_stopped_gives_back_what_it_was_lent() -> None:
    broker = ScriptedBroker()
    runner = ScriptedRunner(hangs={"deploy", "lint"})
    nodes = [deploy(), node("lint", gives="linted", on="events.go", timeout=0.5)]

    trail = await world(broker, *nodes, runner=runner).carry()

    assert runner.stopped == ["lint", "deploy"]
    assert broker.alive == {}
    assert leases(trail)[0] == ("deploy", "do", "revoked")


async def test_a_compensation_is_lent_its_own() -> None:
    broker = ScriptedBroker()
    nodes = [deploy(), node("test", needs="deployed", gives="tested")]
    runner = ScriptedRunner(outputs=OUTPUTS, fails={"test"})

    trail = await world(broker, *nodes, runner=runner).carry()

    assert leases(trail) == [("deploy", "do", "revoked"), ("deploy", "undo", "revoked")]
    assert len(broker.revoked) == 2
    assert runner.commands[-1].secrets == {"REGISTRY_TOKEN": "value of registry"}


async def test_a_lease_lasts_longer_than_its_process_may_run() -> None:
    broker = ScriptedBroker()

    await world(broker, deploy(timeout=120)).carry()

    [claim] = broker.granted
    assert (claim.runs_s, claim.lasts_s) == (120, 130)


async def test_what_is_denied_fails_the_step_at_once_and_it_never_starts() -> None:
    broker = ScriptedBroker()
    broker.denies = "deploy"
    retried = deploy(retry=Retry(attempts=3, delay=0.001))

    trail = await world(broker, retried).carry()

    [step] = trail.steps
    assert (step.error_class, step.error) == ("denied", "not lent: unknown role deploy")
    assert trail.run.status is RunStatus.COMPENSATED
    [lease] = trail.leases
    assert (lease.status, lease.detail) == (CredentialStatus.VOID, "unknown role deploy")


async def test_a_provider_that_is_away_is_asked_again_as_the_node_says() -> None:
    broker = ScriptedBroker()
    broker.is_sealed = True
    retried = deploy(retry=Retry(attempts=3, delay=0.001))
    around = world(broker, retried)

    trail = await around.carry()

    assert [each.error_class for each in trail.steps] == ["credential"] * 3
    assert around.runner.ran == []  # type: ignore[attr-defined]
    assert trail.run.status is RunStatus.COMPENSATED


async def test_a_lease_that_is_capped_below_the_timeout_is_refused_and_ended() -> None:
    broker = ScriptedBroker()
    broker.caps_at_s = 60

    trail = await world(broker, deploy(timeout=120)).carry()

    [step] = trail.steps
    assert "caps the lease at 60 s, but the process may run for 120 s" in (step.error or "")
    assert leases(trail) == [("deploy", "do", "revoked")]
    assert broker.alive == {}


async def test_what_cannot_be_taken_back_does_not_keep_the_run_and_is_not_forgotten() -> None:
    broker = ScriptedBroker()
    broker.is_forgetful = True
    around = world(broker)

    trail = await around.carry()

    assert trail.run.status is RunStatus.COMPLETED
    assert [each.status for each in await around.store.owed()] == [CredentialStatus.ISSUED]
    broker.is_forgetful = False
    await swept(around, broker)
    assert broker.alive == {}
    assert await around.store.owed() == []


async def test_what_a_killed_daemon_left_behind_is_ended_at_the_next_start() -> None:
    broker, store, run = ScriptedBroker("login-2"), MemoryStore(), a_run()
    issued = records.issued(a_lease(run), "left-behind")
    await store.write([run, a_lease(run)])
    await store.write([issued])

    await sweep(store, broker, at=run.accepted + 100)

    assert broker.revoked == ["left-behind", "login-accessor"]
    [lease] = await trail_leases(store, run.id)
    assert lease.status is CredentialStatus.REVOKED


async def test_what_had_ended_by_itself_is_not_said_to_be_taken_back() -> None:
    broker, store, run = ScriptedBroker("login-2"), MemoryStore(), a_run()
    issued = records.issued(a_lease(run), "left-behind")
    await store.write([run, a_lease(run)])
    await store.write([issued])

    await sweep(store, broker, at=(issued.expires or 0) + 10_000)

    assert broker.revoked == ["left-behind", "login-accessor"]
    [lease] = await trail_leases(store, run.id)
    assert lease.status is CredentialStatus.EXPIRED


async def test_what_may_have_been_granted_unnoted_ends_with_the_login_that_asked() -> None:
    broker, store, run = ScriptedBroker("login-2"), MemoryStore(), a_run()
    await store.write([run, a_lease(run)])

    await sweep(store, broker)

    assert broker.revoked == ["login-accessor"]
    [lease] = await trail_leases(store, run.id)
    assert (lease.status, lease.detail) == (
        CredentialStatus.VOID,
        "the login of the daemon that asked for it was ended",
    )


async def test_what_another_provider_gave_is_left_to_its_expiry() -> None:
    broker, store, run = ScriptedBroker(), MemoryStore(), a_run()
    broker.provider = "openbao-dev"
    await store.write([run, a_lease(run)])
    await store.write([records.issued(a_lease(run))])

    await sweep(store, broker)  # the clock of the records is long past their expiry

    [lease] = await trail_leases(store, run.id)
    assert lease.status is CredentialStatus.EXPIRED
    assert "vault gave it, and now there is openbao-dev" in (lease.detail or "")
    assert broker.revoked == []


async def test_a_lease_in_use_is_left_alone_by_whoever_looks() -> None:
    broker = ScriptedBroker()
    runner = ScriptedRunner(hangs={"deploy"})
    around = world(broker, runner=runner)
    async with around.daemon() as (tracker, live):
        run = await around.accept(tracker, live)
        with anyio.fail_after(5):
            while not runner.commands:
                await anyio.lowlevel.checkpoint()
        revocations = around.lender.revocations

        await revocations.work()

        assert broker.revoked == []
        await live.cancel(run, "enough")
    assert broker.alive == {}


async def test_without_a_provider_a_node_that_needs_one_is_denied() -> None:
    around = World([deploy()], ScriptedRunner(outputs=OUTPUTS))

    trail = await around.carry()

    [step] = trail.steps
    assert isinstance(step, StepRecord)
    assert step.error_class == "denied"


async def sweep(store: MemoryStore, broker: ScriptedBroker, at: int | None = None) -> None:
    """What a daemon does at its start."""
    clock = TickingClock()
    clock.ms = clock.ms if at is None else at
    await Revocations(broker, StateTracker(store), clock).work()


async def swept(around: World, broker: ScriptedBroker) -> None:
    await sweep(around.store, broker)


async def trail_leases(store: MemoryStore, run: str) -> tuple[CredentialLease, ...]:
    trail = await store.trail(run)
    assert trail is not None
    return trail.leases
