"""Who has access is followed, though the server does not take it at once."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import anyio

from platform_nats.errors import ServerFailed
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.boot.access import Followed
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.definitions import InForce
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.workshop import Workshop
from support.people import ADA
from support.wait import until


class Busy:
    """A server that takes it at the second time."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def users_of(self, principals: dict[str, object]) -> tuple[str, ...]:
        return tuple(principals)

    async def admit(self, users: tuple[str, ...]) -> None:
        self.told.append(users)
        if len(self.told) == 1:
            raise ServerFailed("is busy", Path("log"), "")  # noqa: TRY003


async def test_a_server_that_is_busy_is_told_again(tmp_path: Path) -> None:
    busy = Busy()
    followed = Followed(
        cast(
            "Frame",
            SimpleNamespace(access=Access.at(tmp_path), key=SimpleNamespace(public="U")),
        ),
        cast("Broker", busy),
        cast("InForce", SimpleNamespace(rules=SimpleNamespace(principals={ADA.key: ADA}))),
        cast("Workshop", SimpleNamespace(content=None)),
    )
    said: list[str] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(followed.watch)
        await until(lambda: len(busy.told) == 1)
        said.append(followed.outside)
        await until(lambda: not followed.outside)
        tasks.cancel_scope.cancel()

    assert "is busy" in said[0]
    assert busy.told == [(ADA.key,)] * 2
