"""What people are asked before a step, and what comes of their answers."""

from collections.abc import Iterable, Sequence

import anyio

from stratum_graph.model import Ask, PlannedNode, Principal
from stratum_orchestrator.errors import Impossible
from stratum_orchestrator.saga.context import RunContext
from stratum_orchestrator.saga.instruction import Instruction
from stratum_state import canonical
from stratum_state.checkpoint import Answer, AnswerStatus, Checkpoint, CheckpointStatus
from stratum_state.model import OfRun, Trail


class Inquiry:
    """The questions of one run as they are on record, and those who wait for an end of them."""

    def __init__(self, trail: Trail) -> None:
        self._questions: dict[str, Checkpoint] = {}
        self._answers: list[Answer] = []
        self._news = anyio.Event()
        self.take(trail.facts)

    @property
    def open(self) -> Sequence[Checkpoint]:
        """Those that wait for answers."""
        return [each for each in self._questions.values() if each.is_open]

    @property
    def deadline(self) -> int | None:
        """When the first of them is closed by itself."""
        return min((each.deadline for each in self.open), default=None)

    def of(self, node: str) -> Checkpoint | None:
        """What is asked about the node."""
        return self._questions.get(node)

    def is_open(self, node: str) -> bool:
        """Whether the node waits for answers."""
        question = self.of(node)
        return question is not None and question.is_open

    def take(self, facts: Iterable[object]) -> None:
        """Take note of what is durable."""
        for each in facts:
            if isinstance(each, Checkpoint):
                self._questions[each.node] = each
            elif isinstance(each, Answer):
                self._answers.append(each)
        self._news.set()
        self._news = anyio.Event()

    async def settled(self, node: str) -> None:
        """Return when the node does not wait for answers any more."""
        while self.is_open(node):
            await self._news.wait()

    def ruled(self, told: Instruction, now_ms: int) -> Sequence[OfRun]:
        """What to record of an answer: itself, and its question when that is closed by it.

        Impossible when it comes too late, or is about something else.
        """
        question = find([*self._questions.values()], told.node or "")
        given = [each for each in self._answers if each.node == question.node]
        _check_time(question, now_ms)
        _check_voice(question, given, told)
        answer = _answer(question, told, now_ms)
        agreed = sum(each.status is AnswerStatus.APPROVED for each in [*given, answer])
        if answer.status is AnswerStatus.REJECTED:
            return [answer, question.to(CheckpointStatus.REJECTED, ended=now_ms)]
        if agreed >= question.count:
            return [answer, question.to(CheckpointStatus.APPROVED, ended=now_ms)]
        return [answer]

    def lapsed(self, now_ms: int) -> Sequence[Checkpoint]:
        """Those whose time is up, closed."""
        late = (each for each in self.open if each.deadline <= now_ms)
        return [
            each.to(CheckpointStatus.TIMED_OUT, ended=now_ms, detail=_unanswered(each))
            for each in late
        ]

    def withdrawn(self, but: Iterable[OfRun], now_ms: int, why: str) -> Sequence[Checkpoint]:
        """All that are open but these, closed: the run does not go forward any more."""
        closed = {each.node for each in but if isinstance(each, Checkpoint)}
        left = [each for each in self.open if each.node not in closed]
        return withdraw(left, now_ms, why)

    def said(self, node: str) -> str:
        """How far a question has come, for whoever answered it."""
        question = self.of(node)
        if question is None or not question.is_open:
            return f"{node} is {question.status if question else 'not asked about'}"
        agreed = sum(each.node == node for each in self._answers)
        return f"{agreed} of {question.count} have approved {node}"


def question(planned: PlannedNode, ask: Ask, context: RunContext, now_ms: int) -> Checkpoint:
    """What people are asked before the node begins."""
    given = context.facts(planned.definition.node)
    return Checkpoint(
        run=context.run.id,
        node=planned.definition.node.name,
        stage=planned.stage,
        groups=ask.groups,
        count=ask.count,
        on_timeout=ask.on_timeout,
        plan=context.run.plan,
        inputs=canonical.digest(canonical.text(given)),
        asked=now_ms,
        deadline=now_ms + int(ask.timeout * 1000),
    )


def find(questions: Sequence[Checkpoint], node: str) -> Checkpoint:
    """The question about the node, if it is open; else Impossible."""
    found = next((each for each in questions if each.node == node), None)
    waiting = [each.node for each in questions if each.is_open]
    remedy = f"it asks about: {', '.join(waiting) or 'nothing now'}"
    if found is None:
        why = f"the run does not ask about {node}"
        raise Impossible("no-question", why, remedy)
    if not found.is_open:
        detail = f": {found.detail}" if found.detail else ""
        why = f"the question about {node} is {found.status} already{detail}"
        raise Impossible("question-closed", why, remedy)
    return found


def outside(questions: Sequence[Checkpoint], node: str, person: Principal) -> str:
    """Why somebody is not asked about the node; empty when they are, or nobody is."""
    found = next((each for each in questions if each.node == node), None)
    if found is None or set(person.groups) & set(found.groups):
        return ""
    groups = ", ".join(found.groups)
    return f"{person.name} is in none of the groups that are asked: {groups}"


def withdraw(
    questions: Iterable[Checkpoint], now_ms: int, why: str | None
) -> Sequence[Checkpoint]:
    """Close questions that do not matter any more."""
    return [
        each.to(CheckpointStatus.WITHDRAWN, ended=now_ms, detail=why)
        for each in questions
        if each.is_open
    ]


def cause_of(facts: Iterable[OfRun]) -> str | None:
    """Why a run turns back behind these facts, in one sentence; None when it does not."""
    facts = list(facts)
    closed = [each for each in facts if isinstance(each, Checkpoint) and not each.is_granted]
    answer = next((each for each in facts if isinstance(each, Answer)), None)
    for each in closed:
        if each.status is CheckpointStatus.REJECTED and answer is not None:
            return f"{each.node} rejected by {answer.person}: {answer.reason}"
        if each.status is CheckpointStatus.TIMED_OUT:
            return f"{each.node} rejected: {each.detail}"
    return None


def _answer(question: Checkpoint, told: Instruction, now_ms: int) -> Answer:
    approves = told.action == "approve"
    return Answer(
        run=question.run,
        node=question.node,
        stage=question.stage,
        person=told.person,
        key=told.key,
        status=AnswerStatus.APPROVED if approves else AnswerStatus.REJECTED,
        plan=question.plan,
        reason=told.reason,
        instruction=told.text(),
        answered=now_ms,
    )


def _check_time(question: Checkpoint, now_ms: int) -> None:
    if now_ms >= question.deadline:
        why = f"the time to answer about {question.node} is over"
        raise Impossible("too-late", why, f"stratum run show {question.run}")


def _check_voice(question: Checkpoint, given: Sequence[Answer], told: Instruction) -> None:
    """Impossible when the person has answered before: what was said is final."""
    for each in given:
        if told.person == each.person or told.key == each.key:
            raise Impossible(
                "answered",
                f"{told.person} has answered already: {each.status}",
                f"{question.count - len(given)} more have to approve",
            )


def _unanswered(question: Checkpoint) -> str:
    after = (question.deadline - question.asked) / 1000
    groups = ", ".join(question.groups)
    return f"{groups} did not answer in full within {after:g} s"
