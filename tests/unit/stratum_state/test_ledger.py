"""The ledger: what it takes back was never there, what it forgets can come again."""

from dataclasses import replace

from hypothesis import given, strategies as st

from stratum_state.ledger import Ledger, Stamp
from stratum_state.model import Fact, PipelineRun
from support import records
from support.records import a_run, a_step

RUN, STEP = a_run(), a_step(a_run())
LIFE: list[Fact] = [
    RUN,
    records.running(RUN),
    STEP,
    records.succeeded(STEP),
    records.completed(records.running(RUN)),
]


def ledger_after(facts: list[Fact]) -> Ledger:
    ledger = Ledger()
    for number, fact in enumerate(facts):
        ledger.apply([fact], Stamp(number, 0))
    return ledger


@given(st.integers(0, len(LIFE)), st.integers(0, len(LIFE)))
def test_what_is_taken_back_was_never_there(kept: int, tried: int) -> None:
    ledger = ledger_after(LIFE[:kept])
    expected = ledger_after(LIFE[:kept]).account(RUN.id)

    done = [ledger.apply([fact], Stamp(99, 0)) for fact in LIFE[kept : kept + tried]]
    for each in reversed(done):
        ledger.undo(each)

    assert ledger.account(RUN.id) == expected
    assert (ledger.holder(RUN.identity) == RUN.id) is (kept > 0)


def test_the_batches_of_a_row_are_those_in_which_it_moved() -> None:
    ledger = ledger_after(LIFE)

    account = ledger.account(RUN.id)

    assert account is not None
    assert account.rows["run",].batches == (0, 1, 4)
    assert account.rows["step", 0, "lint", 1].batches == (2, 3)


def test_an_account_read_back_goes_on_where_it_was() -> None:
    whole, early = ledger_after(LIFE), ledger_after(LIFE[:-1])
    account = early.account(RUN.id)
    assert account is not None
    later = Ledger()

    later.enter(account.rows.values())
    later.apply(LIFE[-1:], Stamp(4, 0))

    last, expected = later.account(RUN.id), whole.account(RUN.id)
    assert last is not None
    assert expected is not None
    assert last.head == expected.head


def test_runs_that_ended_are_forgotten_when_they_are_durable_and_too_many() -> None:
    ledger = Ledger(ended=2)
    runs = [a_run(f"e{n}") for n in range(4)]
    for run in runs:
        ledger.settle(ledger.apply(life(run), Stamp(1, 0)))

    known = {run.event_id for run in ledger.runs()}

    assert known == {"e2", "e3"}
    assert ledger.account(runs[0].id) is None


def test_runs_that_ended_with_much_text_are_forgotten_sooner() -> None:
    ledger = Ledger(ended=100, ended_text=25_000)
    runs = [replace(a_run(f"e{n}"), data=f'"{"x" * 10_000}"') for n in range(4)]
    for run in runs:
        ledger.settle(ledger.apply(life(run), Stamp(1, 0)))
        ledger.enter(ledger.account(run.id).rows.values())  # type: ignore[union-attr]

    assert {run.event_id for run in ledger.runs()} == {"e2", "e3"}

    small = a_run("e4")
    ledger.settle(ledger.apply(life(small), Stamp(1, 0)))

    assert {run.event_id for run in ledger.runs()} == {"e2", "e3", "e4"}


def test_runs_that_were_removed_leave_their_room_to_others() -> None:
    ledger = Ledger(ended=100, ended_text=25_000)
    runs = [replace(a_run(f"e{n}"), data=f'"{"x" * 10_000}"') for n in range(4)]
    for run in runs[:2]:
        ledger.settle(ledger.apply(life(run), Stamp(1, 0)))
    ledger.condemn([runs[1].id])
    ledger.settle(ledger.apply(life(runs[2]), Stamp(1, 0)))

    assert {run.event_id for run in ledger.runs()} == {"e0", "e2"}


def test_runs_that_wait_for_people_are_forgotten_too_and_keep_their_lane_from_being_idle() -> (
    None
):
    ledger, run = Ledger(ended=0), records.running(RUN)
    asked = [RUN, run, records.a_question(run), records.suspended(run)]
    done = ledger.apply(asked, Stamp(1, 0))
    account = ledger.account(RUN.id)
    assert account is not None
    ledger.settle(done)
    assert ledger.account(RUN.id) is None
    assert not ledger.is_idle

    other = Ledger(ended=1)
    other.enter(account.rows.values())
    other.settle(other.apply([records.compensating(records.suspended(run))], Stamp(2, 0)))

    assert not other.is_idle
    assert other.account(RUN.id) is not None


def test_a_run_that_holds_more_text_than_all_may_can_still_be_moved() -> None:
    ledger, run = Ledger(ended=9, ended_text=10), records.running(RUN)
    asked = records.a_question(run)
    rows = ledger_after([RUN, run, asked, records.suspended(run)]).account(RUN.id)
    assert rows is not None

    assert ledger.enter(rows.rows.values())

    assert ledger.account(RUN.id) is not None


def test_a_run_with_moves_that_are_not_durable_is_kept() -> None:
    ledger = Ledger(ended=0)

    done = ledger.apply(life(RUN), Stamp(1, 0))
    assert ledger.awaits([RUN])
    assert ledger.account(RUN.id) is not None
    ledger.settle(done)

    assert ledger.account(RUN.id) is None


def life(run: PipelineRun) -> list[Fact]:
    return [run, records.running(run), records.completed(records.running(run))]
