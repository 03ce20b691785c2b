"""Every way in which a signed event can be wrong, and the order in which it is found out."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import nkeys
import pytest

from platform_nats.delivery import Delivery
from platform_nats.envelope import Envelope, Limits, Outgoing, open_envelope, seal
from platform_nats.errors import CannotSeal, EnvelopeRefused
from platform_nats.nkey import UserKey

KEY, OTHER = UserKey.generate(), UserKey.generate()
NOW = 1_795_000_000_000
EVENT = Outgoing(
    subject="events.repo.push",
    body=b'{"ref":"main"}',
    event_id="e-1",
    time_ms=NOW,
    headers={"ce-type": "push", "Content-Type": "application/json", "Traceparent": "00-1"},
)


def sealed(event: Outgoing = EVENT, key: UserKey = KEY) -> Delivery:
    return Delivery(
        subject=event.subject,
        body=event.body,
        headers=seal(key, "prod", event),
        sequence=7,
        stored_ms=NOW,
    )


def with_headers(**changes: str | None) -> Delivery:
    """Give a sealed event with headers changed, or removed where the value is None."""
    delivery = sealed()
    headers = dict(delivery.headers) | {
        name.replace("_", "-"): v for name, v in changes.items()
    }
    return replace(delivery, headers={k: v for k, v in headers.items() if v is not None})


def opened(delivery: Delivery, *, audience: str = "prod") -> Envelope:
    return open_envelope(delivery, audience, {KEY.public, OTHER.public}.__contains__, Limits())


def refusal(delivery: Delivery) -> str:
    with pytest.raises(EnvelopeRefused) as refused:
        opened(delivery)
    assert refused.value.reason
    return refused.value.code


def test_a_sealed_event_opens_to_what_was_sealed() -> None:
    envelope = opened(sealed())

    assert envelope.publisher == KEY.public
    assert (envelope.subject, envelope.event_id, envelope.time_ms) == (
        EVENT.subject,
        EVENT.event_id,
        NOW,
    )
    assert envelope.headers["ce-type"] == "push"
    assert "traceparent" not in envelope.headers


def test_an_id_is_taken_literally_where_nothing_is_percent_encoded() -> None:
    assert opened(sealed(replace(EVENT, event_id="100%25"))).event_id == "100%25"


def test_headers_that_are_not_signed_may_change_on_the_way() -> None:
    assert opened(with_headers(Traceparent="00-2", X_Hop="1"))


@pytest.mark.parametrize(
    "missing",
    ["Nats-Msg-Id", "Stratum-Principal", "Stratum-Time", "Stratum-Sig-Alg", "Stratum-Sig"],
)
def test_an_event_without_one_of_the_five_headers_is_unsigned(missing: str) -> None:
    assert refusal(with_headers(**{missing: None})) == "unsigned"


@pytest.mark.parametrize(
    "changes",
    [
        {"Nats-Msg-Id": "e 1"},
        {"Nats-Msg-Id": "e" * 129},
        {"Nats-Msg-Id": ""},
        {"Stratum-Principal": KEY.public.lower()},
        {"Stratum-Principal": "A" + KEY.public[1:]},
        {"Stratum-Time": "yesterday"},
        {"Stratum-Time": "-1"},
        {"Stratum-Time": "\u0661"},
        {"Stratum-Time": "1" * 16},
        {"Stratum-Sig-Alg": "ed25519-v2"},
        {"Stratum-Sig": ""},
        {"Stratum-Sig": "A" * 84},
        {"Stratum-Sig": "A" * 85 + "B"},
        {"Stratum-Sig": "+" * 86},
        {"ce-type": "p\u00fcsh"},
        {"ce-type": " push"},
        {"CE-Type": "push"},
        {"stratum-sig": "A" * 86, "STRATUM-TIME": "1"},
        {"ce-id": "e-2"},
        {"Content-Type": "application/cloudevents+json; charset=UTF-8"},
    ],
)
def test_a_header_of_the_wrong_form_is_refused(changes: dict[str, str]) -> None:
    assert refusal(with_headers(**changes)) == "bad-header"


def test_a_key_of_nobody_is_refused() -> None:
    assert refusal(sealed(key=UserKey.generate())) == "unknown-publisher"


TAMPERED: Mapping[str, Callable[[], Delivery]] = {
    "other subject": lambda: replace(sealed(), subject="events.repo.delete"),
    "other payload": lambda: replace(sealed(), body=b'{"ref":"evil"}'),
    "other message id": lambda: with_headers(Nats_Msg_Id="e-2"),
    "other time": lambda: with_headers(Stratum_Time=str(NOW + 1)),
    "other principal": lambda: with_headers(Stratum_Principal=OTHER.public),
    "other signature": lambda: with_headers(
        Stratum_Sig=sealed(key=OTHER).headers["Stratum-Sig"]
    ),
    "changed ce header": lambda: with_headers(ce_type="delete"),
    "added ce header": lambda: with_headers(ce_subject="x"),
    "added header of ours": lambda: with_headers(Stratum_On_Behalf_Of="root"),
    "removed ce header": lambda: with_headers(ce_type=None),
    "other content type": lambda: with_headers(Content_Type="text/plain"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_what_was_changed_after_signing_is_refused(case: str) -> None:
    assert refusal(TAMPERED[case]()) == "bad-signature"


def test_an_event_for_another_deployment_is_refused() -> None:
    with pytest.raises(EnvelopeRefused, match="bad-signature"):
        opened(sealed(), audience="staging")


@pytest.mark.parametrize("minutes", [-60, 60])
def test_a_signature_far_from_the_stored_time_is_stale(minutes: int) -> None:
    delivery = replace(sealed(), stored_ms=NOW + minutes * 60_000)

    assert refusal(delivery) == "stale"


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_between_the_clocks_are_allowed(seconds: int) -> None:
    assert opened(replace(sealed(), stored_ms=NOW + seconds * 1000))


def test_a_large_payload_or_large_headers_are_refused() -> None:
    body = replace(sealed(), body=b"x" * (256 * 1024 + 1))

    assert refusal(body) == "too-large"
    assert refusal(with_headers(X="x" * 20_000)) == "too-large"


def test_the_checks_come_from_cheap_to_dear() -> None:
    """Remove one fault after the other: each uncovers the next code in the fixed order."""
    stranger = UserKey.generate()
    faulty = replace(
        sealed(replace(EVENT, time_ms=NOW - 3_600_000), stranger), body=b"x" * 300_000
    )
    no_signature = {k: v for k, v in faulty.headers.items() if k != "Stratum-Sig"}
    bad = dict(faulty.headers) | {"Stratum-Time": "x"}

    codes = [refusal(replace(faulty, headers=no_signature))]
    faulty = replace(faulty, body=b"other")
    codes += [refusal(replace(faulty, headers=each)) for each in (no_signature, bad)]
    codes += [refusal(faulty)]
    known = replace(sealed(replace(EVENT, time_ms=NOW - 3_600_000)), body=b"other")
    codes += [refusal(known), refusal(replace(known, body=EVENT.body))]

    assert codes == [
        "too-large",
        "unsigned",
        "bad-header",
        "unknown-publisher",
        "bad-signature",
        "stale",
    ]


@pytest.mark.parametrize(
    "event",
    [
        replace(EVENT, event_id="e 1"),
        replace(EVENT, event_id="e\n1"),
        replace(EVENT, subject="events.a\nb"),
        replace(EVENT, headers={"ce-type": "a\r\nNats-Msg-Id: b"}),
        replace(EVENT, headers={"ce-id": "another"}),
        replace(EVENT, headers={"content-type": "application/cloudevents+json"}),
        replace(EVENT, headers={"ce-type": "a", "Ce-Type": "b"}),
    ],
)
def test_what_could_not_be_opened_is_not_sealed(event: Outgoing) -> None:
    with pytest.raises(CannotSeal):
        seal(KEY, "prod", event)


def test_an_audience_with_a_line_break_cannot_shift_the_lines() -> None:
    with pytest.raises(CannotSeal, match="line break"):
        seal(KEY, "prod\nU", EVENT)


def test_an_account_cannot_be_a_publisher() -> None:
    seed = nkeys.encode_seed(b"\x01" * 32, nkeys.PREFIX_BYTE_ACCOUNT)
    account = nkeys.from_seed(bytearray(seed)).public_key.decode()

    assert refusal(with_headers(Stratum_Principal=account)) == "bad-header"
