"""What is on record of the runs that move, and what each new fact adds to it.

Those that are over, or wait for people, are kept up to a number, and an amount of text.

Both stores judge facts here, when they are handed over and in that order, so that two moves
of the same step cannot both pass. Nothing here reads or writes anything.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from stratum_state import journal, moves, permission
from stratum_state.account import Account, Row
from stratum_state.checkpoint import Checkpoint
from stratum_state.credential import CredentialLease
from stratum_state.errors import IllegalMove, Rejected, Taken
from stratum_state.head import SignedHead, Signer
from stratum_state.journal import Head
from stratum_state.model import (
    CompensationRecord,
    Fact,
    JournalLine,
    PipelineRun,
    StepRecord,
)

_ENDED_TEXT = 16 << 20


class Move(NamedTuple):
    """One fact that changes the record."""

    before: Row | None
    after: Row
    changed: dict[str, object]
    line: JournalLine


class Stamp(NamedTuple):
    """In which batch and when (Unix milliseconds) facts are recorded."""

    batch: int
    at: int


class Ledger:
    """The accounts of the runs that move; not all of those that ended."""

    def __init__(
        self,
        *,
        ended: int | None = None,
        ended_text: int = _ENDED_TEXT,
        signer: Signer | None = None,
    ) -> None:
        """`signer` signs the ends of runs. Of runs that are at rest, as many are kept as
        `ended` says, with as many characters of text together as `ended_text` says.
        """
        self._signer = signer
        self._accounts: dict[str, Account] = {}
        self._identities: dict[str, str] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()
        """How much text is in each; the one that is at rest for longest comes first."""
        self._ended_text = 0
        self._keep = ended
        self._keep_text = ended_text
        self._away: set[str] = set()
        """Runs that wait for people, and are read again when something moves in them."""
        self._condemned: set[str] = set()
        self.forgotten = 0
        """How many runs were removed: what was read before that may be of one of them."""

    def account(self, chain: str) -> Account | None:
        return self._accounts.get(chain)

    def runs(self) -> Iterable[PipelineRun]:
        """Every run that is known here."""
        return (run for each in self._accounts.values() if (run := each.run) is not None)

    def owed(self) -> list[CredentialLease]:
        """What was lent and is neither taken back nor at its end."""
        accounts = self._accounts.values()
        return [each for account in accounts for each in account.leases() if not each.is_over]

    def due(self) -> list[PipelineRun]:
        """The runs whose end, or a question of which, is still to be published."""
        return [
            run
            for each in self._accounts.values()
            if (run := each.run) is not None
            and (run.is_due or any(asked.is_due for asked in each.questions()))
        ]

    def asked(self) -> list[Checkpoint]:
        """The questions that are open."""
        accounts = self._accounts.values()
        return [each for account in accounts for each in account.questions() if each.is_open]

    @property
    def is_idle(self) -> bool:
        """Whether nothing moves any more, nor will."""
        return not self._away and all(each.is_over for each in self._accounts.values())

    def holder(self, identity: str) -> str | None:
        """The run that has this identity, of those known here."""
        return self._identities.get(identity)

    def enter(self, rows: Iterable[Row]) -> bool:
        """Take over what was read from the record; whether a run is known only since now."""
        rows = [row for row in rows if self._is_new(moves.chain(row.fact))]
        for row in sorted(rows, key=lambda each: each.head.n):
            chain = moves.chain(row.fact)
            self._put(chain, row)
        for chain in {moves.chain(row.fact) for row in rows}:
            self._rest(chain)
        self._trim()
        return bool(rows)

    def condemn(self, runs: Collection[str]) -> None:
        """Let go of runs that are over, so that nothing moves in them any more.

        Raises Rejected when something is under way in one of them.
        """
        for run in runs:
            account = self._accounts.get(run)
            if account is not None and (account.pending or not account.is_over):
                what = f"the removal of run {run}"
                raise Rejected(what, "something moves in it")
        for run in runs:
            self._drop(run)
        self._condemned.update(runs)

    def pardon(self, runs: Collection[str]) -> None:
        """Their removal did not become durable."""
        self._condemned.difference_update(runs)

    def forget(self, runs: Collection[str]) -> None:
        """Their removal has become durable."""
        self.pardon(runs)
        self.forgotten += len(runs)

    def awaits(self, facts: Sequence[Fact]) -> bool:
        """Whether something about the same runs is not durable yet."""
        accounts = (self._accounts.get(moves.chain(each)) for each in facts)
        return any(account is not None and account.pending for account in accounts)

    def apply(self, facts: Sequence[Fact], stamp: Stamp) -> tuple[Move, ...]:
        """Move the accounts by all the facts, or by none.

        Returns what changes, without the facts that are on record already. Raises
        IllegalMove, Rejected, Taken.
        """
        done: list[Move] = []
        try:
            for fact in facts:
                move = self._apply(fact, stamp)
                if move is not None:
                    done.append(move)
        except (IllegalMove, Rejected, Taken):
            self.undo(done)
            raise
        return tuple(done)

    def ends(self, done: Sequence[Move], at: int) -> tuple[SignedHead, ...]:
        """The signed heads of the runs that are over after these moves."""
        if self._signer is None:
            return ()
        moved = {chain: self._accounts[chain] for chain in (each.line.run for each in done)}
        return tuple(
            self._signer.signed(chain, account.head.n, account.head.hash, at)
            for chain, account in moved.items()
            if account.run is not None and account.run.is_over
        )

    def undo(self, done: Sequence[Move]) -> None:
        """Take back moves that did not become durable, the last one first."""
        for move in reversed(done):
            self._take_back(move)

    def settle(self, done: Sequence[Move]) -> None:
        """Note that moves have become durable; forget the runs that ended longest ago."""
        for move in done:
            chain = moves.chain(move.after.fact)
            account = self._accounts[chain]
            account.pending -= 1
            if account.is_at_rest:
                self._rest(chain)
        self._trim()

    def _apply(self, fact: Fact, stamp: Stamp) -> Move | None:
        chain, where = moves.chain(fact), moves.place(fact)
        account = self._accounts.get(chain)
        before = account.rows.get(where) if account else None
        changed = moves.changes(before.fact if before else None, fact)
        if not changed:
            return None
        self._allow(fact, account)
        head = account.head if account else journal.EMPTY
        said = changed if before is None else _named(fact) | changed
        line = journal.line(journal.Entry(chain, stamp.at, moves.kind(fact), said), head)
        batches = before.batches if before else ()
        if batches[-1:] != (stamp.batch,):
            batches = (*batches, stamp.batch)
        row = Row(fact, Head(line.n, line.hash), batches)
        self._put(chain, row).pending += 1
        return Move(before, row, changed, line)

    def _allow(self, fact: Fact, account: Account | None) -> None:
        if not isinstance(fact, PipelineRun):
            permission.check(fact, account)
        elif self._identities.get(fact.identity, fact.id) != fact.id:
            raise Taken(fact.identity)

    def _put(self, chain: str, row: Row) -> Account:
        account = self._accounts.get(chain)
        if account is None:
            account = self._accounts[chain] = Account()
            self._away.discard(chain)
        account.put(row)
        if isinstance(row.fact, PipelineRun):
            self._identities[row.fact.identity] = row.fact.id
        return account

    def _take_back(self, move: Move) -> None:
        fact, chain = move.after.fact, moves.chain(move.after.fact)
        account = self._accounts.pop(chain)
        kept = [row for row in account.rows.values() if row is not move.after]
        if move.before is not None:
            kept.append(move.before)
        elif isinstance(fact, PipelineRun):
            del self._identities[fact.identity]
        for row in sorted(kept, key=lambda each: each.head.n):
            self._put(chain, row).pending = account.pending - 1

    def _rest(self, chain: str) -> None:
        """Let it be the last to go of those that are at rest."""
        text = self._accounts[chain].text
        self._ended_text += text - self._ended.pop(chain, 0)
        self._ended[chain] = text

    def _trim(self) -> None:
        if self._keep is None:
            return
        # the last one stays, however large it is: somebody is about to move it
        while len(self._ended) > self._keep or (
            self._ended_text > self._keep_text and len(self._ended) > 1
        ):
            chain, text = self._ended.popitem(last=False)
            self._ended_text -= text
            account = self._accounts.get(chain)
            if account is not None and account.is_at_rest and not account.pending:
                if not account.is_over:
                    self._away.add(chain)
                self._drop(chain)

    def _drop(self, chain: str) -> None:
        account = self._accounts.pop(chain, None)
        self._ended_text -= self._ended.pop(chain, 0)
        if account is not None and account.run is not None:
            del self._identities[account.run.identity]

    def _is_new(self, chain: str) -> bool:
        return chain not in self._accounts and chain not in self._condemned


def _named(fact: Fact) -> dict[str, object]:
    """What names a part of a run within it."""
    if isinstance(fact, Checkpoint):
        return {"stage": fact.stage, "node": fact.node}
    if isinstance(fact, StepRecord | CompensationRecord | CredentialLease):
        named = {"stage": fact.stage, "node": fact.node, "attempt": fact.attempt}
        return named | ({"purpose": fact.purpose} if isinstance(fact, CredentialLease) else {})
    return {}
