"""Versions that are not in force, found for an event that names one."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from platform_nats.nkey import UserKey
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.errors import EvaluationFailed
from stratum_graph.generation import Generation, compile_graph
from stratum_orchestrator.config import Definitions, Settings
from stratum_orchestrator.distribution.activation import configured
from stratum_orchestrator.distribution.editions import KeptEditions
from stratum_orchestrator.distribution.supply import Resolved, Supply
from stratum_orchestrator.errors import Refused
from stratum_orchestrator.knowledge import Sources
from stratum_orchestrator.saga.rules import Rules
from stratum_state.memory import MemoryStore
from stratum_state.tracker import StateTracker
from support.bundles import parcel, signed
from support.graph import node
from support.saga import Everyone

SOURCE = "oci-layout:nodes:v1"


def graph(*names: str) -> Generation:
    found = compile_graph([node(each, gives=each, on="events.go") for each in names])
    assert found.generation is not None
    return found.generation


NOW = Rules(generation=graph("new"), principals={}, authorizer=Everyone())


@dataclass
class Shop:
    """Editions, and what lies around them."""

    folder: Path
    source: str = SOURCE
    trust: str = "signature"
    broken: bool = False
    compiled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = UserKey.generate()
        self.store = MemoryStore()
        chosen = msgspec.convert(
            {"source": self.source, "signers": [self.key.public], "trust": self.trust},
            Definitions,
        )
        local = Sources(
            folders=(self.folder / "local",),
            library=self.folder / "library",
            principals=self.folder / "principals.ncl",
            policies=self.folder / "policies",
            subjects=("events.>",),
            access=self.folder / "access",
        )
        self.supply = Supply(
            local, Settings(definitions=chosen), self.folder, self.folder / "home"
        )
        self.editions = KeptEditions(
            self.supply, StateTracker(self.store), lambda: "sha256:active", self.compile
        )

    async def compile(self, resolved: Resolved) -> Generation:
        self.compiled.append(resolved.digest)
        if self.broken:
            raise EvaluationFailed(resolved.digest)
        return graph(f"old{len(self.compiled)}")

    def publish(self, **changed: bytes) -> str:
        made, origin = parcel(**changed), Layout(self.folder / "nodes")
        origin.put(signed(made, self.key, "nodes"))
        origin.put(made, "v1")
        return made.digest

    async def activated(self, digest: str, generation: str = "sha256:graph") -> None:
        resolved = Resolved(sources=self.supply.local, digest=digest)
        at = 1_750_000_000_000
        await self.store.write([configured(resolved, SOURCE, generation, at)])

    async def names(self, wanted: str) -> list[str]:
        found = await self.editions.find(wanted, NOW)
        return [each.node.name for each in found.generation.definitions]

    async def refusal(self, wanted: str) -> str:
        with pytest.raises(Refused) as why:
            await self.editions.find(wanted, NOW)
        assert why.value.code == "no-version"
        return why.value.reason


async def test_what_is_in_force_is_itself_under_either_name(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    for name in ("sha256:active", NOW.generation.digest):
        assert await shop.editions.find(name, NOW) is NOW


async def test_a_kept_version_is_compiled_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    digest = shop.publish()
    shop.supply.fetch(digest)

    assert [await shop.names(digest) for _ in range(2)] == [["old1"], ["old1"]]
    assert shop.compiled == [digest]
    assert [each.node.name for each in shop.editions.definitions] == ["old1"]


async def test_one_that_was_in_force_is_fetched_again_and_found_by_its_graph(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path)
    await shop.activated(shop.publish())

    assert await shop.names("sha256:graph") == ["old1"]


async def test_a_few_are_at_hand(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    digests = [shop.publish(ncl__more=str(number).encode()) for number in range(6)]
    for digest in digests:
        shop.supply.fetch(digest)
        await shop.names(digest)

    await shop.names(digests[-1])
    await shop.names(digests[0])

    assert shop.compiled == [*digests, digests[0]]
    assert len(shop.editions.generations) == 4


async def test_what_was_never_fetched_is_refused_with_the_way_to_have_it(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path)
    digest = shop.publish()

    assert f"`stratum pull {digest}`" in await shop.refusal(digest)
    assert shop.compiled == []


async def test_a_name_in_an_event_makes_nothing_trusted(tmp_path: Path) -> None:
    shop = Shop(tmp_path, trust="digest")
    digest = shop.publish()
    shop.supply.fetch(digest)

    assert "is not kept here" in await shop.refusal(digest)
    await shop.activated(digest)
    assert await shop.names(digest) == ["old1"]


async def test_one_that_is_no_longer_trusted_or_gone_or_broken_is_refused(
    tmp_path: Path,
) -> None:
    shop, broken = Shop(tmp_path / "one"), Shop(tmp_path / "two", broken=True)
    unsigned = parcel()
    shop.supply.cache.put(unsigned)
    gone = "sha256:" + "0" * 64
    await shop.activated(gone)
    digest = broken.publish()
    broken.supply.fetch(digest)
    shutil.rmtree(tmp_path / "two" / "nodes")

    assert "check of its signature" in await shop.refusal(unsigned.digest)
    assert "is not kept here" in await shop.refusal(gone)
    assert "does not compile here" in await broken.refusal(digest)


async def test_folders_keep_no_other_version(tmp_path: Path) -> None:
    shop = Shop(tmp_path, source="")

    assert "folders keep no other one" in await shop.refusal("sha256:" + "0" * 64)
