"""`when`: conditions as data. Equality and order on dotted paths; nothing is ever executed."""

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import cast

from stratum_graph.model import Condition
from stratum_graph.schemas import compile_schema

Facts = Mapping[str, object]
_ABSENT = object()
_ORDER: Mapping[str, Callable[[float, float], bool]] = {"lt": lt, "le": le, "gt": gt, "ge": ge}


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether the condition is true of the facts; a path that leads nowhere makes it false."""
    match condition:
        case {"op": "all", "of": list(inner)}:
            return all(holds(each, facts) for each in inner)
        case {"op": "any", "of": list(inner)}:
            return any(holds(each, facts) for each in inner)
        case {"op": "not", "of": list(inner)}:
            return not all(holds(each, facts) for each in inner)
        case {"op": str(op), "path": str(path)}:
            found = look_up(facts, path)
            return found is not _ABSENT and _compare(op, found, condition.get("value"))
        case _:
            return False


def look_up(facts: Facts, path: str, absent: object = _ABSENT) -> object:
    """The value at a dotted path; list items by number."""
    here: object = facts
    for step in path.split("."):
        if isinstance(here, Mapping) and step in here:
            here = here[step]
        elif isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        else:
            return absent
    return here


def _compare(op: str, found: object, wanted: object) -> bool:
    if op == "exists":
        return True
    if op == "matches":
        fits = compile_schema({"type": "string", "pattern": wanted})
        return not fits.problems(found)
    if op == "in":
        return isinstance(wanted, list) and found in wanted
    if op in _ORDER:
        return _comparable(found, wanted) and _ORDER[op](
            cast("float", found), cast("float", wanted)
        )
    return (found == wanted) is (op == "eq")


def _comparable(left: object, right: object) -> bool:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (left, right))
    return numbers or (isinstance(left, str) and isinstance(right, str))
