"""Who vouches for the end of a run: I23."""

from collections.abc import Iterator, Sequence, Set as AbstractSet

from platform_nats.nkey import verify
from stratum_orchestrator.audit.chronicle import Chronicle
from stratum_orchestrator.audit.observed import Violation
from stratum_state.head import SignedHead
from stratum_state.model import JournalLine


def check_seals(
    chronicle: Chronicle,
    lines: Sequence[JournalLine],
    heads: Sequence[SignedHead],
    trusted: AbstractSet[str],
) -> Iterator[Violation]:
    """I23: each signed head is the journal's own and signed by a key that is trusted.

    The last entry of a run that is over is signed; so is each at which it was over before.
    """
    run = chronicle.run
    for head in heads:
        for why in _faults(head, lines, trusted):
            yield Violation("I23", run, why, head.n)
    signed = {head.n for head in heads}
    if chronicle.end() is not None and len(lines) not in signed:
        why = "the run is over, but nobody has signed its last entry"
        yield Violation("I23", run, why, len(lines))


def _faults(
    head: SignedHead, lines: Sequence[JournalLine], trusted: AbstractSet[str]
) -> Iterator[str]:
    if not 1 <= head.n <= len(lines):
        yield f"a head of {head.n} entries is signed, but the journal has {len(lines)}"
    elif (head.run, head.hash) != (lines[0].run, lines[head.n - 1].hash):
        yield "its signed head is another one: the journal is not what was signed"
    if head.signer not in trusted:
        yield f"its head is signed by {head.signer}, which is not a key to be trusted"
    elif not verify(head.signer, head.statement(), head.raw()):
        yield f"the signature of {head.signer} does not fit its head"
