"""The event stream: at least once, in any order, until it hears an answer."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio

from platform_nats.delivery import Answer, Delivery
from stratum_orchestrator.audit.observed import Published
from support.simulation.world import Life, Port, World, named

_ACK_WAIT_S = 30.0
_LATER_S = 10.0


@dataclass
class Message:
    """One stored event, and whether it has to be delivered again."""

    delivery: Delivery
    due: float = 0.0
    deliveries: int = 0
    answer: Answer | None = None


class Stream:
    """What is stored, and who has it in hand. Shared by all lives."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._news = anyio.Event()
        self.messages: list[Message] = []
        self.published: list[Published] = []

    @property
    def is_answered(self) -> bool:
        return all(each.answer for each in self.messages)

    def store(
        self, subject: str, body: bytes, headers: Mapping[str, str], *, well_signed: bool
    ) -> None:
        """Keep an event and acknowledge it to its publisher."""
        sequence = len(self.messages) + 1
        delivery = Delivery(
            subject=subject,
            body=body,
            headers=headers,
            sequence=sequence,
            stored_ms=self._world.true_ms(),
        )
        self.messages.append(Message(delivery))
        self.published.append(
            Published(
                sequence=sequence,
                publisher=headers.get("Stratum-Principal", ""),
                event_id=headers.get("Nats-Msg-Id", ""),
                subject=subject,
                well_signed=well_signed,
            )
        )
        self.ring()

    def take(self) -> Message | None:
        """Any message that is due, or None."""
        now = self._world.loop.time()
        due = [each for each in self.messages if not each.answer and each.due <= now]
        if not due:
            return None
        message = self._world.chance.choice(due)
        message.due = math.inf
        message.deliveries += 1
        if message.deliveries > 1:
            self._world.seen["redelivery"] += 1
        return message

    def release(self, message: Message, at_most_s: float) -> None:
        """Deliver it again after a while."""
        message.due = self._world.loop.time() + self._world.chance.random() * at_most_s

    def ring(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def wait(self, *, for_messages: bool) -> None:
        """Return when something changed, or else when a message is due."""
        dues = [each.due for each in self.messages if not each.answer and for_messages]
        with anyio.move_on_after(
            max(0.0, min(dues, default=math.inf) - self._world.loop.time())
        ):
            await self._news.wait()


class SimulatedConsumer(Port):
    """Hands events over, as many at once as there is room for."""

    def __init__(self, world: World, life: Life, stream: Stream) -> None:
        super().__init__(world, life)
        self._stream = stream
        self._limit = 0
        self.in_hand: dict[int, Message] = {}

    def set(self, limit: int) -> None:
        """Allow so many in hand: the room that live runs leave."""
        self._limit = max(0, limit)
        self._stream.ring()

    async def serve(self, handle: Callable[[Delivery], Awaitable[Answer]]) -> None:
        """Hand events over until asked to stop, then let what is in hand end."""
        async with anyio.create_task_group() as handlers:
            with anyio.CancelScope() as taking:
                handlers.start_soon(self._stop_when_asked, taking)
                while True:
                    message = self._stream.take() if self._has_room else None
                    if message is None:
                        await self._stream.wait(for_messages=self._has_room)
                    elif message.delivery.sequence not in self.in_hand:
                        self.in_hand[message.delivery.sequence] = message
                        self._note_peak()
                        handlers.start_soon(self._carry, message, handle)

    def _note_peak(self) -> None:
        self.world.most_in_hand = max(self.world.most_in_hand, len(self.in_hand))

    @property
    def _has_room(self) -> bool:
        return len(self.in_hand) < self._limit

    async def _stop_when_asked(self, taking: anyio.CancelScope) -> None:
        await self.life.stopping.wait()
        taking.cancel()

    async def _carry(
        self, message: Message, handle: Callable[[Delivery], Awaitable[Answer]]
    ) -> None:
        delivery = message.delivery
        try:
            await self.cross("broker delivers", named(delivery))
            answer = await handle(delivery)
            await self.cross("broker is answered", f"{named(delivery)} {answer.name}")
            self._settle(message, answer)
            await self.cross("broker has heard", named(delivery))
        finally:
            if self.life.alive:
                self._drop(message)

    def _settle(self, message: Message, answer: Answer) -> None:
        if self.world.happens(self.world.faults.answer_lost):
            self.world.seen["answer lost"] += 1
        elif answer is Answer.LATER:
            self.world.seen["answered later"] += 1
            self._stream.release(message, _LATER_S)
        else:
            message.answer = answer

    def _drop(self, message: Message) -> None:
        del self.in_hand[message.delivery.sequence]
        if message.due == math.inf:
            self._stream.release(message, _ACK_WAIT_S)
        self._stream.ring()

    def abandon(self) -> None:
        """What was in hand when the daemon was killed is delivered again."""
        for message in self.in_hand.values():
            if message.due == math.inf:
                self._stream.release(message, _ACK_WAIT_S)
        self._stream.ring()
