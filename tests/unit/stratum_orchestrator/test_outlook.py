"""A tag that moves: noticed, offered, or activated as the settings say."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import anyio
import msgspec
import pytest

from stratum_graph.definitions.distribution.layout import Layout
from stratum_orchestrator.config import Definitions, Settings
from stratum_orchestrator.distribution import outlook as outlooks
from stratum_orchestrator.distribution.outlook import Outlook
from stratum_orchestrator.distribution.supply import Supply
from stratum_orchestrator.errors import Impossible
from stratum_orchestrator.knowledge import Sources
from support.bundles import parcel
from support.wait import until


@dataclass
class Shop:
    """An outlook on a folder, and what came of it."""

    folder: Path
    follow: Literal["offer", "activate"] = "offer"
    source: str = "oci-layout:nodes:v1"
    trust: str = "signature"
    activated: list[str] = field(default_factory=list)
    noticed: list[tuple[str, str]] = field(default_factory=list)
    refusal: Exception | None = None

    def __post_init__(self) -> None:
        chosen = msgspec.convert(
            {"source": self.source, "trust": self.trust, "signers": ["U"]}, Definitions
        )
        here = self.folder
        local = Sources(
            folders=(here,),
            library=here,
            principals=here,
            policies=here,
            subjects=("events.>",),
            access=here,
        )
        supply = Supply(local, Settings(definitions=chosen), here, here / "home")
        self.outlook = Outlook(supply, self.follow, self.activate, self.notice)

    async def activate(self, digest: str) -> bool:
        self.activated.append(digest)
        if self.refusal:
            raise self.refusal
        return True

    def notice(self, digest: str, trouble: str) -> None:
        self.noticed.append((digest, trouble))

    def publish(self, word: str) -> str:
        made = parcel(ncl__more=word.encode())
        Layout(self.folder / "nodes").put(made, "v1")
        return made.digest


async def test_a_tag_that_moved_is_offered(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    digests = [shop.publish("one")]
    await shop.outlook.look()
    digests.append(shop.publish("two"))
    await shop.outlook.look()

    assert shop.noticed == [(each, "") for each in digests]
    assert shop.activated == []


async def test_it_is_activated_when_the_settings_say_so(tmp_path: Path) -> None:
    shop = Shop(tmp_path, follow="activate")
    digest = shop.publish("one")

    await shop.outlook.look()

    assert (shop.activated, shop.noticed) == ([digest], [(digest, "")])


async def test_what_cannot_be_activated_is_told_and_tried_again(tmp_path: Path) -> None:
    refusal = Impossible("not-verified", "it has no signature", "sign it")
    shop = Shop(tmp_path, follow="activate", refusal=refusal)
    digest = shop.publish("one")

    await shop.outlook.look()
    shop.refusal = None
    await shop.outlook.look()

    why = f"{digest} is not activated: it has no signature"
    assert shop.noticed == [(digest, why), (digest, "")]


async def test_a_tag_names_nothing_where_only_named_digests_are_trusted(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path, follow="activate", trust="digest")
    shop.publish("one")

    await shop.outlook.look()

    assert shop.activated == []


async def test_a_source_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    shop = Shop(tmp_path, follow="activate")
    shop.publish("one")
    shutil.rmtree(tmp_path / "nodes")

    await shop.outlook.look()

    [(digest, trouble)] = shop.noticed
    assert (digest, shop.activated) == ("", [])
    assert "the source is away" in trouble


@pytest.mark.parametrize(
    ("source", "repositories", "looks"),
    [
        ("oci://registry.example/team/nodes:v1", {"team/nodes", "x"}, True),
        ("oci://registry.example/team/nodes:v1", {"team/others"}, False),
        ("oci://registry.example/team/nodes:v1", set(), False),
        ("oci://registry.example/team/nodes:v1", None, True),
        (f"oci://registry.example/team/nodes@sha256:{'0' * 64}", None, False),
        ("dir:nodes", None, False),
        ("", None, False),
    ],
)
def test_a_hint_counts_when_it_can_be_about_the_source(
    tmp_path: Path, source: str, repositories: set[str] | None, *, looks: bool
) -> None:
    assert Shop(tmp_path, source=source).outlook.heard(repositories) is looks


async def test_however_many_hints_there_are_it_looks_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlooks, "REST_S", 3600)
    shop = Shop(tmp_path)
    shop.publish("one")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shop.outlook.watch, 3600)
        for _ in range(100):
            shop.outlook.heard(None)
        await until(lambda: bool(shop.noticed))
        for _ in range(100):
            shop.outlook.heard(None)
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert len(shop.noticed) == 1
