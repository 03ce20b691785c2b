"""What the engine answers, told apart by what to do next."""

import pytest

from stratum_state.surreal import replies
from stratum_state.surreal.replies import Broken, Conflict, Lost, Refusal, Stale, SurrealError

SKIPPED = "The query was not executed due to a failed transaction"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            "Failed to commit transaction due to a read or write conflict. "
            "This transaction can be retried",
            Conflict,
        ),
        ("Transaction conflict: Resource busy: . This transaction can be retried", Conflict),
        ("Cannot COMMIT: Transaction conflict: Transaction write conflict.", Conflict),
        ("An error occurred: stale lease", Stale),
        ("Database record `run:1` already exists", Refusal),
        ("Found 'x' for field `status`, but field must conform to: ...", Refusal),
        ("Couldn't coerce value for field `level`: found 'fsync failed'", Refusal),
        ("Log error: IO error: No space left on device", Broken),
        ("fsync failed", Broken),
    ],
)
def test_a_failure_says_what_to_do_next(message: str, kind: type[SurrealError]) -> None:
    statements = [
        {"status": "ERR", "result": SKIPPED},
        {"status": "ERR", "result": message},
        {"status": "ERR", "result": SKIPPED},
    ]

    with pytest.raises(kind) as caught:
        replies.results({"result": statements})

    assert str(caught.value) == message or kind is Conflict


def test_a_query_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(Refusal, match="Parse error"):
        replies.results({"error": {"message": "Parse error"}})


def test_an_answer_that_makes_no_sense_is_none() -> None:
    with pytest.raises(Lost):
        replies.results(None)


def test_results_come_in_the_order_of_the_statements() -> None:
    statements = [{"status": "OK", "result": 1}, {"status": "OK", "result": [2]}]

    assert replies.results({"result": statements}) == [1, [2]]
