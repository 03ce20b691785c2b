"""By what right and by which plan a run acts: I14 and I16."""

import json
from collections.abc import Iterator

import msgspec

from stratum_graph.model import Plan
from stratum_graph.plan import digest_of
from stratum_orchestrator.audit.chronicle import Chronicle, Entry
from stratum_orchestrator.audit.observed import Violation

_SIGNED = ("publisher", "principal", "event_id", "identity")


def check_plan(chronicle: Chronicle, plan: Plan | None) -> Iterator[Violation]:
    """I14: one plan and one generation from the start to the end, and the steps are its own."""
    said: dict[str, object] = {}
    for entry in chronicle.entries:
        for name in ("plan", "generation"):
            if (
                name in entry.said
                and said.setdefault(name, entry.said[name]) != entry.said[name]
            ):
                why = f"its {name} changed to {entry.said[name]}"
                yield Violation("I14", chronicle.run, why, entry.n)
    if plan is None:
        return
    bare = msgspec.structs.replace(plan, digest="")
    if not said.get("plan") == plan.digest == digest_of(bare):
        why = f"the plan that it ran is not {said.get('plan')}"
        yield Violation("I14", chronicle.run, why)
    places = {planned.definition.node.name: planned.stage for planned in plan.nodes}
    for entry in chronicle.entries:
        if entry.node and places.get(entry.node) != entry.stage:
            why = f"its plan has no {entry.node} in stage {entry.stage}"
            yield Violation("I14", chronicle.run, why, entry.n)


def check_warrant(chronicle: Chronicle) -> Iterator[Violation]:
    """I16: the signer and the policies' permission are on record before anything begins."""
    first = chronicle.entries[0]
    if first.what != "run.accepted":
        why = f"it begins with {first.what}, so nothing says who may run it"
        yield Violation("I16", chronicle.run, why, first.n)
        return
    for fault in _faults(first):
        yield Violation("I16", chronicle.run, fault, first.n)


def check_instructions(chronicle: Chronicle) -> Iterator[Violation]:
    """I16: what only an operator can do says which one, why and by which policies' leave."""
    told = before = ""
    for entry in chronicle.entries:
        if (text := entry.said.get("instruction")) is not None:
            told = _action(text)
            if not told:
                why = "an operator's instruction does not say who, why and by what right"
                yield Violation("I16", chronicle.run, why, entry.n)
        wanted = _only_by(entry, before)
        if wanted and told != wanted:
            yield Violation("I16", chronicle.run, f"no operator told it to {wanted}", entry.n)
        if entry.subject == "run":
            before = entry.status


def _only_by(entry: Entry, before: str) -> str:
    """The instruction without which this cannot happen; empty when it needs none."""
    if entry.what == "run.abandoned":
        return "abandon"
    if entry.what == "compensation.waived":
        return "waive"
    return "retry" if (before, entry.what) == ("compensated", "run.compensating") else ""


def _action(text: object) -> str:
    match _decoded(text):
        case {
            "action": str(action),
            "by": str(by),
            "reason": str(),
            "policies": [_, *_],
            "policy_set": str(policy_set),
        } if by and policy_set:
            return action
        case _:
            return ""


def _faults(first: Entry) -> Iterator[str]:
    for name in _SIGNED:
        if not isinstance(first.said.get(name), str) or not first.said[name]:
            yield f"it does not say its {name}"
    match _decoded(first.said.get("authorization")):
        case {"allowed": True, "policies": [_, *_], "policy_set": str(policy_set), **rest} if (
            policy_set
        ):
            if rest.get("errors"):
                yield f"it was allowed in spite of errors: {rest['errors']}"
        case _:
            yield "no policy on record allows it"


def _decoded(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
