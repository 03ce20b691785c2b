"""What is in force, and its replacement: whole, or not at all."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio

from platform_nats.errors import TransportError
from stratum_graph.errors import GraphError
from stratum_graph.model import Definition, Principal
from stratum_orchestrator.api.desk import Outcome
from stratum_orchestrator.crashpoints import Passed
from stratum_orchestrator.knowledge import Sources
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.reload.reader import Found, Reader
from stratum_orchestrator.saga.rules import Rules

log = logging.getLogger(__name__)

_NAMED = 5  # nodes in a line of the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a reload needs beside the reader."""

    resolve: Callable[[], Sources]
    """Where everything lies now; asked at each attempt."""
    rules: Callable[[Found], Rules]
    """Rules of what was found, which is free of errors."""
    let_in: Callable[[Mapping[str, Principal]], Awaitable[None]]
    """Tells the broker who may publish."""
    told: Callable[[Outcome, int], None]
    """Is given each outcome, and how many nodes are in force."""
    passed: Passed
    clock: Clock


class Reloader:
    """Keeps the rules that are in force; they are replaced by one assignment."""

    def __init__(
        self, rules: Rules, found: Found, reader: Reader, around: Surroundings
    ) -> None:
        """Begin with rules that are in force already, made of what was found."""
        self.rules = rules
        self.trouble = ""
        """Why what was read last is not in force; empty when it is."""
        self.diagnostics = found.diagnostics
        """What was found at the last attempt, whether it is in force or not."""
        self.latest: Outcome | None = None
        """What came of the last attempt that met something new."""
        self._in_force = found
        self._seen: Found | None = found
        self._reader = reader
        self._around = around
        self._turn = anyio.Lock()

    async def reload(self, reason: str, sources: Sources | None = None) -> Outcome:
        """Bring into force what there is now, or keep what is and say what is wrong.

        With sources, what lies there: then they are to be what `resolve` gives as soon as the
        outcome is live, without waiting for anything in between.
        One attempt at a time; a further one waits, and begins with what the one before left.
        """
        async with self._turn:
            began = anyio.current_time()
            try:
                outcome = await self._attempt(reason, sources)
            except Exception as fault:  # noqa: BLE001 - whatever it is, the old rules serve on
                outcome = self._fail(reason, fault)
            took_ms = round((anyio.current_time() - began) * 1000)
            outcome = replace(outcome, took_ms=took_ms)
            if outcome.why or outcome.kind == "live":
                self.latest = outcome
            self._around.told(outcome, len(self.rules.generation.definitions))
            return outcome

    async def take_principals(
        self, read: Callable[[Sources], Awaitable[Mapping[str, Principal] | None]]
    ) -> None:
        """Bring into force who is read there, beside whatever definitions are in force.

        Access that was withdrawn must not wait until somebody has mended a definition.
        """
        async with self._turn:
            named = await read(self._around.resolve())
            if named is not None:
                self.rules = replace(self.rules, principals=named)

    async def _attempt(self, reason: str, sources: Sources | None) -> Outcome:
        found = await self._reader.read(sources or self._around.resolve())
        if found is self._in_force:
            self._settle(found, "")
            return self._outcome("unchanged", reason)
        if found is self._seen:
            return self._outcome("refused", reason)
        self._around.passed("reload.scanned")
        if found.errors:
            return self._refuse(found, reason)
        return await self._take(found, reason)

    async def _take(self, found: Found, reason: str) -> Outcome:
        rules, was = self._around.rules(found), self._in_force
        self._around.passed("reload.compiled")
        if rules.principals != self.rules.principals:
            await self._let_in(rules.principals)
        self._around.passed("reload.admitted")
        self.rules = rules
        self._around.passed("reload.swapped")
        new = [each for each in found.diagnostics if each not in self.diagnostics]
        for each in new:
            log.warning("definition questioned", extra={"finding": str(each)})
        self._in_force = found
        self._settle(found, "")
        outcome = _compared(self._outcome("live", reason), was, found)
        log.info("definitions live", extra=_told(outcome, rules))
        return outcome

    async def _let_in(self, principals: Mapping[str, Principal]) -> None:
        """Tell the broker, when events are judged by it: who is let in publishes at once."""
        before = self.rules
        self.rules = replace(before, principals=principals)
        try:
            await self._around.let_in(principals)
        except BaseException:
            self.rules = before
            raise

    def _refuse(self, found: Found, reason: str) -> Outcome:
        errors = found.errors
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        self._settle(found, f"{errors[0]}{more}")
        kept = self.rules.generation.digest
        log.warning("definitions not taken", extra={"why": self.trouble, "kept": kept})
        return replace(self._outcome("refused", reason), evaluated=found.evaluated)

    def _fail(self, reason: str, fault: Exception) -> Outcome:
        """Begin anew at the next attempt, even if nothing has changed until then."""
        why, self._seen = str(fault) or type(fault).__name__, None
        if why != self.trouble:
            known = isinstance(fault, GraphError | TransportError | OSError)
            log.error("reload failed", extra={"why": why}, exc_info=None if known else fault)
        self.trouble = why
        return self._outcome("failed", reason)

    def _settle(self, found: Found, trouble: str) -> None:
        self._seen, self.trouble, self.diagnostics = found, trouble, found.diagnostics

    def _outcome(self, kind: Outcome.Kind, reason: str) -> Outcome:
        return Outcome(
            kind=kind,
            reason=reason,
            generation=self.rules.generation.digest,
            at=self._around.clock.now_ms(),
            diagnostics=self.diagnostics,
            why=self.trouble,
        )


def _compared(outcome: Outcome, was: Found, now: Found) -> Outcome:
    old, new = _named(was), _named(now)
    changed = (name for name in old.keys() & new.keys() if not _alike(old[name], new[name]))
    return replace(
        outcome,
        evaluated=now.evaluated,
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(changed)),
        removed=tuple(sorted(old.keys() - new.keys())),
        people=was.principals != now.principals,
        policies=was.policies != now.policies,
    )


def _named(found: Found) -> Mapping[str, Definition]:
    definitions = found.generation.definitions if found.generation else ()
    return {each.node.name: each for each in definitions}


def _alike(one: Definition, other: Definition) -> bool:
    return one is other or (one.tree == other.tree and one.node == other.node)


def _told(outcome: Outcome, rules: Rules) -> Mapping[str, object]:
    """What a line of the log says: the names, as long as they are few."""
    return {
        "nodes": len(rules.generation.definitions),
        "added": _few(outcome.added),
        "changed": _few(outcome.changed),
        "removed": _few(outcome.removed),
        "principals": "changed" if outcome.people else "",
        "policies": "changed" if outcome.policies else "",
        "generation": outcome.generation,
    }


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
