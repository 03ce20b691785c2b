"""The store in dicts, with its history: for tests, simulations and dry runs."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from stratum_state.activation import ActivationRecord
from stratum_state.credential import CredentialLease
from stratum_state.decision import DecisionRecord
from stratum_state.evidence import Evidence
from stratum_state.head import SignedHead, Signer
from stratum_state.ledger import Ledger, Stamp
from stratum_state.model import (
    Fact,
    JournalLine,
    PipelineRun,
    Trail,
    VerdictRecord,
)
from stratum_state.standing import StandingRecord, latest
from stratum_state.store import EVERY_VERDICT, DecisionFilter, RunFilter, VerdictFilter

_Record = TypeVar("_Record", PipelineRun, VerdictRecord, ActivationRecord, DecisionRecord)


def wall_clock_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class MemoryStore:
    """Keeps everything for as long as it lives, and nothing longer."""

    def __init__(
        self, now_ms: Callable[[], int] = wall_clock_ms, signer: Signer | None = None
    ) -> None:
        self.history: list[Fact] = []
        """Every fact that changed something, in the order of writing."""
        self._now_ms = now_ms
        self._ledger = Ledger(signer=signer)
        self._heads: dict[str, list[SignedHead]] = {}
        self._lines: dict[str, list[JournalLine]] = {}
        self._verdicts: dict[str, VerdictRecord] = {}
        self._activations: dict[str, ActivationRecord] = {}
        self._standings: dict[str, StandingRecord] = {}
        self._decisions: dict[str, DecisionRecord] = {}
        self._batch = 0

    async def write(self, facts: Sequence[Fact]) -> None:
        self._batch += 1
        stamp = Stamp(self._batch, self._now_ms())
        moves = self._ledger.apply(facts, stamp)
        for head in self._ledger.ends(moves, stamp.at):
            self._heads.setdefault(head.run, []).append(head)
        for move in moves:
            fact = move.after.fact
            self.history.append(fact)
            self._lines.setdefault(move.line.run, []).append(move.line)
            if isinstance(fact, VerdictRecord):
                self._verdicts[fact.id] = fact
            elif isinstance(fact, ActivationRecord):
                self._activations[fact.id] = fact
            elif isinstance(fact, StandingRecord):
                self._standings[fact.id] = fact
            elif isinstance(fact, DecisionRecord):
                self._decisions[fact.id] = fact

    async def inbox(self, identities: Sequence[str]) -> Mapping[str, str]:
        held = ((each, self._ledger.holder(each)) for each in identities)
        return {identity: run for identity, run in held if run is not None}

    async def verdict(self, verdict_id: str) -> VerdictRecord | None:
        return self._verdicts.get(verdict_id)

    async def verdicts(
        self, *, after: str | None, limit: int, wanted: VerdictFilter = EVERY_VERDICT
    ) -> Sequence[VerdictRecord]:
        found = [each for each in self._verdicts.values() if wanted.takes(each)]
        return _page(found, after, limit)

    async def activations(self, *, limit: int) -> Sequence[ActivationRecord]:
        return _page(list(self._activations.values()), None, limit)

    async def standings(self) -> Sequence[StandingRecord]:
        return latest(self._standings.values())

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        found = [each for each in self._decisions.values() if wanted.takes(each)]
        return _page(found, after, limit)

    async def trail(self, run_id: str) -> Trail | None:
        account = self._ledger.account(run_id)
        return account.trail() if account else None

    async def unfinished(self) -> Sequence[Trail]:
        live = sorted((run.id for run in self._ledger.runs() if not run.is_over), reverse=True)
        trails = [await self.trail(each) for each in live]
        return [each for each in trails if each is not None]

    async def asking(self, *, after: str | None, limit: int) -> Sequence[str]:
        runs = sorted({each.run for each in self._ledger.asked()})
        return [each for each in runs if after is None or each > after][:limit]

    async def due(self) -> Sequence[PipelineRun]:
        return self._ledger.due()

    async def owed(self) -> Sequence[CredentialLease]:
        return self._ledger.owed()

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        return _page([run for run in self._ledger.runs() if wanted.takes(run)], after, limit)

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        ids = sorted(run.id for run in self._ledger.runs())
        found = (
            each for each in ids if prefix in (each[: len(prefix)], each[13:][: len(prefix)])
        )
        return list(islice(found, limit))

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return tuple(self._lines.get(run_id, ()))

    async def evidence(self, run_id: str) -> Evidence | None:
        account = self._ledger.account(run_id)
        if account is None:
            return None
        return Evidence(
            rows=account.marked(),
            journal=tuple(await self.journal(run_id)),
            heads=tuple(self._heads.get(run_id, ())),
        )


def _page(records: list[_Record], after: str | None, limit: int) -> list[_Record]:
    records.sort(key=lambda each: each.id)
    return [each for each in records if after is None or each.id > after][:limit]
