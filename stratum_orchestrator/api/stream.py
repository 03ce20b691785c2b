"""Server-sent events: what changes, as it becomes durable (`text/event-stream`)."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import anyio
from aiohttp import web

from stratum_orchestrator.api import views
from stratum_orchestrator.api.desk import SeenDesk
from stratum_orchestrator.api.naming import resolve_prefix
from stratum_orchestrator.api.news import Item, Missed, News, about
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.question import Question
from stratum_orchestrator.api.visitor import visitor
from stratum_state.activation import ActivationRecord
from stratum_state.checkpoint import Answer, Checkpoint
from stratum_state.credential import CredentialLease
from stratum_state.decision import DecisionRecord
from stratum_state.model import (
    CompensationRecord,
    Fact,
    OfRun,
    PipelineRun,
    StepRecord,
    VerdictRecord,
)
from stratum_state.standing import StandingRecord

MEDIA_TYPE = "text/event-stream"
MAX_LISTENERS = 64
MAX_OF_ONE = 32
"""Of them, with one token."""
HEARTBEAT_S = 15.0
_TAKES_S = 10.0  # a listener that does not take a packet within this time is dropped
_REST_S = 0.1  # between packets, so that a burst of facts is one of them
_LISTED = PipelineRun | VerdictRecord | ActivationRecord | StandingRecord | DecisionRecord
_AGAIN_MS = 1000  # how soon a browser is to come back


class Stream:
    """The path `/api/v1/events`."""

    def __init__(self, desk: SeenDesk, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._desk = desk
        self._heartbeat_s = heartbeat_s
        self._listeners: Counter[str] = Counter()

    def table(self) -> Sequence[web.RouteDef]:
        return [web.get("/api/v1/events", self.events)]

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Runs and verdicts as they change; with `run`, everything that happens in that one."""
        question = Question(request.query, {"run"})
        named = question.text("run")
        run = None if named is None else await resolve_prefix(self._desk, named)
        whose = visitor().digest
        self._check(whose)
        response = web.StreamResponse(headers={"Content-Type": MEDIA_TYPE})
        news = self._desk.news
        place = _place(news, self._desk.status().started, request.headers.get("Last-Event-ID"))
        self._listeners[whose] += 1
        try:
            await response.prepare(request)
            await self._tell(response, run, place)
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._listeners[whose] -= 1
            self._listeners = +self._listeners  # without those that are gone
        return response

    def _check(self, whose: str) -> None:
        """A Problem when there is no room for one more."""
        remedy = "try again later, or ask with ?wait= for a change of one run"
        if self._listeners.total() >= MAX_LISTENERS:
            why = f"{MAX_LISTENERS} listen already"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "busy", why, remedy)
        if self._listeners[whose] >= MAX_OF_ONE:
            why = f"{MAX_OF_ONE} listen with your token already"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many", why, remedy)

    async def _tell(self, response: web.StreamResponse, run: str | None, place: int) -> None:
        news, boot = self._desk.news, self._desk.status().started
        await _write(response, f"retry: {_AGAIN_MS}\n\n".encode())
        if place < 0:
            place = news.latest
            await _write(response, _reset(boot, place))
        else:
            await _write(response, _event("hello", f"{boot}-{place}", {"run": run}))
        while True:
            with anyio.move_on_after(self._heartbeat_s) as silence:
                await news.wait(place)
            if silence.cancelled_caught:
                await _write(response, b": still here\n\n")
                continue
            found = news.behind(place)
            if isinstance(found, Missed):
                place = found.number
                await _write(response, _reset(boot, place))
            else:
                place = found[-1].number
                seen = [each for each in found if self._desk.sees(each.fact)]
                if packet := b"".join(_packet(seen, boot, run)):
                    await _write(response, packet)
            await anyio.sleep(_REST_S)


def _place(news: News, boot: int, last: str | None) -> int:
    """Where to go on: now, or behind what was heard last; -1 when that is not known here."""
    if last is None:
        return news.latest
    begun, _, number = last.partition("-")
    if begun != str(boot) or not number.isascii() or not number.isdecimal():
        return -1
    place = int(number[:15])
    return -1 if isinstance(news.behind(place), Missed) else place


async def _write(response: web.StreamResponse, packet: bytes) -> None:
    with anyio.fail_after(_TAKES_S):
        await response.write(packet)


def _packet(items: Sequence[Item], boot: int, run: str | None) -> Iterator[bytes]:
    for number, fact in items:
        of = about(fact)
        is_wanted = isinstance(fact, _LISTED) if run is None else of == run
        if is_wanted:
            yield _event(*_told(fact, f"{boot}-{number}"))


def _told(fact: Fact, number: str) -> tuple[str, str, views.View]:
    kind, told = _of_run(fact) if isinstance(fact, OfRun) else _by_itself(fact)
    return kind, number, told


def _by_itself(
    fact: VerdictRecord | ActivationRecord | StandingRecord | DecisionRecord,
) -> tuple[str, views.View]:
    match fact:
        case VerdictRecord():
            return "verdict", views.verdict(fact)
        case ActivationRecord():
            return "activation", views.activation(fact)
        case StandingRecord():
            return "standing", views.standing(fact)
        case DecisionRecord():
            return "decision", views.decision(fact)


def _of_run(fact: OfRun) -> tuple[str, views.View]:
    match fact:
        case PipelineRun():
            return "run", views.head(fact)
        case StepRecord():
            return "step", views.attempt(fact)
        case CompensationRecord():
            return "compensation", views.attempt(fact)
        case CredentialLease():
            return "credential", views.lease(fact)
        case Checkpoint():
            return "checkpoint", views.checkpoint(fact)
        case Answer():
            return "answer", views.answer(fact)


def _reset(boot: int, place: int) -> bytes:
    return _event("reset", f"{boot}-{place}", {"why": "something was missed: read it anew"})


def _event(kind: str, number: str, told: views.View) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(told)}\n\n".encode()
