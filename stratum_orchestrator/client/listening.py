"""Server-sent events, resumed where they broke off."""

import time
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import NamedTuple

import msgspec

from stratum_orchestrator.client.errors import Garbled, Unreachable
from stratum_orchestrator.client.wire import Wire

_SILENCE_S = 40.0  # a heartbeat comes every 15 s
_RESTS_S = (0.2, 1.0, 3.0, 10.0)


class Heard(NamedTuple):
    """One event: `run`, `step`, `compensation`, `verdict`, … as the API's page lists them.

    `reset` says that something was missed: read the state anew.
    """

    kind: str
    data: dict[str, object]
    id: str


def listen(wire: Wire, target: str) -> Iterator[Heard]:
    """Every event, for as long as somebody takes them.

    A connection that breaks is made anew, and goes on behind the last event. Raises Unreachable
    when that fails four times in a row, Refused.
    """
    last, failures = "", 0
    while True:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        try:
            with wire.open(target, headers, _SILENCE_S) as response:
                for heard in _events(response):
                    last, failures = heard.id or last, 0
                    yield heard
        except Unreachable:
            if failures == len(_RESTS_S):
                raise
        time.sleep(_RESTS_S[min(failures, len(_RESTS_S) - 1)])
        failures += 1


def _events(response: HTTPResponse) -> Iterator[Heard]:
    said: dict[str, str] = {}
    for line in response:
        name, _, value = line.decode("utf-8").rstrip("\n").partition(": ")
        if name:
            said[name] = value
        elif said:
            if "data" in said:
                yield _heard(said)
            said = {}


def _heard(said: dict[str, str]) -> Heard:
    try:
        data = msgspec.json.decode(said["data"], type=dict[str, object])
    except msgspec.DecodeError as bad:
        raise Garbled(str(bad)) from None
    return Heard(said.get("event", ""), data, said.get("id", ""))
