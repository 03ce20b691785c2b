"""What processes are lent: asked for, used and taken back, each of it on record first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import anyio

from stratum_graph.model import PlannedNode
from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.errors import CredentialsDenied, CredentialsUnavailable
from stratum_orchestrator.ports import (
    Claim,
    Clock,
    Command,
    CredentialBroker,
    Ended,
    Failure,
    Kind,
    Runner,
)
from stratum_orchestrator.saga.revocation import Revocations
from stratum_state.credential import CredentialLease, CredentialStatus
from stratum_state.model import Fact
from stratum_state.tracker import StateTracker

GRACE_S = 10.0
"""How much longer than its process a lease lasts, in seconds."""
_NOTHING_LEASED = "nothing was leased, so nothing can be taken back"
_NEVER_ASKED = "nobody was asked for it"


class Loan(Protocol):
    """What one process is lent, which may be nothing."""

    @property
    def facts(self) -> Sequence[CredentialLease]:
        """What to record together with the beginning of the process."""
        ...

    async def run(self, runner: Runner, command: Command) -> Ended:
        """Run the process with it; what is not lent fails the process before it starts."""
        ...

    async def record_end(self, *ends: Fact) -> None:
        """Take it back, and record that together with the end of the process."""
        ...


@dataclass(frozen=True, slots=True)
class Nothing:
    """Most processes are lent nothing."""

    tracker: StateTracker
    facts: Sequence[CredentialLease] = ()

    async def run(self, runner: Runner, command: Command) -> Ended:
        return await runner.run(command)

    async def record_end(self, *ends: Fact) -> None:
        if ends:
            await self.tracker.record(*ends)


class Lender:
    """Lends what nodes declare, for as long as one process may run."""

    def __init__(
        self,
        broker: CredentialBroker,
        tracker: StateTracker,
        clock: Clock,
        passed: Passed = UNARMED.passed,
        grace_s: float = GRACE_S,
    ) -> None:
        self.broker = broker
        self.tracker = tracker
        self.clock = clock
        self.passed = passed
        self.revocations = Revocations(broker, tracker, clock)
        self._grace_s = grace_s

    def lend(self, run: str, planned: PlannedNode, attempt: int, kind: Kind) -> Loan:
        """What a process of the node is lent; nothing is asked for yet."""
        node = planned.definition.node
        if not node.credentials:
            return Nothing(self.tracker)
        undoes = kind is Kind.UNDO and node.compensate is not None
        runs_s = node.compensate.timeout if undoes and node.compensate else node.timeout
        claim = Claim(
            run=run,
            node=node.name,
            attempt=attempt,
            kind=kind,
            credentials=node.credentials,
            runs_s=runs_s,
            lasts_s=runs_s + self._grace_s,
        )
        lease = CredentialLease(
            run=run,
            node=node.name,
            stage=planned.stage,
            attempt=attempt,
            purpose=kind.value,
            names=tuple(each.name for each in node.credentials),
            provider=self.broker.provider,
            lasts=round(claim.lasts_s * 1000),
            requested=self.clock.now_ms(),
            login=self.broker.login,
        )
        return Lease(self, claim, lease)


class Lease:
    """One lease, from its request to its end."""

    def __init__(self, lender: Lender, claim: Claim, lease: CredentialLease) -> None:
        self._lender = lender
        self._claim = claim
        self._lease = lease
        self._why = _NEVER_ASKED
        lender.revocations.use(lease)

    @property
    def facts(self) -> Sequence[CredentialLease]:
        return (self._lease,)

    async def run(self, runner: Runner, command: Command) -> Ended:
        try:
            return await runner.run(command, self._equip)
        except CredentialsDenied as denial:
            self._why = str(denial)
            failure = Failure(error_class="denied", message=f"not lent: {denial}")
        except CredentialsUnavailable as trouble:
            self._why = str(trouble)
            failure = Failure(
                error_class="credential", message=f"cannot be lent now: {trouble}"
            )
        return Ended(outputs=None, failure=failure)

    async def record_end(self, *ends: Fact) -> None:
        revocations = self._lender.revocations
        with anyio.CancelScope(shield=True):
            taken_back = await self._taken_back()
            try:
                if taken_back is not None:
                    await self._lender.tracker.record(taken_back, *ends)
                elif ends:
                    await self._lender.tracker.record(*ends)
            finally:
                revocations.leave(self._lease)
            if taken_back is None:
                revocations.add(self._lease)

    async def _equip(self, command: Command) -> Command:
        """The command with the values. A lease that exists is on record before it is used."""
        broker, claim = self._lender.broker, self._claim
        with anyio.CancelScope(shield=True):
            grant = await broker.grant(claim)
            self._lender.passed("credential.granted")
            self._why = _NOTHING_LEASED
            if grant.accessor is not None:
                await self._issue(grant.accessor, grant.policy, grant.lasts_s)
        if grant.lasts_s < claim.runs_s:
            message = (
                f"{grant.policy} caps the lease at {grant.lasts_s:g} s, but the process may run"
                f" for {claim.runs_s:g} s: raise the role's maximum, or lower the timeout"
            )
            raise CredentialsDenied(message)
        values = await broker.read(claim, grant)
        self._lender.passed("credential.read")
        return replace(command, secrets=values)

    async def _issue(self, accessor: str, policy: str, lasts_s: float) -> None:
        now = self._lender.clock.now_ms()
        issued = self._lease.to(
            CredentialStatus.ISSUED,
            accessor=accessor,
            policy=policy,
            issued=now,
            expires=now + round(lasts_s * 1000),
        )
        await self._lender.tracker.record(issued)
        self._lease = issued

    async def _taken_back(self) -> CredentialLease | None:
        """The lease after its end, or None when that has to be tried again."""
        lease, now_ms = self._lease, self._lender.clock.now_ms
        if lease.accessor is None:
            return lease.to(CredentialStatus.VOID, ended=now_ms(), detail=self._why)
        try:
            await self._lender.broker.revoke(lease.accessor)
        except (CredentialsDenied, CredentialsUnavailable):
            return None
        return lease.to(CredentialStatus.REVOKED, ended=now_ms())
