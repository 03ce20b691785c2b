"""I12: nothing that was lent outlives the process that it was lent to."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, cast

from stratum_orchestrator.audit.chronicle import Chronicle, Entry
from stratum_orchestrator.audit.observed import Violation
from stratum_state.model import Trail

_LATE_MS = 5000
"""How much later than by itself a lease may be found to have ended."""
_ROUNDING_MS = 1000
_PROCESSES: Mapping[object, str] = {"do": "step", "undo": "compensation"}


class _Place(NamedTuple):
    """One process."""

    subject: str
    stage: int
    node: str
    attempt: int


def check_leases(chronicle: Chronicle) -> Iterator[Violation]:
    """I12: what the journal of a run shows of what its processes were lent."""
    begun: set[_Place] = set()
    over: set[_Place] = set()
    leases: dict[_Place, dict[str, object]] = {}
    for entry in chronicle.entries:
        place = _process(entry)
        if place is None:
            continue
        if entry.subject != "credential":
            (begun if entry.status == "started" else over).add(place)
            continue
        known = leases.setdefault(place, {})
        known |= entry.said
        for why in _wrong(entry, place, known, begun, over):
            yield Violation("I12", chronicle.run, f"{place.node}: {why}", entry.n)


def check_alive(trail: Trail, alive: Collection[str], *, settled: bool) -> Iterator[Violation]:
    """I12: the record against the provider's own list of what is alive."""
    for lease in trail.leases:
        what = f"what {lease.node} was lent (attempt {lease.attempt}, {lease.purpose})"
        if lease.is_over and lease.accessor in alive:
            why = f"{what} is {lease.status} on record, and alive"
            yield Violation("I12", trail.run.id, why)
        elif settled and not lease.is_over:
            yield Violation("I12", trail.run.id, f"{what} is still {lease.status}")


def _process(entry: Entry) -> _Place | None:
    if entry.subject == "run":
        return None
    subject = entry.subject
    if subject == "credential":
        subject = _PROCESSES.get(entry.said.get("purpose"), subject)
    return _Place(subject, entry.stage, entry.node, entry.attempt)


def _wrong(
    entry: Entry,
    place: _Place,
    known: Mapping[str, object],
    begun: set[_Place],
    over: set[_Place],
) -> Iterator[str]:
    match entry.status:
        case "requested" | "issued" if place in over:
            yield f"it is {entry.status} for a process that has ended"
        case "requested" if place not in begun:
            yield "it is requested for a process that has not begun"
        case "issued":
            yield from _too_long(known)
        case "revoked" | "expired":
            yield from _too_late(entry.status, known)
        case _:
            pass


def _too_long(known: Mapping[str, object]) -> Iterator[str]:
    lasts = _ms(known, "expires") - _ms(known, "issued")
    if lasts > _ms(known, "lasts") + _ROUNDING_MS:
        yield f"it lasts {lasts} ms, and {known.get('lasts')} ms were asked for"
    if not known.get("accessor"):
        yield "it was issued without an accessor"


def _too_late(status: str, known: Mapping[str, object]) -> Iterator[str]:
    ended, expires = _ms(known, "ended"), _ms(known, "expires")
    if status == "revoked" and ended > expires + _LATE_MS:
        yield f"it was taken back {ended - expires} ms after it had ended by itself"
    if status == "expired" and ended < expires:
        yield f"it is said to have expired {expires - ended} ms before that"


def _ms(known: Mapping[str, object], name: str) -> int:
    return cast("int", known.get(name) or 0)
