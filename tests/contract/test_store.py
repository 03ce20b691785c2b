"""What every store does: the meaning of the store port."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from platform_nats.nkey import verify
from stratum_state import canonical, journal
from stratum_state.checkpoint import AnswerStatus, CheckpointStatus
from stratum_state.credential import CredentialStatus
from stratum_state.decision import Answer
from stratum_state.errors import IllegalMove, Rejected, Taken
from stratum_state.memory import MemoryStore
from stratum_state.model import (
    Compensation,
    CompensationStatus,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    Trail,
    VerdictKind,
)
from stratum_state.standing import Standing
from stratum_state.store import DecisionFilter, RunFilter, Store, VerdictFilter
from stratum_state.surreal import open_store
from support import bridge, engines, records, signing
from support.bridge import Bridge
from support.records import (
    a_compensation,
    a_lease,
    a_question,
    a_run,
    a_step,
    a_verdict,
    an_activation,
    an_answer,
)

EVERY = RunFilter()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bridge]:
    async with bridge.running(tmp_path_factory.mktemp("server") / "database") as server:
        yield server


@pytest.fixture(params=["memory", "surreal-memory", "surreal-file", "surreal-server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> AbstractAsyncContextManager[Store]:
    match request.param:
        case "memory":
            return nullcontext(MemoryStore(signer=signing.SIGNER))
        case "surreal-memory":
            return open_store(
                "mem://",
                instance="one",
                namespace="test",
                database="test",
                signer=signing.SIGNER,
            )
        case "surreal-file":
            return engines.in_folder(tmp_path / "state")
        case _:
            server: Bridge = request.getfixturevalue("server")
            server.use_new_database()
            return bridge.an_instance(server, "one")


@pytest.fixture
async def store(place: AbstractAsyncContextManager[Store]) -> AsyncIterator[Store]:
    async with place as store:
        yield store


async def test_a_written_run_is_read_back_whole(store: Store) -> None:
    run = a_run()
    step = a_step(run)

    await store.write([run])
    await store.write([step, records.running(run)])
    await store.write([records.succeeded(step)])

    assert await store.trail(run.id) == Trail(
        run=records.running(run), steps=(records.succeeded(step),)
    )


async def test_an_unknown_run_has_no_trail(store: Store) -> None:
    assert await store.trail(a_run().id) is None


async def test_what_is_written_together_is_there_together(store: Store) -> None:
    first, second = a_run("e1"), a_run("e1", pipeline="deploy")
    verdict = a_verdict(first, second)

    await store.write([first, second, verdict])

    assert await store.verdict(verdict.id) == verdict
    assert {run.id for run in await store.runs(EVERY, after=None, limit=9)} == {
        first.id,
        second.id,
    }


async def test_nothing_of_a_refused_write_is_kept(store: Store) -> None:
    known, new = a_run("e1"), a_run("e2")
    await store.write([known])

    with pytest.raises(IllegalMove):
        await store.write([new, replace(known, status=RunStatus.COMPLETED)])

    assert await store.trail(new.id) is None


async def test_writing_the_same_again_changes_nothing(store: Store) -> None:
    run = a_run()
    step = a_step(run)
    await store.write([run, a_verdict(run)])
    await store.write([step])
    before = await store.journal(run.id)

    await store.write([run, a_verdict(run)])
    await store.write([step])

    assert await store.journal(run.id) == before


async def test_a_move_outside_the_table_is_refused(store: Store) -> None:
    run = a_run()
    await store.write([run])

    with pytest.raises(IllegalMove, match="accepted and cannot become completed"):
        await store.write([replace(run, status=RunStatus.COMPLETED)])


async def test_a_run_begins_accepted(store: Store) -> None:
    with pytest.raises((IllegalMove, Rejected)):
        await store.write([records.running(a_run())])


async def test_of_two_concurrent_moves_that_exclude_each_other_one_passes(
    store: Store,
) -> None:
    step = a_step(a_run())
    await store.write([a_run(), step])
    ends = [records.succeeded(step), records.failed(step)]
    refused: list[str] = []

    async def write(at: int) -> None:
        try:
            await store.write([ends[at]])
        except IllegalMove as error:
            refused.append(error.wanted)

    async with anyio.create_task_group() as group:
        group.start_soon(write, 0)
        group.start_soon(write, 1)

    trail = await store.trail(step.run)
    assert trail is not None
    assert refused == [StepStatus.FAILED]
    assert trail.steps == (ends[0],)


async def test_a_node_succeeds_once(store: Store) -> None:
    run = a_run()
    first, second = a_step(run, attempt=1), a_step(run, attempt=2)
    await store.write([run, first, second])
    await store.write([records.succeeded(first)])

    with pytest.raises(IllegalMove, match="done by attempt 1"):
        await store.write([records.succeeded(second)])


async def test_a_step_needs_its_run(store: Store) -> None:
    with pytest.raises(Rejected, match="not on record"):
        await store.write([a_step(a_run())])


async def test_what_was_accepted_cannot_be_altered(store: Store) -> None:
    run = a_run()
    await store.write([run])

    with pytest.raises(Rejected, match="data cannot change"):
        await store.write([replace(records.running(run), data='{"ref":"evil"}')])


async def test_a_compensated_run_says_how_well(store: Store) -> None:
    run = records.compensating(a_run())
    await store.write([a_run()])
    await store.write([run])

    with pytest.raises(Rejected, match="clean or partial"):
        await store.write([replace(run, status=RunStatus.COMPENSATED)])


async def test_an_identity_belongs_to_its_first_run(store: Store) -> None:
    run = a_run()
    other = replace(run, id=a_run("other").id)
    await store.write([run])

    with pytest.raises(Taken):
        await store.write([other])

    assert await store.inbox([run.identity, "f" * 64]) == {run.identity: run.id}
    assert await store.trail(other.id) is None


async def test_a_taken_identity_stops_only_its_own_admission(store: Store) -> None:
    taken = a_run("e0")
    await store.write([taken])
    batch = [replace(taken, id=a_run("x").id), *(a_run(f"e{n}") for n in range(1, 6))]
    ends: dict[str, str] = {}

    async def admit(at: int) -> None:
        try:
            await store.write([batch[at]])
            ends[batch[at].event_id] = "accepted"
        except Taken:
            ends[batch[at].event_id] = "taken"

    async with anyio.create_task_group() as group:
        for at in range(len(batch)):
            group.start_soon(admit, at)

    assert ends == {"e0": "taken"} | {f"e{n}": "accepted" for n in range(1, 6)}


async def test_a_run_that_ended_is_not_made_again(store: Store) -> None:
    run = a_run()
    await store.write([run])
    await store.write([records.running(run)])
    await store.write([records.completed(records.running(run))])

    with pytest.raises(IllegalMove):
        await store.write([run])


async def test_compensations_are_recorded_beside_the_steps(store: Store) -> None:
    run = a_run()
    failed = a_compensation(run).to(CompensationStatus.FAILED, ended=records.NOW, error="no")
    again = records.undone(a_compensation(run, attempt=2))
    await store.write([run, a_step(run)])
    await store.write([a_compensation(run)])
    await store.write([failed, a_compensation(run, attempt=2)])
    await store.write([again])

    trail = await store.trail(run.id)

    assert trail is not None
    assert trail.steps == (a_step(run),)
    assert trail.compensations == (failed, again)


async def test_a_failed_compensation_can_be_waived_after_the_run(store: Store) -> None:
    run = records.compensating(a_run())
    ended = records.compensated(run, Compensation.PARTIAL)
    failed = a_compensation(run).to(CompensationStatus.FAILED, ended=records.NOW)
    waived = failed.to(CompensationStatus.WAIVED, error="looked after by hand")
    await store.write([a_run()])
    await store.write([run, a_compensation(run)])
    await store.write([failed, ended])

    await store.write([waived])

    assert await store.trail(run.id) == Trail(run=ended, compensations=(waived,))


async def test_steps_come_in_the_order_of_their_latest_moves(store: Store) -> None:
    run = a_run()
    slow, quick = a_step(run, "slow"), a_step(run, "quick")
    await store.write([run, slow, quick])
    await store.write([records.succeeded(quick)])
    await store.write([records.succeeded(slow)])

    trail = await store.trail(run.id)

    assert trail is not None
    assert [step.node for step in trail.steps] == ["quick", "slow"]


async def test_unfinished_are_the_runs_that_are_not_over_oldest_first(store: Store) -> None:
    old, young, over = a_run("e1", at=1000), a_run("e2", at=2000), a_run("e3", at=1500)
    await store.write([young, old, over])
    await store.write([records.running(over), a_step(old)])
    await store.write([records.completed(records.running(over))])

    unfinished = await store.unfinished()

    assert unfinished == [Trail(run=old, steps=(a_step(old),)), Trail(run=young)]


async def test_runs_are_listed_newest_first_page_by_page(store: Store) -> None:
    runs = [a_run(f"e{n}", at=records.NOW + n) for n in range(5)]
    await store.write(runs)

    first = await store.runs(EVERY, after=None, limit=2)
    second = await store.runs(EVERY, after=first[-1].id, limit=9)

    assert [*first, *second] == runs[::-1]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RunFilter(status=RunStatus.RUNNING), ["e2"]),
        (RunFilter(pipeline="deploy"), ["e3"]),
        (RunFilter(pipeline="build", status=RunStatus.ACCEPTED), ["e1"]),
        (RunFilter(publisher="UNOBODY"), []),
        (RunFilter(since=records.NOW + 1), ["e3", "e2"]),
        (RunFilter(until=records.NOW + 2), ["e2", "e1"]),
        (RunFilter(since=records.NOW + 1, until=records.NOW + 2), ["e2"]),
        (RunFilter(since=records.NOW + 9), []),
        (RunFilter(until=0), []),
        (RunFilter(text="E2"), ["e2"]),
        (RunFilter(text="ADA"), ["e3", "e2", "e1"]),
        (RunFilter(text="lint FAILED"), ["e3"]),
        (RunFilter(text="no%' OR true --"), []),
        (RunFilter(text="push", pipeline="deploy"), ["e3"]),
        (RunFilter(live=True), ["e2", "e1"]),
        (RunFilter(live=True, text="e1"), ["e1"]),
    ],
)
async def test_runs_can_be_filtered(store: Store, wanted: RunFilter, found: list[str]) -> None:
    runs = [a_run(f"e{n}", at=records.NOW + n - 1) for n in (1, 2)]
    last = a_run("e3", at=records.NOW + 2, pipeline="deploy")
    back = records.compensating(records.running(last))
    over = records.compensated(back, Compensation.CLEAN)
    await store.write([*runs, last])
    await store.write([records.running(runs[1])])
    for fact in (records.running(last), back, over):
        await store.write([fact])

    runs = await store.runs(wanted, after=None, limit=9)

    assert [run.event_id for run in runs] == found


async def test_runs_that_left_something_undone_are_found_until_it_is_waived(
    store: Store,
) -> None:
    runs = [a_run(f"e{n}", at=records.NOW + n) for n in range(4)]
    for run in runs:
        back = records.compensating(records.running(run))
        how = Compensation.CLEAN if run.event_id == "e0" else Compensation.PARTIAL
        for fact in (run, records.running(run), back, records.compensated(back, how)):
            await store.write([fact])
    open_ones = RunFilter(unresolved=True)

    first = await store.runs(open_ones, after=None, limit=2)
    await store.write([first[1].told('{"action":"waive"}', waived=True)])
    second = await store.runs(open_ones, after=first[0].id, limit=9)

    assert [each.event_id for each in first] == ["e3", "e2"]
    assert [each.event_id for each in second] == ["e1"]


async def test_a_run_in_trouble_is_found_until_it_has_none_or_has_ended(store: Store) -> None:
    runs = [a_run(f"e{n}", at=records.NOW + n) for n in range(3)]
    noted = [each.noted('{"code":"stuck"}') for each in runs]
    for facts in (runs, noted):
        await store.write(facts)
    open_ones = RunFilter(unresolved=True)

    first = await store.runs(open_ones, after=None, limit=2)
    await store.write([noted[2].noted(None), noted[1].to(RunStatus.ABANDONED)])
    second = await store.runs(open_ones, after=None, limit=9)

    assert first == [noted[2], noted[1]]
    assert second == [noted[0]]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (VerdictFilter(), ["e2", "e1"]),
        (VerdictFilter(kind=VerdictKind.ACCEPTED), ["e1"]),
        (VerdictFilter(text="E2"), ["e2"]),
        (VerdictFilter(text="PUSH"), ["e2", "e1"]),
        (VerdictFilter(text="denied"), ["e2"]),
        (VerdictFilter(kind=VerdictKind.ACCEPTED, text="denied"), []),
    ],
)
async def test_verdicts_can_be_filtered(
    store: Store, wanted: VerdictFilter, found: list[str]
) -> None:
    accepted = records.a_verdict(a_run("e1"), sequence=1)
    refused = replace(
        records.a_verdict(sequence=2),
        event_id="e2",
        kind=VerdictKind.REFUSED,
        code="denied",
        runs=(),
    )
    await store.write([accepted])
    await store.write([refused])

    verdicts = await store.verdicts(after=None, limit=9, wanted=wanted)

    assert [each.event_id for each in verdicts] == found


async def test_a_compensated_run_can_be_undone_again(store: Store) -> None:
    run = a_run()
    back = records.compensating(records.running(run))
    partial = records.compensated(back, Compensation.PARTIAL)
    for fact in (run, records.running(run), back, partial):
        await store.write([fact])
    again = partial.to(
        RunStatus.COMPENSATING, compensation=None, ended=None, instruction='{"by":"olga"}'
    )

    await store.write([again])

    assert await store.trail(run.id) == Trail(run=again)
    assert [each.run for each in await store.unfinished()] == [again]
    assert await store.runs(RunFilter(unresolved=True), after=None, limit=9) == []
    journal.verify(await store.journal(run.id))


async def test_a_run_is_found_by_the_beginning_of_its_id_or_of_its_hash(store: Store) -> None:
    run, other = a_run("e1", at=records.NOW), a_run("e2", at=records.NOW + 10**9)
    await store.write([run, other])

    assert await store.match(run.id[:12], limit=9) == [run.id]
    assert await store.match(run.id[13:20], limit=9) == [run.id]
    assert await store.match("8", limit=9) == sorted([run.id, other.id])
    assert await store.match("8", limit=1) == [other.id]


async def test_verdicts_are_listed_newest_first_page_by_page(store: Store) -> None:
    verdicts = [a_verdict(sequence=n, kind=VerdictKind.REFUSED) for n in range(1, 6)]
    for verdict in verdicts:
        await store.write([verdict])

    first = await store.verdicts(after=None, limit=2)
    second = await store.verdicts(after=first[-1].id, limit=9)

    assert [*first, *second] == verdicts[::-1]
    assert await store.verdict("0" * 25) is None


async def test_a_message_has_one_verdict(store: Store) -> None:
    await store.write([a_verdict(kind=VerdictKind.REFUSED)])

    with pytest.raises(IllegalMove, match="refused and cannot become no-pipeline"):
        await store.write([a_verdict(kind=VerdictKind.NO_PIPELINE)])


async def test_every_move_has_its_line_in_an_unbroken_chain(store: Store) -> None:
    run = a_run()
    step = a_step(run)
    await store.write([run, a_verdict(run)])
    await store.write([records.running(run), step])
    await store.write([records.succeeded(step)])
    await store.write([records.completed(records.running(run))])

    lines = await store.journal(run.id)

    journal.verify(lines)
    assert [line.kind for line in lines] == [
        "run.accepted",
        "run.running",
        "step.started",
        "step.succeeded",
        "run.completed",
    ]


async def test_an_unknown_run_has_no_journal(store: Store) -> None:
    assert list(await store.journal(a_run().id)) == []


@pytest.mark.parametrize(
    "text",
    ["\0", "\ud800", '"', "\\u0000", "ü\u2028🜁", "9223372036854775808", "x" * 100_000],
    ids=["nul", "surrogate", "quote", "escape", "unicode", "big", "long"],
)
async def test_foreign_text_comes_back_as_it_was(store: Store, text: str) -> None:
    run = records.with_data(a_run(), canonical.text(text))
    cause = records.compensating(run, cause=text)
    step = a_step(run)
    failed = replace(records.failed(step, error=text), stderr=text)
    await store.write([run, step])

    await store.write([failed, cause])

    trail = await store.trail(run.id)
    assert trail is not None
    assert trail.run == cause
    assert trail.steps == (failed,)


@pytest.mark.parametrize(
    "name", ["a; REMOVE TABLE run; --", "x'); DELETE run; --", "run:⟨x⟩", "`", "\\", ""]
)
async def test_a_name_in_the_query_language_is_a_name(store: Store, name: str) -> None:
    run = a_run()
    await store.write([run])

    assert await store.trail(name) is None
    assert await store.verdict(name) is None
    assert list(await store.journal(name)) == []
    assert dict(await store.inbox([name])) == {}
    assert (
        list(await store.runs(RunFilter(pipeline=name, text=name), after=None, limit=9)) == []
    )
    assert await store.trail(run.id) == Trail(run=run)


async def test_large_outputs_come_back_whole(store: Store) -> None:
    run = a_run()
    step = a_step(run)
    ended = records.succeeded(step, outputs='"' + "y" * 300_000 + '"')
    await store.write([run, step])

    await store.write([ended])

    assert await store.trail(run.id) == Trail(run=run, steps=(ended,))


async def test_what_was_lent_is_read_back_with_its_run(store: Store) -> None:
    run, lease = a_run(), a_lease(a_run())

    await store.write([run, lease])
    await store.write([records.issued(lease), a_lease(run, purpose="undo")])

    trail = await store.trail(run.id)
    assert trail is not None
    assert set(trail.leases) == {records.issued(lease), a_lease(run, purpose="undo")}


async def test_what_is_lent_is_owed_until_it_has_ended(store: Store) -> None:
    run, other = a_run(), a_run("e2")
    lease, taken_back = a_lease(run), records.issued(a_lease(other))
    await store.write([run, other, lease, a_lease(other)])

    await store.write([records.issued(lease), taken_back])
    await store.write([records.revoked(taken_back), records.running(run)])

    assert await store.owed() == [records.issued(lease)]


async def test_what_is_lent_can_be_taken_back_when_the_run_is_over(store: Store) -> None:
    run, lease = a_run(), records.issued(a_lease(a_run()))
    await store.write([run, a_lease(run)])
    await store.write([lease, records.running(run)])
    await store.write([records.completed(records.running(run))])

    await store.write([records.revoked(lease)])

    assert await store.owed() == []


@pytest.mark.parametrize("detail", ["it said \0 and \U0001f600", None])
async def test_a_lease_keeps_why_nothing_came_of_it(store: Store, detail: str | None) -> None:
    run = a_run()
    await store.write([run, a_lease(run)])
    void = a_lease(run).to(CredentialStatus.VOID, ended=run.accepted + 9, detail=detail)

    await store.write([void])

    trail = await store.trail(run.id)
    assert trail is not None
    assert trail.leases == (void,)


async def test_a_lease_does_not_come_back(store: Store) -> None:
    run = a_run()
    await store.write([run, a_lease(run)])
    await store.write([records.issued(a_lease(run))])
    await store.write([records.revoked(records.issued(a_lease(run)))])

    with pytest.raises(IllegalMove):
        await store.write([records.issued(a_lease(run), "another")])


async def test_what_people_are_asked_and_answer_is_read_back_with_its_run(
    store: Store,
) -> None:
    run, question = records.running(a_run()), a_question(a_run(), count=2)
    answers = [an_answer(question), an_answer(question, "ben; DELETE run")]
    await store.write([a_run(), run, question])
    await store.write([records.suspended(run)])
    await store.write([answers[0]])
    told = question.heard_of(7)
    await store.write([told])

    await store.write([answers[1], records.closed(told), run])

    trail = await store.trail(run.id)
    assert trail is not None
    assert trail.run == run
    assert trail.checkpoints == (records.closed(told),)
    assert trail.answers == tuple(answers)
    assert journal.verify(await store.journal(run.id)) is None


async def test_a_question_is_open_until_it_is_closed(store: Store) -> None:
    first, second = a_run("e1"), a_run("e2", at=records.NOW + 1)
    questions = [a_question(first), a_question(second), a_question(second, "fmt")]
    await store.write([first, second, *questions])
    await store.write([records.closed(questions[1])])

    assert await store.asking(after=None, limit=9) == [second.id, first.id]
    assert await store.asking(after=None, limit=1) == [second.id]
    assert await store.asking(after=second.id, limit=9) == [first.id]
    await store.write([records.closed(questions[2], CheckpointStatus.WITHDRAWN)])
    assert await store.asking(after=None, limit=9) == [first.id]


async def test_a_question_is_due_until_it_is_published_or_closed(store: Store) -> None:
    runs = [records.running(a_run(each, at=records.NOW + int(each))) for each in "123"]
    asked = [a_question(run) for run in runs]
    await store.write([a_run(each, at=records.NOW + int(each)) for each in "123"])
    await store.write([*runs, *asked])
    assert {run.id for run in await store.due()} == {run.id for run in runs}

    await store.write([asked[0].heard_of(1), records.closed(asked[1])])

    assert [run.id for run in await store.due()] == [runs[2].id]


async def test_a_step_begins_when_its_question_is_granted(store: Store) -> None:
    run, question = a_run(), a_question(a_run())
    late = records.closed(question, CheckpointStatus.TIMED_OUT)
    await store.write([run, question])

    with pytest.raises(IllegalMove, match="asked about, open"):
        await store.write([a_step(run)])
    with pytest.raises(IllegalMove):
        await store.write([late, a_step(run)])
    await store.write([an_answer(question), records.closed(question), a_step(run)])


async def test_an_answer_is_final_and_to_a_question_that_is_open(store: Store) -> None:
    run, question = a_run(), a_question(a_run(), count=2)
    answer = an_answer(question)
    await store.write([run])
    with pytest.raises(IllegalMove):
        await store.write([answer])
    await store.write([question, answer])
    await store.write([answer])

    with pytest.raises(IllegalMove):
        await store.write([an_answer(question, status=AnswerStatus.REJECTED)])
    await store.write([records.closed(question)])
    with pytest.raises(IllegalMove):
        await store.write([an_answer(question, "ben")])


async def test_activations_are_listed_newest_first_and_never_change(store: Store) -> None:
    older, newer = an_activation(1_000), an_activation(2_000, digest="b" * 64)
    await store.write([older])
    await store.write([newer])
    await store.write([newer])

    assert await store.activations(limit=10) == [newer, older]
    assert await store.activations(limit=1) == [newer]
    with pytest.raises(IllegalMove):
        await store.write([replace(older, by="somebody else")])


async def test_of_each_pipeline_the_latest_standing_counts(store: Store) -> None:
    first, other = records.a_standing(), records.a_standing("deploy", at=1_500)
    later = records.a_standing(kind=Standing.ACTIVE, at=2_000)

    for each in (first, other, later, later):
        await store.write([each])

    assert await store.standings() == [later, other]
    with pytest.raises(IllegalMove):
        await store.write([replace(first, by="somebody else")])


async def test_the_end_of_a_run_is_signed_with_it(store: Store) -> None:
    run = a_run()
    running = records.running(run)
    await store.write([run, running, a_step(run)])
    await store.write([records.succeeded(a_step(run)), records.completed(running)])

    evidence = await store.evidence(run.id)

    assert evidence is not None
    [head] = evidence.heads
    last = evidence.journal[-1]
    assert (head.run, head.n, head.hash) == (run.id, last.n, last.hash)
    assert verify(signing.PUBLIC, head.statement(), head.raw())
    assert evidence.faults == ()


async def test_a_run_that_is_under_way_is_not_signed(store: Store) -> None:
    await store.write([a_run(), records.running(a_run())])

    evidence = await store.evidence(a_run().id)

    assert evidence is not None
    assert evidence.heads == ()
    assert evidence.trail == await store.trail(a_run().id)
    assert list(evidence.journal) == list(await store.journal(a_run().id))


async def test_each_end_of_a_run_is_signed_and_what_is_said_of_it_afterwards(
    store: Store,
) -> None:
    back = records.compensating(records.running(a_run()))
    ended = records.compensated(back, Compensation.PARTIAL)
    again = ended.to(RunStatus.COMPENSATING, compensation=None, ended=None)
    for fact in (a_run(), records.running(a_run()), back, ended, ended.told("{}"), again):
        await store.write([fact])
    await store.write([records.compensated(again)])

    evidence = await store.evidence(a_run().id)

    assert evidence is not None
    assert [head.n for head in evidence.heads] == [4, 5, 7]


async def test_rows_name_the_entries_that_they_moved_with(store: Store) -> None:
    step = a_step(a_run())
    await store.write([a_run(), step, records.running(a_run())])
    await store.write([records.succeeded(step)])

    evidence = await store.evidence(a_run().id)

    assert evidence is not None
    assert [(type(fact), head.n) for fact, head in evidence.rows] == [
        (PipelineRun, 3),
        (StepRecord, 4),
    ]


async def test_there_is_no_evidence_of_an_unknown_run(store: Store) -> None:
    assert await store.evidence(a_run().id) is None


async def test_the_end_of_a_run_is_due_until_it_is_known_to_be_published(store: Store) -> None:
    running = records.running(a_run())
    over = replace(records.completed(running), notice="events.stratum.run.completed.build")
    await store.write([a_run(), running, a_run("e2")])
    await store.write([over])

    before = await store.due()
    await store.write([over.heard_of(7)])

    assert list(before) == [over]
    assert list(await store.due()) == []


async def test_decisions_are_listed_newest_first_and_never_change(store: Store) -> None:
    older, newer = records.a_decision(), records.a_decision(last=2_000, count=7)
    allowed = records.a_decision(principal="olga", kind=Answer.ALLOWED, last=3_000)
    for each in (older, newer, allowed, newer):
        await store.write([each])

    assert await store.decisions(DecisionFilter(), after=None, limit=9) == [
        allowed,
        newer,
        older,
    ]
    assert await store.decisions(DecisionFilter(), after=allowed.id, limit=1) == [newer]
    with pytest.raises(IllegalMove):
        await store.write([replace(older, count=2)])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (DecisionFilter(kind=Answer.DENIED), ["vera", "vera"]),
        (DecisionFilter(principal="olga"), ["olga"]),
        (DecisionFilter(principal="vera", action="retry"), ["vera"]),
        (DecisionFilter(action="no'; REMOVE TABLE run"), []),
    ],
    ids=["denied", "of one", "of one to one end", "injected"],
)
async def test_decisions_can_be_filtered(
    store: Store, wanted: DecisionFilter, found: list[str]
) -> None:
    await store.write([records.a_decision()])
    await store.write([records.a_decision(action="retry", last=2_000)])
    await store.write([records.a_decision(principal="olga", kind=Answer.ALLOWED, last=3_000)])

    decisions = await store.decisions(wanted, after=None, limit=9)

    assert [each.principal for each in decisions] == found
