from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from platform_nats.delivery import Delivery
from platform_nats.envelope import Limits, Outgoing, open_envelope, seal
from platform_nats.errors import EnvelopeRefused
from platform_nats.nkey import UserKey

KEY = UserKey.generate()
NOW = 1_795_000_000_000
EVERYBODY, LIMITS = bool, Limits()
patient = partial(settings, deadline=None, suppress_health_check=[HealthCheck.too_slow])

visible = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20
)
events = st.builds(
    Outgoing,
    subject=visible,
    body=st.binary(max_size=40),
    event_id=visible,
    time_ms=st.integers(NOW - 300_000, NOW + 300_000),
    headers=st.dictionaries(st.sampled_from(["ce-type", "ce-x", "Stratum-Y"]), visible),
)


def delivered(event: Outgoing) -> Delivery:
    headers = seal(KEY, "prod", event)
    return Delivery(
        subject=event.subject, body=event.body, headers=headers, sequence=1, stored_ms=NOW
    )


def flipped(raw: bytes, at: int, bit: int) -> bytes:
    at %= len(raw)
    return raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]


@given(events)
@patient(max_examples=40)
def test_whatever_can_be_sealed_can_be_opened(event: Outgoing) -> None:
    envelope = open_envelope(delivered(event), "prod", EVERYBODY, LIMITS)

    assert (envelope.event_id, envelope.time_ms) == (event.event_id, event.time_ms)


@given(events, st.data(), st.integers(0, 10_000), st.integers(0, 6))
@patient(max_examples=150)
def test_one_changed_bit_anywhere_is_refused(
    event: Outgoing, data: st.DataObject, at: int, bit: int
) -> None:
    delivery = delivered(replace(event, body=event.body + b"."))
    place = data.draw(st.sampled_from(["subject", "body", *delivery.headers]))

    if place == "body":
        changed = replace(delivery, body=flipped(delivery.body, at, bit))
    elif place == "subject":
        subject = flipped(delivery.subject.encode(), at, bit).decode()
        changed = replace(delivery, subject=subject)
    else:
        value = flipped(delivery.headers[place].encode(), at, bit).decode()
        changed = replace(delivery, headers={**delivery.headers, place: value})

    with pytest.raises(EnvelopeRefused):
        open_envelope(changed, "prod", EVERYBODY, LIMITS)


@given(events, st.sampled_from(["ce-z", "Stratum-Z", "CE-TYPE2", "content-type"]), visible)
@patient(max_examples=40)
def test_no_header_that_is_read_can_be_added(event: Outgoing, name: str, value: str) -> None:
    delivery = delivered(event)
    changed = replace(delivery, headers={**delivery.headers, name: value})

    with pytest.raises(EnvelopeRefused):
        open_envelope(changed, "prod", EVERYBODY, LIMITS)
