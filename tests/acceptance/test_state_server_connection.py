"""The connection to a database server, cut, frozen and garbled by a line in between."""

from collections.abc import AsyncIterator

import anyio
import pytest

from stratum_state.errors import BadAddress, NotLetIn, Unavailable
from stratum_state.surreal import open_store, replies, websocket
from stratum_state.surreal.websocket import Server, WebSocket
from support import bridge
from support.bridge import PASSWORD, USER, Bridge, an_instance, expired
from support.line import Line, a_line
from support.records import a_run
from support.wait import until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bridge]:
    async with bridge.running(tmp_path_factory.mktemp("server") / "database") as server:
        yield server


@pytest.fixture
async def line(server: Bridge) -> AsyncIterator[Line]:
    server.use_new_database()
    async with a_line(server.port) as line:
        yield line


@pytest.fixture
async def connection(server: Bridge, line: Line) -> AsyncIterator[WebSocket]:
    async with websocket.connect(place(server, line.port)) as connection:
        yield connection


def place(server: Bridge, port: int, password: str = PASSWORD) -> Server:
    return Server(
        url=f"ws://127.0.0.1:{port}",
        namespace="test",
        database=server.database,
        user=USER,
        password=password,
    )


async def answer(connection: WebSocket) -> list[object]:
    """An answer, as soon as there is one again."""
    with anyio.fail_after(20):
        while True:
            try:
                return await connection.call("RETURN 1", {})
            except replies.Lost:
                await anyio.sleep(0.02)


async def test_answers_come_to_who_asked_whatever_their_order(connection: WebSocket) -> None:
    answers: dict[int, object] = {}

    async def ask(number: int) -> None:
        query = "SLEEP 100ms; RETURN $n" if number % 2 else "RETURN $n"
        answers[number] = (await connection.call(query, {"n": number}))[-1]

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(ask, number)

    assert answers == {number: number for number in range(20)}


async def test_a_cut_connection_fails_what_was_under_way_and_comes_back(
    connection: WebSocket, line: Line
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(fails, connection)
        await anyio.wait_all_tasks_blocked()
        line.cut()

    assert await answer(connection) == [1]


async def fails(connection: WebSocket) -> None:
    with pytest.raises(replies.Lost):
        await connection.call("SLEEP 60s", {})


async def test_one_answer_that_cannot_be_understood_costs_only_itself(
    connection: WebSocket, line: Line
) -> None:
    line.garble_next()

    with pytest.raises(replies.Lost, match="no answer within"):
        await connection.call("RETURN 1", {}, within_s=0.5)

    assert connection.is_up
    assert await connection.call("RETURN 2", {}) == [2]


async def test_a_silent_server_is_given_up(connection: WebSocket, line: Line) -> None:
    line.hold()

    with pytest.raises(replies.Lost, match="no answer within"):
        await connection.call("RETURN 1", {}, within_s=0.2)
    await until(lambda: not connection.is_up)
    line.release()

    assert await answer(connection) == [1]


async def test_a_user_that_is_not_let_in_is_told_so(server: Bridge) -> None:
    with pytest.raises(NotLetIn, match="does not let root in") as caught:
        async with websocket.connect(place(server, server.port, "wrong")):
            pass

    assert "wrong" not in str(caught.value)


async def test_a_server_that_is_not_there_is_said_so() -> None:
    with pytest.raises(Unavailable, match=r"ws://127\.0\.0\.1:1 cannot be reached"):
        async with open_store(
            "ws://127.0.0.1:1", instance="one", namespace="test", database="test"
        ):
            pass


@pytest.mark.parametrize(
    "url", ["ws://", "ws://root:root@127.0.0.1:8000", "ws://127.0.0.1:8000/rpc", "ws://x?y"]
)
async def test_an_address_that_is_none_is_said_so(url: str) -> None:
    with pytest.raises(BadAddress, match="give the user and the password apart"):
        async with open_store(url, instance="one", namespace="test", database="test"):
            pass


async def test_writes_wait_and_reads_do_not_while_the_server_is_away(
    server: Bridge, line: Line
) -> None:
    written = anyio.Event()

    async def write() -> None:
        await store.write([a_run()])
        written.set()

    async with an_instance(server, "one", port=line.port) as store:
        line.close()
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await until(lambda: not store.available)
            with pytest.raises(Unavailable):
                await store.trail(a_run().id)
            assert not written.is_set()
            await line.open()

        assert store.available
        assert await store.trail(a_run().id) is not None


async def test_who_cannot_wait_for_the_server_any_longer_is_told_so(
    server: Bridge, line: Line
) -> None:
    async with an_instance(server, "one", port=line.port) as store:
        line.close()
        await until(lambda: not store.available)

        store.hurry(0.1)

        with pytest.raises(Unavailable, match="see to the database, then start again"):
            await store.write([a_run()])
        with pytest.raises(Unavailable):
            await store.failure()


async def test_nobody_is_taken_for_silent_when_the_server_has_just_come_back(
    server: Bridge, line: Line
) -> None:
    async with (
        an_instance(server, "one", ttl_s=3, port=line.port) as one,
        an_instance(server, "two", ttl_s=3600),
    ):
        assert await expired(one) == ["1"]

        line.cut()
        await until(lambda: not one.available)
        await until(lambda: one.available)

        assert await one.expired() == []
