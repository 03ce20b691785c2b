from nats.aio.msg import Msg

from platform_nats.client import SturdyClient
from platform_nats.position import Position, delivery, position

SHORT = "$JS.ACK.STRATUM_EVT.intake.2.41.57.1795322134699123456.0"
LONG = "$JS.ACK.hub.hash.STRATUM_EVT.intake.2.41.57.1795322134699123456.0.random"


def test_both_forms_of_the_reply_say_the_same() -> None:
    said = Position(deliveries=2, sequence=41, stored_ms=1795322134699)

    assert position(SHORT) == said
    assert position(LONG) == said


def test_a_message_without_headers_is_a_delivery_without_headers() -> None:
    message = Msg(SturdyClient(), subject="events.a", reply=SHORT, data=b"{}")

    event = delivery(message)

    assert (event.headers, event.sequence, event.redelivered) == ({}, 41, True)
