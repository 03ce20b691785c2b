"""Decisions on their way to the record: at once, summed up, and never more than a number."""

import json

from hypothesis import given, strategies as st

from stratum_graph.model import Principal
from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.delegation import Asker, Matter
from stratum_orchestrator.saga.docket import DETAILED, WINDOW_MS, Docket, Entry
from stratum_state.decision import SEVERAL, Answer

HOUR_MS = 60 * 60 * 1000
NOW = 1_750_000_000_000


def asked(
    action: str = "cancel", run: str = "r1", who: str = "vera", *, allowed: bool = False
) -> Entry:
    decision = Decision(
        allowed=allowed,
        policies=("guard.tenant",),
        errors=(),
        policy_set="sha256:1",
        reason="because",
    )
    return Entry(
        asker=Asker(principal=Principal(key=f"U{who.upper()}", name=who)),
        matter=Matter(action=action, pipeline="build", now_ms=NOW, about={}),
        decision=decision,
        run=run,
    )


def test_the_first_is_due_at_once_and_names_policies_and_their_set() -> None:
    docket = Docket("here")

    docket.enter(asked(), NOW)
    [record] = docket.due(NOW)

    assert (record.principal, record.action, record.of_run) == ("vera", "cancel", "r1")
    assert (record.kind, record.count, record.last) == (Answer.DENIED, 1, NOW)
    said = json.loads(record.authorization)
    assert (said["policies"], said["policy_set"]) == (["guard.tenant"], "sha256:1")


def test_the_same_again_is_counted_until_the_window_is_over() -> None:
    docket = Docket("here")
    docket.enter(asked(), NOW)
    docket.due(NOW)

    for second in range(100):
        docket.enter(asked(), NOW + second * 1000)
    early, at_its_end = docket.due(NOW + WINDOW_MS - 1), docket.due(NOW + WINDOW_MS)

    assert early == []
    assert [(each.count, each.first, each.last) for each in at_its_end] == [
        (100, NOW, NOW + 99_000)
    ]


def test_what_differs_is_told_apart() -> None:
    docket = Docket("here")
    for each in (asked(), asked("retry"), asked(run="r2"), asked(who="eve")):
        docket.enter(each, NOW)
    docket.enter(asked(allowed=True), NOW)

    assert len(docket.due(NOW)) == 5


def test_a_quiet_window_leaves_nothing_behind() -> None:
    docket = Docket("here")
    docket.enter(asked(), NOW)
    docket.due(NOW)

    assert docket.due(NOW + WINDOW_MS) == []
    assert docket.next_due(NOW + WINDOW_MS) is None


def test_what_was_only_counted_is_recorded_at_the_end() -> None:
    docket = Docket("here")
    docket.enter(asked(), NOW)
    docket.due(NOW)
    docket.enter(asked(), NOW + 1)

    assert [each.count for each in docket.due(NOW + 2, all_of_it=True)] == [1]


def test_who_asks_for_too_much_is_summed_up_and_nobody_else() -> None:
    docket = Docket("here")
    for number in range(10_000):
        docket.enter(asked(run=f"r{number}"), NOW)
    docket.enter(asked(who="olga"), NOW)

    records = docket.due(NOW)
    [several] = [each for each in records if each.pipeline == SEVERAL]

    assert len(records) == DETAILED + 2
    assert (several.count, several.of_run) == (10_000 - DETAILED, "")


def test_a_clock_that_goes_back_holds_nothing_up() -> None:
    docket = Docket("here")
    docket.enter(asked(), NOW)
    docket.due(NOW)
    docket.enter(asked(), NOW - 10 * HOUR_MS)

    assert len(docket.due(NOW - 10 * HOUR_MS)) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["cancel", "retry"]), st.integers(0, 200), st.integers(0, 60)
        ),
        max_size=300,
    )
)
def test_nothing_is_lost_and_an_hour_has_its_bound(asks: list[tuple[str, int, int]]) -> None:
    docket, now, records = Docket("here"), NOW, []
    for action, run, seconds in asks:
        now += seconds * 1000
        docket.enter(asked(action, f"r{run}"), now)
        records += docket.due(now)
    records += docket.due(now, all_of_it=True)

    assert sum(each.count for each in records) == len(asks)
    assert len({each.id for each in records}) == len(records)
    coarse = 2 * (HOUR_MS // WINDOW_MS + 1)
    for end in (each.last for each in records):
        within = [each for each in records if end - HOUR_MS < each.last <= end]
        assert len(within) <= 2 * DETAILED + coarse
