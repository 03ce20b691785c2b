"""The end of an embedded store's log, cut back to the last whole transaction.

The engine (SurrealKV 0.9) appends each key of a commit as a record of its own, without a
commit record, so after a crash the beginning of a transaction is visible. Each of ours ends
with the lease row: a last transaction without it is torn. Segment: u32 length and header,
then records `crc32, version, transaction, time, metadata length` (>IHQQH), metadata, and key
and value with their u32 lengths.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">IHQQH")
_LENGTH = struct.Struct(">I")


class _Record(NamedTuple):
    transaction: int
    key: bytes
    begin: int
    end: int


def trim(store: Path, marker: bytes) -> int:
    """Cut a torn last transaction off; return how many bytes went. Nobody may have it open.

    `marker` is what the keys contain of the row that ends every transaction.
    """
    segments = sorted(store.glob("clog/*.clog"))
    if not segments:
        return 0
    log = segments[-1].read_bytes()
    whole = _whole(log, marker)
    if whole < len(log):
        with segments[-1].open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
    return len(log) - whole


def _whole(log: bytes, marker: bytes) -> int:
    if len(log) < _LENGTH.size:
        return len(log)
    begin = end = _LENGTH.size + _length(log, 0)
    transaction, ended = -1, True
    for record in _records(log, begin):
        if record.transaction != transaction:
            transaction, begin, ended = record.transaction, record.begin, False
        ended = ended or marker in record.key
        end = record.end
    return min(end if ended else begin, len(log))


def _records(log: bytes, at: int) -> Iterator[_Record]:
    while at + _HEADER.size <= len(log):
        _, version, transaction, _, metadata = _HEADER.unpack_from(log, at)
        key_at = at + _HEADER.size + metadata + _LENGTH.size
        if version == 0 or key_at > len(log):
            return
        value_at = key_at + _length(log, key_at - _LENGTH.size) + _LENGTH.size
        if value_at <= key_at + _LENGTH.size or value_at > len(log):
            return
        end = value_at + _length(log, value_at - _LENGTH.size)
        if end > len(log):
            return
        yield _Record(transaction, log[key_at : value_at - _LENGTH.size], at, end)
        at = end


def _length(log: bytes, at: int) -> int:
    (length,) = _LENGTH.unpack_from(log, at)
    return int(length)
