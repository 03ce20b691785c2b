"""Histories by name: a seed, or a graph with the boundaries at which its daemon is killed.

`17` is a rough history drawn from that seed; `order` a calm one; `order@12+40` the same with
a kill at boundary 12 and another one at boundary 40; `order*2@12` one of two instances.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from support.simulation.fate import CALM, ROUGH, Fate
from support.simulation.graphs import GRAPHS, Graph, script
from support.simulation.scenario import STRANGER, Event, Outcome, Scenario
from support.simulation.world import World

_MOST_KILLS = 4
_MOST_EVENTS = 4
_SPREAD_S = 20.0
_REPEATED = 0.3
_MOST_VISITS = 6
_VISITED_S = 150.0


class Broken(AssertionError):
    """A history in which a promise was not kept, and how to see it again."""

    def __init__(self, name: str, outcome: Outcome) -> None:
        said = "\n".join(f"  {each}" for each in outcome.violations)
        command = f"STRATUM_SEED={name} python -m pytest tests/simulation/test_replay.py"
        super().__init__(f"history {name} breaks what is promised:\n{said}\nagain: {command}")


def play(name: str) -> Outcome:
    """Play the history of that name to its end."""
    if name.isdigit():
        return _rough(name)
    what, _, crashes = name.partition("@")
    graph, _, instances = what.partition("*")
    numbers = frozenset(int(each) for each in crashes.split("+") if each)
    chosen = next(each for each in GRAPHS if each.name == graph)
    return _calm(chosen, numbers, int(instances or 1))


def held(name: str) -> Outcome:
    """The same, when everything promised was kept; else Broken."""
    outcome = play(name)
    if outcome.violations:
        raise Broken(name, outcome)
    return outcome


def _calm(graph: Graph, crashes: frozenset[int], instances: int) -> Outcome:
    world = World(graph.name, Fate(crashes=crashes), CALM)
    event = Event(at_s=0.1, subject=graph.subject, event_id="e1")
    return Scenario(world, script([graph]), [event], instances=instances).play()


def _rough(seed: str) -> Outcome:
    chance = Random(f"history {seed}")  # noqa: S311 - to be repeatable is its purpose
    fate = Fate(at_random=chance.randint(0, _MOST_KILLS))
    instances = chance.choice((1, 1, 2, 3))
    pauses = 0.004 if instances > 1 else 0
    faults = replace(
        ROUGH, pauses=pauses, until=chance.choice((0, ROUGH.until // 2, ROUGH.until))
    )
    events = [*_good_events(chance), *_bad_events(chance)]
    visits = [chance.random() * _VISITED_S for _ in range(chance.randint(0, _MOST_VISITS))]
    world = World(seed, fate, faults)
    return Scenario(
        world, script(list(GRAPHS)), events, visits=visits, instances=instances
    ).play()


def _good_events(chance: Random) -> Iterator[Event]:
    for at in range(chance.randint(1, _MOST_EVENTS)):
        event = Event(
            at_s=chance.random() * _SPREAD_S,
            subject=chance.choice(GRAPHS).subject,
            event_id=f"e{at}",
            body=chance.choice((b'{"branch":"next"}', b'{"branch":"main"}')),
        )
        yield event
        if chance.random() < _REPEATED:
            yield replace(event, at_s=event.at_s + chance.random() * _SPREAD_S)


def _bad_events(chance: Random) -> Iterator[Event]:
    kinds: tuple[dict[str, object], ...] = (
        {"subject": "events.diamond", "signer": None},
        {"subject": "events.order", "signer": STRANGER},
        {"subject": "events.wide", "body": b"{"},
        {"subject": "events.nowhere"},
        {"subject": "events.denied"},
    )
    for at in range(chance.randint(0, 2)):
        kind = chance.choice(kinds)
        yield Event(at_s=chance.random() * _SPREAD_S, event_id=f"bad{at}", **kind)  # type: ignore[arg-type]
