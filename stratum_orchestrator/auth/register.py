"""A small JSON file that commands change and a daemon reads: tokens, grants, principals."""

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from stratum_graph.definitions import plain_file
from stratum_orchestrator.auth.errors import BadRegister
from stratum_orchestrator.home import write_secret

T = TypeVar("T")

MAX_FILE = 4 << 20
"""Bytes."""
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OPEN = "others can write it; chmod 600 it, and look it over"
_Seen = tuple[int, int, int]


class Register(Generic[T]):
    """The file's content, read again when the file has changed. No file is an empty one."""

    def __init__(self, file: Path, shape: type[T]) -> None:
        """`shape` is a msgspec struct; without arguments it is the empty one."""
        self.file = file
        self._shape = shape
        self._seen: _Seen | None = None
        self._value = shape()

    def read(self) -> T:
        """What the file says now; BadRegister when that cannot be told."""
        seen = self.state()
        if seen is None:
            self._value = self._shape()
        elif seen != self._seen:
            self._value = self._decoded()
        self._seen = seen
        return self._value

    def state(self) -> _Seen | None:
        """What differs when the file has changed; None when there is none."""
        try:
            found = self.file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadRegister(self.file, error.strerror or str(error)) from error
        if found.st_mode & _OTHERS:
            raise BadRegister(self.file, _OPEN)
        return found.st_mtime_ns, found.st_size, found.st_ino

    @contextmanager
    def changing(self) -> Iterator[Callable[[T], None]]:
        """Alone among all processes: gives what replaces the content, whole or not at all."""
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(
            self.file.with_name(f".{self.file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._replace
        finally:
            os.close(lock)

    def _replace(self, value: T) -> None:
        write_secret(self.file, json.dumps(msgspec.to_builtins(value), indent=1))

    def _decoded(self) -> T:
        try:
            content = plain_file.read(self.file, MAX_FILE)
            return msgspec.json.decode(content, type=self._shape)
        except OSError as error:
            raise BadRegister(self.file, error.strerror or str(error)) from error
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise BadRegister(self.file, str(error)) from error
