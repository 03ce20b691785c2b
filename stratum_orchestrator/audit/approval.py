"""What people were asked, and what came of it: I24."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stratum_graph.model import Ask, Plan
from stratum_orchestrator.audit.chronicle import Chronicle, Entry
from stratum_orchestrator.audit.observed import Violation

_ACTIONS = {"approved": "approve", "rejected": "reject"}
_TURNED = ("run.compensating", "run.completed", "run.abandoned")


@dataclass(slots=True)
class _Question:
    """One question as the journal tells it."""

    said: Mapping[str, object]
    status: str = "open"
    voices: dict[str, str] = field(default_factory=dict)
    """Person to answer."""

    @property
    def is_granted(self) -> bool:
        by_default = self.status == "timed-out" and self.said.get("on_timeout") == "approve"
        return by_default or self.status == "approved"

    def missing(self) -> int:
        """How many more people would have had to approve."""
        agreed = sum(each == "approved" for each in self.voices.values())
        count = self.said.get("count")
        return (count if isinstance(count, int) else 1) - agreed


def check_questions(chronicle: Chronicle, plan: Plan | None) -> Iterator[Violation]:
    """I24: who is to be asked is asked, by as many as it takes, in time, and before."""
    trial = _Trial(chronicle, plan)
    for entry in chronicle.entries:
        for why in trial.take(entry):
            yield Violation("I24", chronicle.run, why, entry.n)


class _Trial:
    """One journal, read from its beginning."""

    def __init__(self, chronicle: Chronicle, plan: Plan | None) -> None:
        self._plan = chronicle.entries[0].said.get("plan")
        self._knows = plan is not None
        self._asks = _asks(plan)
        self._questions: dict[str, _Question] = {}
        self._under_way: set[tuple[str, int]] = set()
        self._before = ""

    def take(self, entry: Entry) -> Iterator[str]:
        """What is wrong with the next entry."""
        match entry.subject:
            case "checkpoint":
                yield from self._question(entry)
            case "answer":
                yield from self._answer(entry)
            case "step":
                yield from self._step(entry)
            case "run":
                yield from self._run(entry)
                self._before = entry.status
            case _:
                pass

    @property
    def _open(self) -> list[str]:
        return [node for node, each in self._questions.items() if each.status == "open"]

    def _question(self, entry: Entry) -> Iterator[str]:
        if entry.status == "open" and entry.node not in self._questions:
            self._questions[entry.node] = _Question(entry.said)
            yield from self._opened(entry)
            return
        known = self._questions.get(entry.node)
        if known is None:
            return  # said by I17
        known.status = entry.status
        if entry.status == "approved" and known.missing() > 0:
            yield f"{entry.node} is approved, though {known.missing()} approvals are missing"
        if entry.status == "approved" and "rejected" in known.voices.values():
            yield f"{entry.node} is approved, though somebody rejected it"
        if entry.status == "rejected" and "rejected" not in known.voices.values():
            yield f"{entry.node} is rejected, though nobody did that"
        if entry.status == "timed-out" and _ms(entry, "ended") < _number(known, "deadline"):
            yield f"{entry.node} is timed out before its deadline"

    def _opened(self, entry: Entry) -> Iterator[str]:
        ask = self._asks.get(entry.node)
        if self._knows and ask is None:
            yield f"its plan does not ask about {entry.node}"
        elif ask is not None and _terms(ask) != tuple(map(entry.said.get, _TERMS)):
            yield f"it asks otherwise about {entry.node} than its plan says"
        if entry.said.get("plan") != self._plan:
            yield f"it asks about {entry.node} of another plan"
        if any(node == entry.node for node, _ in self._under_way):
            yield f"it asks about {entry.node}, which has begun"

    def _answer(self, entry: Entry) -> Iterator[str]:
        person = str(entry.said.get("person"))
        known = self._questions.get(entry.node)
        if known is None or known.status != "open":
            yield f"{person} answers about {entry.node}, where nothing is asked"
            return
        if person in known.voices:
            yield f"{person} answers twice about {entry.node}"
        known.voices[person] = entry.status
        if entry.said.get("plan") != self._plan:
            yield f"{person} answers about another plan"
        if _ms(entry, "answered") >= _number(known, "deadline"):
            yield f"{person} answers too late"
        if _told(entry) != (_ACTIONS[entry.status], entry.node, person):
            yield f"what {person} said about {entry.node} is not what is allowed"

    def _step(self, entry: Entry) -> Iterator[str]:
        if entry.status == "started":
            self._under_way.add((entry.node, entry.attempt))
            known = self._questions.get(entry.node)
            if known is None and entry.node in self._asks:
                yield f"{entry.node} begins, and nobody was asked"
            elif known is not None and not known.is_granted:
                yield f"{entry.node} begins, though its question is {known.status}"
        else:
            self._under_way.discard((entry.node, entry.attempt))

    def _run(self, entry: Entry) -> Iterator[str]:
        if entry.what == "run.suspended" and self._before != "suspended":
            if not self._open:
                yield "it is suspended, though it asks nothing"
            if self._under_way:
                yield f"it is suspended, though {min(self._under_way)[0]} runs"
        if entry.what in _TURNED and self._before != entry.status and self._open:
            yield f"it is {entry.status}, but still asks about {self._open[0]}"


_TERMS = ("groups", "count", "on_timeout")


def _terms(ask: Ask) -> tuple[object, ...]:
    return (list(ask.groups), ask.count, ask.on_timeout)


def _asks(plan: Plan | None) -> Mapping[str, Ask]:
    nodes = [each.definition.node for each in plan.nodes] if plan else []
    return {node.name: node.question for node in nodes if node.question is not None}


def _told(entry: Entry) -> tuple[object, ...]:
    """What the policies allowed: the action, the node and the person; empty when nothing."""
    text = entry.said.get("instruction")
    try:
        said = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        said = None
    match said:
        case {
            "action": action,
            "node": node,
            "person": person,
            "policies": [_, *_],
            "policy_set": str(),
        }:
            return action, node, person
        case _:
            return ()


def _ms(entry: Entry, name: str) -> int:
    found = entry.said.get(name)
    return found if isinstance(found, int) else 0


def _number(question: _Question, name: str) -> int:
    found = question.said.get(name)
    return found if isinstance(found, int) else 0
