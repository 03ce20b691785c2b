"""Facts as rows, and rows as facts."""

import json
from collections.abc import Callable, Mapping
from typing import cast

from stratum_state import canonical, moves
from stratum_state.account import Row
from stratum_state.activation import ActivationKind, ActivationRecord
from stratum_state.checkpoint import Answer, AnswerStatus, Checkpoint, CheckpointStatus
from stratum_state.credential import CredentialLease, CredentialStatus
from stratum_state.decision import Answer as Ruled, DecisionRecord
from stratum_state.head import SignedHead
from stratum_state.journal import Head
from stratum_state.ledger import Move
from stratum_state.model import (
    Compensation,
    CompensationRecord,
    CompensationStatus,
    Fact,
    OfRun,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    VerdictKind,
    VerdictRecord,
)
from stratum_state.standing import Standing, StandingRecord
from stratum_state.surreal.cbor import Id, Raw, dumps

INLINE = 64 << 10
"""Characters of a payload that its own row still holds; a larger one goes to a blob."""

_TEXTS = frozenset({"cause", "detail", "error", "stderr", "reason"})
_PAYLOADS = frozenset({"data", "outputs"})
_KEYS = ("run", "stage", "node", "attempt", "purpose")
"""What a row's id says, in this order; not every row has the last ones."""
_VOICES = ("run", "stage", "node", "person")
"""Likewise, of an answer."""
_SIGNED = ("hash", "at", "instance", "signer", "signature")
_WORDS: Mapping[tuple[str, str], Callable[[str], object]] = {
    ("run", "status"): RunStatus,
    ("run", "compensation"): Compensation,
    ("step", "status"): StepStatus,
    ("compensation", "status"): CompensationStatus,
    ("credential_lease", "status"): CredentialStatus,
    ("checkpoint", "status"): CheckpointStatus,
    ("answer", "status"): AnswerStatus,
    ("verdict", "kind"): VerdictKind,
    ("activation", "kind"): ActivationKind,
    ("standing", "kind"): Standing,
    ("decision", "kind"): Ruled,
}

_TABLES: Mapping[str, type[Fact]] = {
    "run": PipelineRun,
    "verdict": VerdictRecord,
    "activation": ActivationRecord,
    "standing": StandingRecord,
    "decision": DecisionRecord,
    "step": StepRecord,
    "compensation": CompensationRecord,
    "credential_lease": CredentialLease,
    "checkpoint": Checkpoint,
    "answer": Answer,
}

Found = Mapping[str, object]


def row_id(fact: Fact) -> Id:
    """The id of the fact's row."""
    where = moves.place(fact)
    if isinstance(fact, PipelineRun) or not isinstance(fact, OfRun):
        return Id(str(where[0]), fact.id)
    return Id(str(where[0]), [fact.run, *where[1:]])


def blobs(move: Move) -> dict[str, str]:
    """Digest to text of the payloads that are too large for the row."""
    said = (move.changed.get(name) for name in _PAYLOADS)
    texts = [each for each in said if isinstance(each, str) and len(each) > INLINE]
    return {canonical.digest(each): each for each in texts}


def encode(move: Move, lane: str) -> Raw:
    """The row to insert, or `{id, m}` with what to merge into it. Raises Unencodable."""
    fact, head, batches = move.after
    said: dict[str, object] = {"n": head.n, "head": head.hash, "batches": batches}
    for name, value in move.changed.items():
        if name not in (*_KEYS, "person", "id"):
            _say(said, name, value)
    said |= filed(fact)
    if move.before is not None:
        return dumps({"id": row_id(fact), "m": said})
    if isinstance(fact, PipelineRun | CredentialLease | Checkpoint):
        said["lane"] = lane
    return dumps({"id": row_id(fact), **said})


def filed(fact: Fact) -> dict[str, object]:
    """By what a fact is found: fields of its row that follow from the others."""
    if isinstance(fact, PipelineRun):
        return {
            "active": not fact.is_over,
            "due": fact.is_due or None,
            "unresolved": fact.is_unresolved or None,
        }
    if isinstance(fact, Checkpoint):
        return {"open": fact.is_open, "due": fact.is_due or None}
    return {"open": not fact.is_over} if isinstance(fact, CredentialLease) else {}


def encode_head(head: SignedHead) -> Raw:
    """The row to insert."""
    said = {name: getattr(head, name) for name in _SIGNED}
    return dumps({"id": Id("head", [head.run, head.n]), **said})


def decode_head(found: Found) -> SignedHead:
    """The head of a row."""
    run, n = cast("tuple[str, int]", cast("Id", found["id"]).key)
    said = {name: found[name] for name in _SIGNED}
    return SignedHead(run=run, n=n, **said)  # type: ignore[arg-type]


def blob_id(fact: Fact, digest: str) -> Id:
    """The id of a blob of the fact: payloads are kept with their run and go with it."""
    return Id("blob", [moves.chain(fact), digest])


def large(found: Found) -> list[Id]:
    """The ids of the blobs that the row names."""
    key = cast("Id", found["id"]).key
    run = key[0] if isinstance(key, list) else key
    named = (found.get(f"{name}_blob") for name in _PAYLOADS)
    return [Id("blob", [run, each]) for each in named if each is not None]


def decode(found: Found, texts: Mapping[str, str]) -> Row:
    """The row that was found; `texts` are the blobs that it names."""
    batches = cast("list[int]", found["batches"])
    head = Head(cast("int", found["n"]), cast("str", found["head"]))
    return Row(fact(found, texts), head, tuple(batches))


def fact(found: Found, texts: Mapping[str, str]) -> Fact:
    """The fact of a row; `texts` are the blobs that it names."""
    table, key = cast("Id", found["id"])
    kind = _TABLES[table]
    said: dict[str, object] = {}
    for name in moves.FIELDS[kind]:
        value = found.get(name)
        if value is None and name in _PAYLOADS and found.get(f"{name}_blob"):
            value = texts[cast("str", found[f"{name}_blob"])]
        if value is not None:
            said[name] = _heard(table, name, value)
    if isinstance(key, list):
        said |= dict(zip(_VOICES if table == "answer" else _KEYS, key, strict=False))
    else:
        said["id"] = key
    return kind(**said)  # type: ignore[arg-type]


def _say(said: dict[str, object], name: str, value: object) -> None:
    if name in _TEXTS and isinstance(value, str):
        said[name] = canonical.text(value)
    elif name in _PAYLOADS and isinstance(value, str) and len(value) > INLINE:
        said[f"{name}_blob"] = canonical.digest(value)
    else:
        said[name] = value


def _heard(table: str, name: str, value: object) -> object:
    if name in _TEXTS:
        return json.loads(cast("str", value))
    word = _WORDS.get((table, name))
    if word is not None:
        return word(cast("str", value))
    return tuple(value) if isinstance(value, list) else value
