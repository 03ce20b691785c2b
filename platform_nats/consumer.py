"""The pull loop: take what may be in hand, hand it over, keep it alive, answer."""

import logging
from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup
from nats.aio.msg import Msg

from platform_nats.answer import IN_PROGRESS, later, settle, tell
from platform_nats.connection import Connection
from platform_nats.credit import Bell, Credit
from platform_nats.delivery import Answer, Delivery, Handler
from platform_nats.errors import ConsumerGone, TransportError
from platform_nats.position import delivery
from platform_nats.pull import Pull, pull

log = logging.getLogger(__name__)

_TICK_S = 1.0
_BEATS = 3  # in progress so often within ack_wait
_PATIENCE_S = 1.0  # an event about to be answered counts twice, as event and as what it began
_SURPLUS_S = 0.5  # with no delay a request of our own would bring it straight back


def _unwatched(_point: str) -> None:
    """Go on."""


def _always() -> bool:
    return True


def _never(_message: str) -> bool:
    return False


class Consumer:
    """Serves a durable pull consumer, which all instances share."""

    def __init__(  # noqa: PLR0913 - what is served, and two that look on
        self,
        connection: Connection,
        stream: str,
        durable: str,
        *,
        ack_wait_s: float = 30.0,
        ready: Callable[[], bool] = _always,
        passed: Callable[[str], None] = _unwatched,
        loses: Callable[[str], bool] = _never,
    ) -> None:
        """Serve on this connection; `ack_wait_s` is what the consumer was made with.

        While it is not `ready`, it asks for nothing, and does not keep what it has from other
        instances: their store may be there when ours is not.
        `passed` is told when an event is received, when its answer is due and when it is given.
        What it `loses` (`event` or `answer`) is as if the network had lost it.
        """
        self._connection = connection
        self._beat_s = ack_wait_s / _BEATS
        self._stream = stream
        self._durable = durable
        self._held: dict[int, Msg] = {}  # by sequence
        self._ready = ready
        self._passed = passed
        self._loses = loses
        self._stopping = False
        self._bell = Bell()

    @property
    def in_hand(self) -> int:
        """Events handed over and not yet answered."""
        return len(self._held)

    def stop(self) -> None:
        """Take nothing more, give back what nobody began, let `serve` end after the rest."""
        self._stopping = True
        self._bell.ring()

    async def serve(self, handle: Handler, *, slots: int | Credit = 8) -> None:
        """Hand over events until stopped, never more at once than the credit allows.

        Raises ConnectionLost or ConsumerGone, after what is in hand has ended. A broker that
        is away for a while is no error, and cancels no handler.
        """
        credit = slots if isinstance(slots, Credit) else Credit(slots)
        self._bell = credit.bell
        async with anyio.create_task_group() as heart:
            heart.start_soon(self._keep_alive)
            async with (
                anyio.create_task_group() as handlers,
                pull(self._connection, self._stream, self._durable, self._bell) as taken,
            ):
                end = await self._take(taken, handle, credit, handlers)
            heart.cancel_scope.cancel()
        if end is not None:
            raise end

    async def _take(
        self, taken: Pull, handle: Handler, credit: Credit, handlers: TaskGroup
    ) -> TransportError | None:
        while not self._stopping:
            while taken.arrived and self.in_hand < credit.limit:
                self._hand_over(taken.arrived.popleft().message, handle, handlers)
            await taken.give_back(_SURPLUS_S, after_s=_PATIENCE_S)  # its credit was withdrawn
            if self._connection.closed.is_set():
                return self._connection.lost()
            if taken.is_gone:
                return ConsumerGone(self._stream, self._durable)
            if self._connection.is_up and self._ready() and self.in_hand < credit.limit:
                await taken.ask(credit.limit - self.in_hand)
            await self._bell.wait(_TICK_S)
        return None

    def _hand_over(self, message: Msg, handle: Handler, handlers: TaskGroup) -> None:
        if self._loses("event"):
            return
        event = delivery(message)
        is_at_work = event.sequence in self._held
        self._held[event.sequence] = message  # the latest delivery is the one to answer
        if not is_at_work:
            handlers.start_soon(self._carry, event, handle)

    async def _carry(self, event: Delivery, handle: Handler) -> None:
        answer = None
        self._passed("event.received")
        try:
            answer = await _ask(handle, event)
        finally:
            with anyio.CancelScope(shield=True):
                await self._answer(self._held[event.sequence], answer)
            del self._held[event.sequence]
            self._bell.ring()

    async def _answer(self, message: Msg, answer: Answer | None) -> None:
        if answer is None:  # cancelled: another instance's turn, at once
            await tell(self._connection, message, later(0.0))
        else:
            self._passed("answer.due")
            if self._loses("answer"):
                return
            await settle(self._connection, message, answer)
            self._passed("answer.given")

    async def _keep_alive(self) -> None:
        while True:
            await anyio.sleep(self._beat_s)
            for message in tuple(self._held.values()) if self._ready() else ():
                await tell(self._connection, message, IN_PROGRESS)


async def _ask(handle: Handler, event: Delivery) -> Answer:
    try:
        return await handle(event)
    except Exception:  # a bug met by one event must not stop the others
        log.exception("event not handled", extra={"sequence": event.sequence})
        return Answer.LATER
