"""SurrealDB as a server, over a web socket of our own.

Its RPC protocol: CBOR messages `{id, method, params}` there, `{id, result}` or `{id, error}`
back, in any order. The client of the SDK does not come back when the server went away, knows no
time-outs, and is stopped by one bad message; hence this one.
"""

import itertools
import logging
import math
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import anyio
from anyio.abc import TaskGroup

from stratum_state.errors import BadAddress, NotLetIn, Unavailable
from stratum_state.surreal import cbor, replies
from stratum_state.surreal.unwrapping import unwrapped

_CONNECT_S = 5.0
_HEARTBEAT_S = 2.0  # a server that is silent for one and a half times that is given up
_CLOSE_S = 2.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_MOST_BYTES = 128 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the server is, and as whom and in which database we work there."""

    url: str
    """`ws://host:port` or `wss://host:port`."""
    namespace: str
    database: str
    user: str | None = None
    """A user of the database, or of the server."""
    password: str | None = field(default=None, repr=False)


class WebSocket:
    """A connection to a server that is opened again by the next call when it was lost.

    Calls that were under way then fail with Lost. While the server is away, calls fail at once
    between the attempts to reach it.
    """

    path = None
    comes_back = True

    def __init__(self, server: Server, http: aiohttp.ClientSession, tasks: TaskGroup) -> None:
        self._server = server
        self._http = http
        self._tasks = tasks
        self._line: _Line | None = None
        self._turn = anyio.Lock()
        self._pause_s = _FIRST_PAUSE_S
        self._not_before = 0.0
        self.up_since = math.inf

    @property
    def is_up(self) -> bool:
        return self._line is not None and self._line.is_up

    async def open(self) -> None:
        """Connect. Raises NotLetIn, Unavailable."""
        try:
            await self._connected()
        except replies.Stranger as error:
            raise NotLetIn(f"{error}; correct the user or the password") from error  # noqa: TRY003
        except replies.SurrealError as error:
            raise Unavailable(str(error)) from error

    async def call(
        self, query: str, params: Mapping[str, object], *, within_s: float = 15
    ) -> list[object]:
        line = await self._connected()
        try:
            return replies.results(await line.ask("query", [query, params], within_s))
        except replies.Stranger:  # the session has ended: the next call signs in again
            await line.close()
            raise

    async def close(self) -> None:
        if self._line is not None:
            await self._line.close()

    async def _connected(self) -> "_Line":
        if self._line is not None and self._line.is_up:
            return self._line
        async with self._turn:
            if self._line is not None and self._line.is_up:
                return self._line
            if anyio.current_time() < self._not_before:
                raise replies.Lost(f"{self._server.url} is away")  # noqa: TRY003
            try:
                self._line = await self._connect()
            except replies.SurrealError:
                self._not_before = anyio.current_time() + self._pause_s * random.random()  # noqa: S311
                self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
                raise
            self._pause_s = _FIRST_PAUSE_S
            self.up_since = anyio.current_time()
            log.info("database connected", extra={"url": self._server.url})
            return self._line

    async def _connect(self) -> "_Line":
        """A line that is signed in and set to the database; nobody sees it before."""
        try:
            with anyio.fail_after(_CONNECT_S):
                socket = await self._http.ws_connect(
                    f"{self._server.url}/rpc",
                    protocols=("cbor",),
                    heartbeat=_HEARTBEAT_S,
                    max_msg_size=_MOST_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            why = f"{self._server.url} cannot be reached: {str(error) or 'no answer'}"
            raise replies.Lost(why) from error
        line = _Line(socket)
        self._tasks.start_soon(line.listen)
        try:
            with anyio.fail_after(_CONNECT_S):
                await self._introduce(line)
        except TimeoutError as error:
            await line.close()
            raise replies.Lost(f"{self._server.url} does not answer") from error  # noqa: TRY003
        except BaseException:
            await line.close()
            raise
        return line

    async def _introduce(self, line: "_Line") -> None:
        """Sign in as a user of the database, or else of the server, and choose the database."""
        server = self._server
        if server.user is not None:
            who = {"user": server.user, "pass": server.password or ""}
            place = {"ns": server.namespace, "db": server.database}
            try:
                replies.result(await line.ask("signin", [{**place, **who}], _CONNECT_S))
            except (replies.Refusal, replies.Stranger):
                await self._sign_in(line, who)
        while True:
            try:
                chosen: list[object] = [server.namespace, server.database]
                replies.result(await line.ask("use", chosen, _CONNECT_S))
            except replies.Conflict:  # others make the same database
                await anyio.sleep(_FIRST_PAUSE_S * random.random())  # noqa: S311 - jitter
            else:
                return

    async def _sign_in(self, line: "_Line", who: dict[str, str]) -> None:
        try:
            replies.result(await line.ask("signin", [who], _CONNECT_S))
        except (replies.Refusal, replies.Stranger) as error:
            why = f"{self._server.url} does not let {self._server.user} in: {error}"
            raise replies.Stranger(why) from error


@dataclass(slots=True, eq=False)
class _Question:
    """What was asked and is not answered yet."""

    reply: object = None
    is_answered: bool = False
    over: anyio.Event = field(default_factory=anyio.Event)


class _Line:
    """One socket. Questions go out numbered, answers come back in any order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._asked: dict[str, _Question] = {}
        self._over = False

    @property
    def is_up(self) -> bool:
        return not self._over and not self._socket.closed

    async def ask(self, method: str, params: list[object], within_s: float) -> object:
        """The reply as it came. Raises Lost: whether it was done is unknown then."""
        number, question = str(next(self._numbers)), _Question()
        message = cbor.dumps({"id": number, "method": method, "params": params})
        self._asked[number] = question
        try:
            with anyio.fail_after(within_s):
                if self.is_up:
                    await self._socket.send_bytes(message)
                    await question.over.wait()
        except (TimeoutError, ConnectionError, aiohttp.ClientError) as error:
            raise replies.Lost(str(error) or f"no answer within {within_s:g} s") from error
        finally:
            del self._asked[number]
        if not question.is_answered:
            raise replies.Lost("the connection went down")  # noqa: TRY003
        return question.reply

    async def listen(self) -> None:
        """Hand out answers until the socket closes; then tell who waits that none comes."""
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._hear(cast("bytes", message.data))
        finally:
            self._over = True
            for question in self._asked.values():
                question.over.set()
            await self.close()

    async def close(self) -> None:
        self._over = True
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await self._socket.close()

    def _hear(self, data: bytes) -> None:
        try:
            reply = cbor.loads(data)
        except cbor.Undecodable as error:  # costs its question the answer, and nothing else
            log.warning("answer not understood", extra={"why": str(error)})
            return
        number = reply.get("id") if isinstance(reply, dict) else None
        question = self._asked.get(number) if isinstance(number, str) else None
        if question is not None:
            question.reply, question.is_answered = reply, True
            question.over.set()


@asynccontextmanager
async def connect(server: Server) -> AsyncIterator[WebSocket]:
    """Connect for as long as the block lasts. BadAddress, NotLetIn, Unavailable at first."""
    place = urlsplit(server.url)
    if place.username or place.path not in ("", "/") or not place.hostname or place.query:
        raise BadAddress(  # noqa: TRY003
            "a database server's URL is ws://host:port or wss://host:port; "
            "give the user and the password apart from it"
        )
    with unwrapped():
        async with aiohttp.ClientSession() as http, anyio.create_task_group() as tasks:
            connection = WebSocket(server, http, tasks)
            try:
                await connection.open()
                yield connection
            finally:
                await connection.close()
                tasks.cancel_scope.cancel()
