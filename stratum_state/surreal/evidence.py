"""What is on record of one run, read for its audit: nothing that is found is believed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, cast

from stratum_state import journal
from stratum_state.account import Row
from stratum_state.errors import BrokenChain
from stratum_state.evidence import Evidence, Marked
from stratum_state.model import JournalLine, OfRun
from stratum_state.surreal import rows
from stratum_state.surreal.cbor import Id

Found = rows.Found


class Records(NamedTuple):
    """The records that concern a run, as the database has them."""

    run: str
    lane: str
    rows: Sequence[Found]
    heads: Sequence[Found]
    batches: Sequence[Found]
    """Of the journal: those in which the rows moved."""
    inbox: Mapping[str, str]
    """Of the run's identity."""
    texts: Mapping[str, str]
    """Large payloads by the digest under which they are kept."""


def assess(found: Records) -> Evidence:
    """The evidence in the records; what cannot be read becomes a fault of it."""
    faults = [*_misled(found)]
    decoded: list[Row] = []
    for each in found.rows:
        try:
            decoded.append(rows.decode(each, found.texts))
        except (ValueError, KeyError, TypeError) as why:
            faults.append(f"{_named(each)} cannot be read: {why!r}")
    decoded.sort(key=lambda row: row.head.n)
    return Evidence(
        rows=tuple(
            Marked(row.fact, row.head) for row in decoded if isinstance(row.fact, OfRun)
        ),
        journal=tuple(_lines(found)),
        heads=tuple(rows.decode_head(each) for each in found.heads),
        faults=tuple(faults),
    )


def _lines(found: Records) -> Iterator[JournalLine]:
    """The run's lines where they lie; one that cannot be read is nobody's, and kept so."""
    for batch in found.batches:
        for body, _ in _said(found.run, batch):
            try:
                yield journal.read(body)
            except BrokenChain:
                digest = sha256(body.encode(errors="surrogatepass")).hexdigest()
                yield JournalLine(run=found.run, n=0, at=0, kind="", body=body, hash=digest)


def _said(run: str, batch: Found) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The lines of a batch that name the run, each as it is and decoded if it can be."""
    mark = f'"run":"{run}"'
    for body in str(batch["body"]).split("\n"):
        if mark in body:
            try:
                said = json.loads(body)
            except ValueError:
                said = None
            yield body, said if isinstance(said, dict) else {}


def _misled(found: Records) -> Iterator[str]:
    """What would lead the daemon astray: rows that are not what they are for."""
    for batch in found.batches:
        said = journal.seal(str(batch["prev"]), cast("int", batch["at"]), str(batch["body"]))
        if said != batch["hash"]:
            yield f"{_named(batch)} is not what was sealed with its hash"
    moved = _moved(found)
    for each in found.rows:
        table, key = cast("Id", each["id"])
        yield from _misfiled(each, found)
        if table == "run":
            yield from _misled_to(each, found)
        place = (table, *key[1:]) if isinstance(key, list) else (table,)
        if each["batches"] != moved.get(place):
            yield f"{_named(each)} moved in other batches than {each['batches']}"


def _moved(found: Records) -> Mapping[tuple[object, ...], Sequence[int]]:
    """In which batches of the journal each thing moved."""
    moved: dict[tuple[object, ...], list[int]] = {}
    for batch in found.batches:
        number = cast("list[int]", cast("Id", batch["id"]).key)[1]
        for _, said in _said(found.run, batch):
            numbers = moved.setdefault(_place(said), [])
            if number not in numbers:
                numbers.append(number)
    return moved


def _place(said: Mapping[str, object]) -> tuple[object, ...]:
    """What a line is about, as the id of its row says it."""
    subject = str(said.get("kind")).partition(".")[0]
    where = (said.get("stage"), said.get("node"), said.get("attempt"))
    if subject == "credential":
        return ("credential_lease", *where, said.get("purpose"))
    if subject == "checkpoint":
        return (subject, *where[:2])
    if subject == "answer":
        return (subject, *where[:2], said.get("person"))
    return (subject,) if subject == "run" else (subject, *where)


def _misled_to(each: Found, found: Records) -> Iterator[str]:
    """Whether its event would open another run."""
    identity = str(each.get("identity"))
    if found.inbox.get(identity) != found.run:
        holder = found.inbox.get(identity, "no run")
        yield f"inbox of its identity names {holder}"


def _misfiled(each: Found, found: Records) -> Iterator[str]:
    """Whether it would be looked for elsewhere."""
    try:
        fact = rows.fact(each, found.texts)
    except (ValueError, KeyError, TypeError):
        return  # said where it is decoded
    filed = rows.filed(fact)
    if "lane" in each:
        filed["lane"] = found.lane
    for name, value in filed.items():
        if each.get(name) != value:
            yield f"{_named(each)} is filed under {name} = {each.get(name)}"


def _named(found: Found) -> str:
    table, key = cast("Id", found["id"])
    return f"row {table}:{key}"
