"""One immutable compiled graph. Compiling reports everything that is wrong at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stratum_graph.condition import holds
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.inspection import inspect
from stratum_graph.model import Definition, Plan
from stratum_graph.plan import Wiring, digest_of, make_plan
from stratum_graph.subjects import SubjectTrie, nearest

_PLANS_KEPT = 1024
UNKNOWN = object()
"""The payload of an event that nobody has published yet."""


class Generation:
    """The graph that events are planned with until the next one replaces it."""

    def __init__(self, definitions: Sequence[Definition], providers: Mapping[str, int]) -> None:
        """Take definitions that the compiler found free of errors; use `compile_graph`."""
        self.definitions = tuple(definitions)
        self.providers = providers
        self.digest = digest_of([(each.node, each.tree) for each in self.definitions])
        triggers = [
            (subject, index)
            for index, each in enumerate(self.definitions)
            if each.node.trigger
            for subject in each.node.trigger.subjects
        ]
        self.subjects = tuple(sorted({subject for subject, _ in triggers}))
        self._triggered: dict[str, list[int]] = {}
        for index, each in enumerate(self.definitions):
            if each.node.trigger:
                self._triggered.setdefault(each.node.trigger.pipeline, []).append(index)
        self.pipelines = tuple(sorted(self._triggered))
        self._trie = SubjectTrie(triggers)
        self._wiring = Wiring(self.definitions, providers)
        self._plans: dict[tuple[str, frozenset[int]], Plan] = {}

    def plans(self, subject: str, data: object = UNKNOWN) -> tuple[Plan, ...]:
        """The plans that an event on the subject opens, by name of the pipeline.

        A trigger's `when` is judged on the payload; without a payload it counts as true.
        """
        matched: dict[str, set[int]] = {}
        for index in self._trie.match(subject):
            trigger = self.definitions[index].node.trigger
            if trigger is None or not _wanted(trigger.when, data):
                continue
            matched.setdefault(trigger.pipeline, set()).add(index)
        return tuple(self._plan(name, frozenset(matched[name])) for name in sorted(matched))

    def listens(self, subject: str) -> bool:
        """Whether an event under the subject may open any pipeline."""
        return bool(self._trie.match(subject))

    def whole(self, pipeline: str) -> Plan:
        """The plan of a pipeline when every one of its triggers matches."""
        return self._plan(pipeline, frozenset(self._triggered.get(pipeline, ())))

    def nearest_subject(self, subject: str) -> str | None:
        """The trigger that looks most like the subject, for a reader who mistyped it."""
        return nearest(subject, self.subjects)

    def _plan(self, pipeline: str, matched: frozenset[int]) -> Plan:
        key = (pipeline, matched)
        if key not in self._plans:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            self._plans[key] = make_plan(pipeline, matched, self._wiring)
        return self._plans[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A generation, or None when an error stands in its way, and all that was found."""

    generation: Generation | None
    diagnostics: tuple[Diagnostic, ...]


def compile_graph(
    definitions: Sequence[Definition], *, subjects: Sequence[str] = ("events.>",)
) -> Compiled:
    """Compile all definitions together; `subjects` are what the event stream captures."""
    enabled = sorted((d for d in definitions if d.node.enabled), key=lambda d: d.node.name)
    providers, found = inspect(enabled, subjects)
    if any(each.severity == "error" for each in found):
        return Compiled(generation=None, diagnostics=found)
    return Compiled(generation=Generation(enabled, providers), diagnostics=found)


def _wanted(when: Mapping[str, object] | None, data: object) -> bool:
    return when is None or data is UNKNOWN or holds(when, {"event": data})
