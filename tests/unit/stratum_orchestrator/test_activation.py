"""Which bundle is in force: who may say so, what is on record, what the others do."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from platform_nats.nkey import UserKey
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.errors import EvaluationFailed
from stratum_graph.generation import compile_graph
from stratum_graph.model import Principal
from stratum_orchestrator import config, knowledge
from stratum_orchestrator.auth.cedar import PolicySet
from stratum_orchestrator.config import Definitions, Settings
from stratum_orchestrator.distribution.activation import Activations, latest
from stratum_orchestrator.distribution.supply import Resolved, Supply
from stratum_orchestrator.errors import Denied, Impossible
from stratum_orchestrator.knowledge import Sources
from stratum_orchestrator.saga.instruction import Wish
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_state.activation import ActivationKind, ActivationRecord
from stratum_state.errors import Unavailable
from stratum_state.memory import MemoryStore
from stratum_state.tracker import StateTracker
from support.bundles import parcel, signed
from support.desk import unrecorded
from support.graph import node
from support.records import a_run

WISH = Wish(by="olga", reason="it is better")
NEWER = {"ncl__more": b"1"}


@dataclass
class Instance:
    """One daemon's part in it, on a store that it shares."""

    activations: Activations
    store: MemoryStore
    origin: Layout
    key: UserKey
    log: list[str]
    broken: list[str]
    """Digests that do not compile."""

    def publish(self, tag: str = "v1", **changed: bytes) -> str:
        made = parcel(**changed)
        self.origin.put(signed(made, self.key, "nodes"))
        self.origin.put(made, tag)
        return made.digest


class Ticking:
    """A later moment at each look."""

    def __init__(self) -> None:
        self._now = 1_750_000_000_000

    def now_ms(self) -> int:
        self._now += 1000
        return self._now


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return PolicySet.load(config.policies())


@pytest.fixture
def one(tmp_path: Path, policies: PolicySet) -> Instance:
    key = UserKey.generate()
    return instance(tmp_path, policies, key, MemoryStore())


def instance(
    tmp_path: Path,
    policies: PolicySet,
    key: UserKey,
    store: MemoryStore,
    groups: tuple[str, ...] = ("operators",),
    **more: object,
) -> Instance:
    chosen = msgspec.structs.replace(
        Definitions(source="oci-layout:nodes:v1", signers=(key.public,), keep=2), **more
    )
    local = Sources(
        folders=(tmp_path / "local",),
        library=tmp_path / "library",
        principals=tmp_path / "principals.ncl",
        policies=tmp_path / "policies",
        subjects=("events.>",),
        access=tmp_path / "access",
    )
    supply = Supply(local, Settings(definitions=chosen), tmp_path, tmp_path / "home")
    generation = compile_graph([node("lint", gives="linted", on="events.push")]).generation
    assert generation
    rules = Rules(
        generation=generation,
        principals={},
        authorizer=knowledge.authorizer(policies, generation),
    )
    log: list[str] = []
    broken: list[str] = []

    async def check(resolved: Resolved) -> str:
        log.append(f"check {resolved.digest}")
        if resolved.digest in broken:
            raise EvaluationFailed(resolved.digest)
        return f"graph of {resolved.digest}"

    async def reload(record: ActivationRecord) -> None:
        on_record = await store.activations(limit=1)
        log.append(f"reload {record.digest} {record in on_record}")

    async def tell(digest: str) -> None:
        log.append(f"tell {digest}")

    async def apart(do: Callable[[], Awaitable[ActivationRecord]]) -> ActivationRecord:
        return await do()

    activations = Activations(
        supply=supply,
        operator=Principal(key=key.public, name="operator", groups=groups),
        rules=lambda: rules,
        rulings=Rulings(unrecorded, Ticking()),
        tracker=StateTracker(store),
        clock=Ticking(),
        check=check,
        reload=reload,
        tell=tell,
        apart=apart,
        keep=chosen.keep,
    )
    return Instance(activations, store, Layout(tmp_path / "nodes"), key, log, broken)


async def refused(attempt: Awaitable[object]) -> str:
    with pytest.raises(Impossible) as why:
        await attempt
    return why.value.code


async def test_it_is_checked_then_recorded_then_in_force_then_told(one: Instance) -> None:
    digest = one.publish()

    record = await one.activations.activate("v1", WISH)

    assert one.log == [f"check {digest}", f"reload {digest} True", f"tell {digest}"]
    assert await one.store.activations(limit=9) == [record]
    assert (record.kind, record.by, record.reason) == (
        ActivationKind.ACTIVATED,
        "olga",
        "it is better",
    )
    assert (record.signer, record.previous) == (one.key.public, "")
    assert json.loads(record.authorization)["policies"] == ["operators.daemon"]


async def test_who_may_not_changes_nothing(tmp_path: Path, policies: PolicySet) -> None:
    key = UserKey.generate()
    other = instance(tmp_path, policies, key, MemoryStore(), groups=("publishers",))
    other.publish()

    for attempt in (other.activations.activate("v1", WISH), other.activations.rollback(WISH)):
        with pytest.raises(Denied):
            await attempt
    assert other.log == []
    assert await other.store.activations(limit=9) == []


async def test_a_rollback_goes_to_what_was_before_and_back(one: Instance) -> None:
    first = one.publish()
    await one.activations.activate("v1", WISH)
    second = one.publish(**NEWER)
    await one.activations.activate("v1", WISH)

    back = await one.activations.rollback(WISH)
    there = await one.activations.rollback(WISH)

    assert (back.digest, back.previous, back.kind) == (
        first,
        second,
        ActivationKind.ROLLED_BACK,
    )
    assert there.digest == second


async def test_nothing_before_is_nothing_to_roll_back_to(one: Instance) -> None:
    one.publish()

    assert await refused(one.activations.rollback(WISH)) == "nothing-before"
    await one.activations.activate("v1", WISH)
    assert await refused(one.activations.rollback(WISH)) == "nothing-before"


async def test_what_is_in_force_is_not_activated_again(one: Instance) -> None:
    digest = one.publish()
    await one.activations.activate("v1", WISH)

    assert await refused(one.activations.activate(digest, WISH)) == "already-active"
    assert len(await one.store.activations(limit=9)) == 1


async def test_what_does_not_compile_never_gets_on_record(one: Instance) -> None:
    one.broken.append(one.publish())

    assert await refused(one.activations.activate("v1", WISH)) == "does-not-compile"
    assert await one.store.activations(limit=9) == []
    assert not any(each.startswith("reload") for each in one.log)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("v9", "not-published"),
        (f"sha256:{'0' * 64}", "not-published"),
        ("no tag", "bad-reference"),
        ("../x", "bad-reference"),
        ("oci://elsewhere.example/nodes:v1", "bad-reference"),
    ],
)
async def test_what_is_not_there_is_said_not_to_be(
    one: Instance, wanted: str, code: str
) -> None:
    one.publish()

    assert await refused(one.activations.activate(wanted, WISH)) == code


async def test_an_unsigned_bundle_is_not_activated(one: Instance) -> None:
    one.origin.put(parcel(), "v1")

    assert await refused(one.activations.activate("v1", WISH)) == "not-verified"


async def test_folders_have_nothing_to_activate(tmp_path: Path, policies: PolicySet) -> None:
    plain = instance(tmp_path, policies, UserKey.generate(), MemoryStore(), source="")
    Layout(tmp_path / "home" / "bundles").put(parcel())  # somebody pulled it

    assert await refused(plain.activations.activate("v1", WISH)) == "no-bundle"
    assert await plain.activations.versions() == []


async def test_a_tag_is_followed_to_what_was_never_in_force(one: Instance) -> None:
    first = one.publish()
    await one.activations.activate("v1", WISH)
    second = one.publish(**NEWER)

    followed = await one.activations.follow(second)
    await one.activations.rollback(WISH)
    again = await one.activations.follow(second)

    record, before, _ = await one.store.activations(limit=9)
    assert (followed, again) == (True, False)
    assert (before.digest, before.by) == (second, "configuration")
    assert json.loads(before.authorization)["policies"] == ["operators.daemon"]
    assert record.digest == first


@pytest.mark.parametrize("created", ["2026-01-02T03:04:04Z", "2025-06-01T00:00:00", "some day"])
async def test_what_was_signed_before_what_is_in_force_is_not_followed(
    one: Instance, created: str
) -> None:
    first = one.publish()
    await one.activations.activate("v1", WISH)
    older = parcel(**NEWER)
    one.origin.put(signed(older, one.key, "nodes", created))
    one.origin.put(older, "v1")

    code = await refused(one.activations.follow(older.digest))

    (current,) = await one.store.activations(limit=9)
    assert (code, current.digest) == ("older", first)
    assert (await one.activations.activate("v1", WISH)).digest == older.digest


async def test_other_instances_follow_what_is_on_record(
    one: Instance, tmp_path: Path, policies: PolicySet
) -> None:
    other = instance(tmp_path, policies, one.key, one.store)
    digest = one.publish()
    await other.activations.overhear()
    await one.activations.activate("v1", WISH)

    await other.activations.overhear()

    assert other.log == [f"reload {digest} True"]


async def test_a_store_that_is_away_is_asked_again_later(
    one: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(**_: object) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(one.store, "activations", away)

    await one.activations.overhear()

    assert one.log == []


async def test_versions_name_the_live_runs_that_hold_them(one: Instance) -> None:
    first = one.publish()
    begun = await one.activations.activate("v1", WISH)
    run = replace(a_run(), generation=begun.generation)
    await one.store.write([run])
    second = one.publish(**NEWER)
    await one.activations.activate("v1", WISH)

    found = await one.activations.versions()

    assert [(x.digest, x.is_active, x.live_runs, x.runs) for x in found] == [
        (second, True, 0, ()),
        (first, False, 1, (run.id,)),
    ]


async def test_the_cache_keeps_the_last_ones_and_what_live_runs_hold(one: Instance) -> None:
    held = one.publish()
    begun = await one.activations.activate("v1", WISH)
    await one.store.write([replace(a_run(), generation=begun.generation)])
    digests = []
    for number in range(3):
        digests.append(one.publish(ncl__more=str(number).encode()))
        await one.activations.activate("v1", WISH)

    assert set(one.activations.supply.cache.digests()) == {held, *digests[1:]}


async def test_another_source_begins_anew(
    one: Instance, tmp_path: Path, policies: PolicySet
) -> None:
    one.publish()
    await one.activations.activate("v1", WISH)
    other = instance(tmp_path, policies, one.key, one.store, source="oci-layout:nodes:v2")

    assert await latest(other.activations.tracker, "oci-layout:nodes:v2") is None
    assert await latest(one.activations.tracker, "oci-layout:nodes:v1") is not None
