"""Logging: sentences for people on a terminal, JSON lines for everything else.

A record is a constant event and facts (`extra`), and says which run, node and trace it is about
when that is known where it is made. Nothing foreign reaches a terminal raw.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import count
from types import MappingProxyType
from typing import Literal, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = ("stratum_graph", "stratum_state", "platform_nats", "stratum_orchestrator")
_COLORS = {"DEBUG": "2", "INFO": "36", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
_SHOWN = 300  # characters of one fact on a terminal
_FOR_PROGRAMS = "trace_id"
_about: ContextVar[Mapping[str, object]] = ContextVar("about", default=MappingProxyType({}))

Format = Literal["auto", "human", "json"]
Cover = Callable[[str], str]
"""Text to the same text without what must not be in it."""


class JsonLines(logging.Formatter):
    """One JSON object a line: `ts`, `level`, `logger`, `event` and the facts."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": _stamp(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class Sentences(logging.Formatter):
    """Time, level, event, and the facts as `name=value`; a trace only where it helps."""

    def __init__(self, *, colored: bool) -> None:
        super().__init__()
        self._colored = colored

    def format(self, record: logging.LogRecord) -> str:
        stamp = _stamp(record).astimezone().strftime("%H:%M:%S.%f")[:-3]
        level = f"{record.levelname.lower():<7}"
        if self._colored:
            level = f"\x1b[{_COLORS.get(record.levelname, '0')}m{level}\x1b[0m"
        told = [
            f"{name}={_short(value)}"
            for name, value in facts(record).items()
            if name != _FOR_PROGRAMS
        ]
        line = f"{stamp} {level} {' '.join([_plain(record.getMessage()), *told])}"
        if record.exc_info:
            line += "\n" + "\n".join(
                map(_plain, self.formatException(record.exc_info).split("\n"))
            )
        return line


@contextmanager
def about(**known: object) -> Iterator[None]:
    """Let every record say these facts that is made within the block, or by its tasks."""
    token = _about.set({**_about.get(), **known})
    try:
        yield
    finally:
        _about.reset(token)


def _complete(record: logging.LogRecord) -> bool:
    for name, value in _about.get().items():
        if not hasattr(record, name):
            setattr(record, name, value)
    return True


class Veil:
    """Covers what must not be said, for as long as somebody knows it."""

    def __init__(self) -> None:
        self._covers: dict[int, Cover] = {}
        self._serial = count()

    @contextmanager
    def over(self, cover: Cover) -> Iterator[None]:
        """Let `cover` take out of every text what must not be in it, while in the block."""
        number = next(self._serial)
        self._covers[number] = cover
        try:
            yield
        finally:
            del self._covers[number]

    def __call__(self, text: str) -> str:
        for cover in tuple(self._covers.values()):
            text = cover(text)
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        """Cover the facts as they are: a formatter may cut or escape them."""
        for name, value in facts(record).items() if self._covers else ():
            told = value if isinstance(value, str) else str(value)
            if (covered := self(told)) != told:
                setattr(record, name, covered)
        return True


class _Veiled(logging.StreamHandler[TextIO]):
    """The second lock: what is known not to be for anybody's eyes is covered here, too."""

    def __init__(self, stream: TextIO, veil: Veil) -> None:
        super().__init__(stream)
        self._veil = veil
        self.addFilter(_complete)
        self.addFilter(veil.filter)

    def format(self, record: logging.LogRecord) -> str:
        return self._veil(super().format(record))


def facts(record: logging.LogRecord) -> Mapping[str, object]:
    """What was passed as `extra`, without what is empty."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and value not in (None, "", (), [])
    }


def start(level: str, form: Format, stream: TextIO = sys.stderr) -> Veil:
    """Send our records from `level` up, and warnings of others, to the stream.

    Nothing that the returned veil covers is in them.
    """
    human = form == "human" or (form == "auto" and stream.isatty())
    veil = Veil()
    handler = _Veiled(stream, veil)
    handler.setFormatter(Sentences(colored=stream.isatty()) if human else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    return veil


def _stamp(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _short(value: object) -> str:
    text = _plain(str(value))
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return f'"{text}"' if " " in text else text


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
