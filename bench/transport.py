"""What verifying costs: events per second pulled, verified and acknowledged, against without.

    python bench/transport.py [--events 3000] [--slots 64]

Prints both rates and their ratio; both come from the same server, stream and run.
"""

import argparse
import tempfile
import time
from pathlib import Path

import anyio

from platform_nats.connection import Connection, ConnectionSettings, connect
from platform_nats.consumer import Consumer
from platform_nats.delivery import Answer, Delivery, Handler
from platform_nats.envelope import Limits, Outgoing, open_envelope, seal
from platform_nats.nkey import UserKey, verify
from platform_nats.permissions import User
from platform_nats.server import serve
from platform_nats.streams import EVENTS, INTAKE, StreamSettings, ensure

AUDIENCE = "bench"
SUBJECT = "events.bench"
BODY = b'{"ref":"refs/heads/main","commit":"%s"}' % (b"0" * 250)
ROUNDS = 3


async def fill(connection: Connection, events: int) -> None:
    jetstream = connection.jetstream
    for number in range(events):
        event = Outgoing(
            subject=SUBJECT,
            body=BODY,
            event_id=f"{time.time_ns()}-{number}",
            time_ms=time.time_ns() // 1_000_000,
            headers={"Content-Type": "application/json"},
        )
        headers = seal(connection.key, AUDIENCE, event)
        await jetstream.publish_async(SUBJECT, BODY, headers=headers)
    await jetstream.publish_async_completed()


async def rate(connection: Connection, handle: Handler, events: int, slots: int) -> float:
    """Serve so many events; return how many that is in a second."""
    consumer = Consumer(connection, EVENTS, INTAKE)
    taken = 0

    async def counted(event: Delivery) -> Answer:
        nonlocal taken
        taken += 1
        if taken == events:
            consumer.stop()
        return await handle(event)

    began = time.perf_counter()
    await consumer.serve(counted, slots=slots)
    return events / (time.perf_counter() - began)


async def bare(_: Delivery) -> Answer:
    return Answer.DONE


async def verified(event: Delivery) -> Answer:
    open_envelope(event, AUDIENCE, bool, Limits())
    return Answer.DONE


def verifications() -> float:
    """Return how many signatures one core verifies in a second."""
    key, count = UserKey.generate(), 2000
    signature = key.sign(BODY)
    began = time.perf_counter()
    for _ in range(count):
        verify(key.public, BODY, signature)
    return count / (time.perf_counter() - began)


async def main(events: int, slots: int) -> None:
    key = UserKey.generate()
    rates: dict[Handler, list[float]] = {bare: [], verified: []}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            serve(Path(folder), [User.daemon(key.public)]) as server,
            connect(ConnectionSettings(url=server.url, seed=key.seed())) as connection,
        ):
            await ensure(connection.jetstream, StreamSettings())
            for _ in range(ROUNDS):
                for handle, measured in rates.items():
                    await fill(connection, events)
                    measured.append(await rate(connection, handle, events, slots))
    without, with_all = (sorted(each)[ROUNDS // 2] for each in rates.values())
    print(f"signatures verified, one core  {verifications():9.0f} /s")
    print(f"pull + ack                     {without:9.0f} /s")
    print(f"pull + verify + ack            {with_all:9.0f} /s")
    print(f"ratio                          {with_all / without:9.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=3000)
    parser.add_argument("--slots", type=int, default=64)
    arguments = parser.parse_args()
    anyio.run(main, arguments.events, arguments.slots)
