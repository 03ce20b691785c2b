"""The ends of runs are published until the broker has them, and not again."""

from collections.abc import Mapping
from dataclasses import replace

import anyio
import pytest

from platform_nats.errors import NotPublished
from stratum_graph.generation import Generation, compile_graph
from stratum_orchestrator.errors import Refused
from stratum_orchestrator.saga.depth import depth_of
from stratum_orchestrator.saga.herald import Herald
from stratum_orchestrator.saga.notice import notice
from stratum_orchestrator.saga.sequel import heard
from stratum_state.memory import MemoryStore
from stratum_state.model import PipelineRun, Trail
from stratum_state.tracker import StateTracker
from support import records
from support.graph import node
from support.records import a_run, a_step

SUBJECT = "events.stratum.run.completed.build"


class Stream:
    """Where events go; it may be away for a while."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.stored: list[tuple[str, object, str, Mapping[str, str]]] = []

    async def publish(
        self, subject: str, data: object, event_id: str, headers: Mapping[str, str]
    ) -> int:
        if self.refuses:
            self.refuses -= 1
            raise NotPublished(subject, event_id, "the broker is away")
        self.stored.append((subject, data, event_id, headers))
        return len(self.stored)


async def ended(tracker: StateTracker, **facts: object) -> PipelineRun:
    """A run that completed, its end being due."""
    accepted = replace(a_run(), **facts)  # type: ignore[arg-type]
    running = records.running(accepted)
    over = replace(records.completed(running), notice=SUBJECT)
    await tracker.record(accepted)
    await tracker.record(running, a_step(accepted))
    await tracker.record(records.succeeded(a_step(accepted)), over)
    return over


def listeners(*subjects: str) -> Generation:
    compiled = compile_graph([node(f"n{at}", on=each) for at, each in enumerate(subjects)])
    assert compiled.generation is not None
    return compiled.generation


async def test_an_end_is_published_and_that_is_on_record() -> None:
    stream, store = Stream(), MemoryStore()
    herald = Herald(StateTracker(store), stream.publish, anyio.Lock())
    tracker = StateTracker(store, herald.observe)

    run = await ended(tracker, depth=2)
    await herald.work()
    await herald.work()

    [(subject, data, event_id, headers)] = stream.stored
    assert (subject, event_id) == (SUBJECT, f"{run.id}.completed")
    assert headers == {"Stratum-Depth": "3"}
    assert isinstance(data, dict)
    assert data["outputs"] == {"lint": True}
    assert await store.due() == []
    trail = await store.trail(run.id)
    assert trail is not None
    assert trail.run.published == 1


async def test_what_a_killed_daemon_left_is_found() -> None:
    stream, store = Stream(), MemoryStore()
    await ended(StateTracker(store))

    await Herald(StateTracker(store), stream.publish, anyio.Lock()).work()

    assert len(stream.stored) == 1


async def test_a_broker_that_is_away_is_tried_again() -> None:
    stream, store = Stream(refuses=2), MemoryStore()
    await ended(StateTracker(store))
    herald = Herald(StateTracker(store), stream.publish, anyio.Lock())

    first = await herald.work()
    await herald.work()
    last = await herald.work()

    assert (first, last, len(herald)) == (0, 1, 0)
    assert len(stream.stored) == 1


async def test_a_run_that_is_undone_again_meanwhile_is_left_alone() -> None:
    stream, store = Stream(), MemoryStore()
    tracker = StateTracker(store)
    run = await ended(tracker)
    await tracker.record(run.heard_of(7))

    await Herald(tracker, stream.publish, anyio.Lock()).work()

    assert stream.stored == []


@pytest.mark.parametrize(
    ("subjects", "captured", "always", "wanted"),
    [
        ((SUBJECT,), ("events.>",), False, SUBJECT),
        (("events.stratum.run.*.build",), ("events.>",), False, SUBJECT),
        (("events.push",), ("events.>",), False, None),
        (("events.push",), ("events.>",), True, SUBJECT),
        (("events.push",), ("events.push",), True, None),
    ],
)
def test_an_end_is_due_where_somebody_waits_for_it(
    subjects: tuple[str, ...], captured: tuple[str, ...], *, always: bool, wanted: str | None
) -> None:
    sequel = heard(lambda: listeners(*subjects), captured, always=always)
    running = records.running(a_run())

    assert sequel(running).notice is None
    assert sequel(records.completed(running)).notice == wanted


LARGE = '"' + "x" * 9000 + '"'


@pytest.mark.parametrize("value", [LARGE, "1e400", r'"\u0000"'])
def test_what_not_every_reader_can_take_is_named_instead(value: str) -> None:
    run = replace(records.completed(records.running(a_run())), notice=SUBJECT)
    step = records.succeeded(a_step(run), outputs=f'{{"big":{value}}}')

    said = notice(Trail(run=run, steps=(step,))).data

    assert (said["outputs"], said["omitted"]) == ({}, ["big"])


@pytest.mark.parametrize(("said", "depth"), [(None, 0), ("1", 1), ("8", 8)])
def test_the_depth_is_what_the_daemon_signed(said: str | None, depth: int) -> None:
    headers = {} if said is None else {"stratum-depth": said}

    assert depth_of(headers, 8) == depth


@pytest.mark.parametrize(
    ("said", "code"),
    [("9", "too-deep"), ("0", "bad-header"), ("-1", "bad-header"), ("x", "bad-header")],
)
def test_what_is_too_deep_or_no_number_is_refused(said: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        depth_of({"stratum-depth": said}, 8)

    assert refused.value.code == code
