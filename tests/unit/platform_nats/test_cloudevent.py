from dataclasses import replace

from platform_nats.cloudevent import attributes
from platform_nats.delivery import Delivery
from platform_nats.envelope import Limits, Outgoing, open_envelope, seal
from platform_nats.nkey import UserKey

KEY = UserKey.generate()
NOW = 1_795_322_134_699


def test_the_attributes_are_those_of_binary_mode() -> None:
    made = attributes("e-1", KEY.public, "events.repo.push", NOW)

    assert made == {
        "ce-specversion": "1.0",
        "ce-id": "e-1",
        "ce-source": f"urn:nkey:{KEY.public}",
        "ce-type": "events.repo.push",
        "ce-time": "2026-11-22T04:35:34.699Z",
    }


def test_an_id_that_must_be_encoded_is_still_the_message_id() -> None:
    event = Outgoing(subject="a", body=b"", event_id='100%"x"', time_ms=NOW, headers={})
    event = replace(event, headers=attributes(event.event_id, KEY.public, "a", NOW))
    headers = seal(KEY, "prod", event)

    opened = open_envelope(
        Delivery(subject="a", body=b"", headers=headers, sequence=1, stored_ms=NOW),
        "prod",
        bool,
        Limits(),
    )

    assert headers["ce-id"] == "100%25%22x%22"
    assert opened.event_id == event.event_id
