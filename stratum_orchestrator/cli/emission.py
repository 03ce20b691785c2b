"""Publishing an event and following what becomes of it, as one story."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from platform_nats import credentials
from platform_nats.publisher import Receipt
from stratum_orchestrator import trace
from stratum_orchestrator.cli import keyring, payload, publishing
from stratum_orchestrator.cli.client import Daemon, Refusal
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign, word
from stratum_orchestrator.cli.names import DEFAULT_KEY
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.pursuit import Pursuit, worst
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.cli.watch import Deadline, State
from stratum_orchestrator.client.answers import Verdict
from stratum_orchestrator.config import environment
from stratum_orchestrator.saga.grant import HEADER

_POLL_S = 20.0
_VERDICT_S = 10.0  # how long an emit that does not wait for runs looks for its verdict
_REST_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """What to publish, as whom, and how far to follow it."""

    subject: str
    data: str
    """JSON text, `@FILE` or `-`."""
    event_id: str | None = None
    who: str = DEFAULT_KEY
    """The name of a key in the home, or the path of a key file."""
    grant: str = ""
    """Text, or `@FILE`; empty without one."""
    version: str = ""
    """Digest, beginning of one, or tag; empty for what is in force."""
    wait: bool = False
    """Until its runs have ended."""
    watch: bool = False
    """Likewise, and show them."""
    timeout_s: float = 600.0


class Decided(NamedTuple):
    """The verdict, decoded and as plain JSON."""

    verdict: Verdict
    raw: object


class Undecided(Stop):
    """The event is stored, and nobody has judged it in time."""

    def __init__(self, sequence: int) -> None:
        super().__init__(
            f"event {sequence} is stored, but has no verdict within the time",
            remedy="see whether the daemon is ready: stratum doctor",
            code=Exit.TIMEOUT,
        )


def emit(face: Face, emission: Emission) -> Exit:
    """Publish, tell the verdict, and follow the runs as far as asked for."""
    daemon, screen = Daemon.at(face.home), face.screen
    data = payload.read(emission.data)
    place = keyring.locate(face.home, emission.who)
    key = keyring.read(place)
    receipt = publishing.publish(
        daemon.address,
        key,
        publishing.Letter(
            emission.subject,
            data,
            emission.event_id,
            _headers(face, daemon, emission),
            place if place.suffix == credentials.SUFFIX else None,
        ),
        face.home,
    )
    _tell_receipt(screen, emission.subject, receipt)
    pursuit = Pursuit(wait=emission.wait, watch=emission.watch, timeout_s=emission.timeout_s)
    follows = pursuit.follows
    deadline = Deadline(pursuit.timeout_s if follows else _VERDICT_S)
    decided = _decided(daemon, receipt, deadline)
    if decided is None:
        return _untold(screen, receipt, waited=follows)
    if screen.for_people:
        _tell_verdict(screen, decided.verdict)
    ended = pursuit.follow(daemon, screen, decided.verdict.runs, deadline)
    if not screen.for_people:
        screen.value(_told(receipt, decided.raw, ended))
    return _code(decided.verdict, ended, follows=follows)


def _headers(face: Face, daemon: Daemon, emission: Emission) -> dict[str, str]:
    """Grant and version, if they are given, and the trace that whoever calls us is in."""
    headers = {HEADER: payload.text(emission.grant)} if emission.grant else {}
    if emission.version:
        # Few events name a version, and what knows of those takes long to load.
        from stratum_orchestrator.cli.edition import digest_of  # noqa: PLC0415
        from stratum_orchestrator.saga.edition import HEADER as VERSION  # noqa: PLC0415

        headers[VERSION] = digest_of(face, daemon, emission.version)
    if told := trace.come_with({trace.HEADER: environment().get(trace.VARIABLE, "")}):
        headers[trace.HEADER] = told
    return headers


def _decided(daemon: Daemon, receipt: Receipt, deadline: Deadline) -> Decided | None:
    path = f"/api/v1/verdicts/{receipt.sequence}"
    while True:
        wait_s = deadline.left(_POLL_S)
        try:
            return Decided(*daemon.ask(path, Verdict, wait_s=wait_s))
        except Refusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
        if not deadline.left(_POLL_S):
            return None
        time.sleep(_REST_S)


def _tell_receipt(screen: Screen, subject: str, receipt: Receipt) -> None:
    if screen.for_people:
        screen.line(
            sign("ok", unicode=screen.unicode),
            Span(" published", "good"),
            Span(f"   {subject}  "),
            Span(f"#{receipt.sequence}  {receipt.event_id}", "dim"),
        )


def _tell_verdict(screen: Screen, verdict: Verdict) -> None:
    code = f"{verdict.code}: " if verdict.code != verdict.kind else ""
    told = "  ".join(verdict.runs) or f"{code}{verdict.reason}"
    screen.line(
        sign(verdict.kind, unicode=screen.unicode),
        Span(" "),
        word(verdict.kind, len("no-pipeline")),
        Span(f" {told}"),
    )


def _told(receipt: Receipt, verdict: object, ended: Sequence[State]) -> object:
    """The run that was followed; several of them as a list; without any, the verdict."""
    runs = [state.raw for state in ended]
    if runs:
        return runs[0] if len(runs) == 1 else runs
    return {
        "event_id": receipt.event_id,
        "sequence": receipt.sequence,
        "duplicate": receipt.duplicate,
        "verdict": verdict,
    }


def _untold(screen: Screen, receipt: Receipt, *, waited: bool) -> Exit:
    if waited:
        raise Undecided(receipt.sequence)
    screen.note("it has no verdict yet; the daemon takes it up as soon as it can")
    if not screen.for_people:
        screen.value(_told(receipt, None, ()))
    return Exit.OK


def _code(verdict: Verdict, ended: Sequence[State], *, follows: bool) -> Exit:
    if verdict.kind == "refused":
        return Exit.REFUSED
    if verdict.kind == "no-pipeline" and follows:
        return Exit.NOT_FOUND
    return worst(ended)
