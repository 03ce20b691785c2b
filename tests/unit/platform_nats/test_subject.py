import pytest

from platform_nats.errors import BadSubject
from platform_nats.subject import check


@pytest.mark.parametrize("subject", ["events", "events.repo.push", "a-b_c.D.1", "x" * 255])
def test_plain_subjects_are_fit(subject: str) -> None:
    check(subject)


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("", "empty"),
        (".events", "empty part"),
        ("events.", "empty part"),
        ("events..push", "empty part"),
        ("events.*", "wildcards"),
        ("events.>", "wildcards"),
        ("events.a b", "visible ASCII"),
        ("events.a\nb", "visible ASCII"),
        ("events.ü", "visible ASCII"),
        ("events.\ud800", "visible ASCII"),
        ("x" * 256, "longer than 255"),
        ("$JS.API.STREAM.DELETE.X", "NATS's own"),
    ],
)
def test_what_the_server_would_choke_on_is_refused_with_the_reason(
    subject: str, why: str
) -> None:
    with pytest.raises(BadSubject, match=why):
        check(subject)
