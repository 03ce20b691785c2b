from platform_nats.announcer import Announcer
from platform_nats.connection import Connection
from platform_nats.nkey import UserKey


async def test_while_the_broker_is_away_the_oldest_fact_makes_room() -> None:
    announcer = Announcer(Connection("nats://nowhere", UserKey.generate()), capacity=2)

    for number in range(5):
        announcer.announce("run", "step.started", {"number": number})

    assert announcer.dropped == 3
