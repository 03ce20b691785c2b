"""The client: a question or a command for each thing that the API can be asked."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self, TypeVar
from urllib.parse import quote, urlencode
from uuid import uuid4

import msgspec

from stratum_orchestrator.client import answers
from stratum_orchestrator.client.errors import Garbled, StillGoing, Unreachable
from stratum_orchestrator.client.listening import Heard, listen
from stratum_orchestrator.client.wire import Wire

T = TypeVar("T")
Query = Mapping[str, str | int | None]

_V1 = "/api/v1"
_PATIENCE_S = 15.0
_COMMAND_S = 120.0  # a run whose instance is gone is taken over first
_POLL_S = 20.0


class Client:
    """One daemon, asked as the holder of one token.

    Every method may raise Unreachable, Refused and Garbled. Threads may share a client.
    """

    def __init__(
        self, address: str, token: str, *, grant: str = "", patience_s: float = _PATIENCE_S
    ) -> None:
        """`grant` is shown with every question, `patience_s` how long an answer may take."""
        self.wire = Wire(address, token, patience_s)
        self._headers = {"Stratum-Grant": grant} if grant else {}

    @classmethod
    def of_home(cls, home: Path | str, *, patience_s: float = _PATIENCE_S) -> Self:
        """The daemon of a home folder, as its operator; Unreachable when none is running."""
        run = Path(home) / "run"
        try:
            told = (run / "daemon.json").read_bytes()
            address = msgspec.json.decode(told, type=answers.Address)
            token = (run / "token").read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise Unreachable(str(home), str(error)) from error
        return cls(address.http, token, patience_s=patience_s)

    # ------------------------------------------------------------------ questions

    def status(self) -> answers.Health:
        """The daemon at a glance."""
        return self.ask("/status", answers.Health)

    def pipelines(self) -> tuple[answers.Pipeline, ...]:
        """What can be triggered, and how it stands."""
        return self.ask("/pipelines", answers.Pipelines).pipelines

    def instances(self) -> tuple[answers.Lane, ...]:
        """Who shares the database."""
        return self.ask("/instances", answers.Instances).instances

    def versions(self) -> tuple[answers.Version, ...]:
        """The bundles that are and were in force, the latest first."""
        return self.ask("/versions", answers.Versions).versions

    def runs(self, **filters: str | int | None) -> Iterator[answers.Run]:
        """Runs, newest first, read page by page: `status=`, `pipeline=`, `text=` and more."""
        after: str | None = None
        while True:
            page = self.ask("/runs", answers.Runs, {**filters, "after": after})
            yield from page.runs
            if (after := page.next) is None:
                return

    def run(self, run: str, *, seen: int | None = None, wait_s: float = 0) -> answers.Run:
        """One run by its id, or a beginning of it; with `wait_s`, when it is not `seen`."""
        return self.ask(f"/runs/{_part(run)}", answers.Run, {"seen": seen}, wait_s=wait_s)

    def wait(self, run: str, within_s: float = 600.0) -> answers.Run:
        """The run when it is over; StillGoing when that takes too long."""
        end = time.monotonic() + within_s
        found = self.run(run)
        while not found.is_over:
            if (left := end - time.monotonic()) <= 0:
                raise StillGoing(run, within_s)
            found = self.run(found.id, seen=found.change, wait_s=min(left, _POLL_S))
        return found

    def logs(self, run: str, node: str | None = None) -> tuple[answers.Log, ...]:
        """What the run's scripts said, attempt by attempt."""
        return self.ask(f"/runs/{_part(run)}/logs", answers.Logs, {"node": node}).logs

    def journal(self, run: str) -> tuple[answers.Entry, ...]:
        """The run's hash-chained audit."""
        return self.ask(f"/runs/{_part(run)}/journal", answers.Journal).journal

    def checkpoints(self) -> Iterator[answers.Checkpoint]:
        """What people are asked now, of the newest runs first, read page by page."""
        after: str | None = None
        while True:
            page = self.ask("/checkpoints", answers.Checkpoints, {"after": after})
            yield from page.checkpoints
            if (after := page.next) is None:
                return

    def verdicts(self, **filters: str | int | None) -> Iterator[answers.Verdict]:
        """What became of events, newest first: `kind=`, `text=`."""
        after: str | None = None
        while True:
            page = self.ask("/verdicts", answers.Verdicts, {**filters, "after": after})
            yield from page.verdicts
            if (after := page.next) is None:
                return

    def decisions(self, **filters: str | int | None) -> Iterator[answers.Ruling]:
        """What the policies said to commands: `answer=`, `principal=`, `action=`."""
        after: str | None = None
        while True:
            page = self.ask("/decisions", answers.Rulings, {**filters, "after": after})
            yield from page.decisions
            if (after := page.next) is None:
                return

    def verdict(self, sequence: int, *, wait_s: float = 0) -> answers.Verdict:
        """What became of the event of that stream sequence."""
        return self.ask(f"/verdicts/{sequence}", answers.Verdict, wait_s=wait_s)

    def events(self, run: str | None = None) -> Iterator[Heard]:
        """What changes, as it happens; of one run, everything. Goes on where it broke off."""
        query = f"?{urlencode({'run': run})}" if run else ""
        return listen(self.wire, f"{_V1}/events{query}")

    # ------------------------------------------------------------------ commands

    def emit(
        self, subject: str, data: object, *, event_id: str | None = None
    ) -> answers.Stored:
        """Have an event signed as the token's own principal, and stored.

        Sent again with the same `event_id`, it makes no second run.
        """
        told = {"subject": subject, "data": data, "event_id": event_id or str(uuid4())}
        return self.command("/emit", told, answers.Stored)

    def cancel(self, run: str, reason: str) -> answers.Obeyed:
        """Turn the run back: what it did is undone."""
        return self._of_run(run, "cancel", {"reason": reason})

    def abandon(self, run: str, reason: str) -> answers.Obeyed:
        """End the run and undo nothing."""
        return self._of_run(run, "abandon", {"reason": reason})

    def retry(self, run: str, reason: str, *, again: bool = False) -> answers.Obeyed:
        """Take the run up again, or begin it anew; of one that completed, only with `again`."""
        return self._of_run(run, "retry", {"reason": reason, "again": again})

    def retry_compensation(self, run: str, node: str, reason: str) -> answers.Obeyed:
        """Try a failed compensation again."""
        return self._of_run(run, f"compensations/{_part(node)}/retry", {"reason": reason})

    def waive(self, run: str, node: str, reason: str) -> answers.Obeyed:
        """Accept that the node was not undone."""
        return self._of_run(run, f"compensations/{_part(node)}/waive", {"reason": reason})

    def approve(self, run: str, node: str, reason: str = "") -> answers.Obeyed:
        """Say yes to what is asked about the node."""
        return self._of_run(run, f"checkpoints/{_part(node)}/approve", {"reason": reason})

    def reject(self, run: str, node: str, reason: str) -> answers.Obeyed:
        """Say no to what is asked about the node: what the run did is undone."""
        return self._of_run(run, f"checkpoints/{_part(node)}/reject", {"reason": reason})

    def stand(
        self, pipeline: str, verb: Literal["pause", "disable", "resume"], reason: str
    ) -> answers.Standing:
        """Hold a pipeline back, or let it go."""
        path = f"/pipelines/{_part(pipeline)}/{verb}"
        return self.command(path, {"reason": reason}, answers.Standing)

    def activate(self, wanted: str, reason: str) -> answers.Activation:
        """Bring a bundle into force, named by tag or digest."""
        told = {"wanted": wanted, "reason": reason}
        return self.command("/activate", told, answers.Activation)

    def rollback(self, reason: str) -> answers.Activation:
        """Bring back what was in force before."""
        return self.command("/rollback", {"reason": reason}, answers.Activation)

    def reload(self, reason: str) -> answers.Reload:
        """Have definitions, principals and policies read now."""
        return self.command("/reload", {"reason": reason}, answers.Reload)

    # ------------------------------------------------------------------ in general

    def ask(
        self, path: str, shape: type[T], query: Query | None = None, *, wait_s: float = 0
    ) -> T:
        """GET a path below `/api/v1`, decoded."""
        return decoded(self.text(_V1 + path, query, wait_s=wait_s), shape)

    def command(
        self, path: str, told: object, shape: type[T], *, wait_s: float = _COMMAND_S
    ) -> T:
        """POST to a path below `/api/v1`; the answer decoded."""
        return decoded(self.tell(_V1 + path, told, wait_s=wait_s), shape)

    def text(self, path: str, query: Query | None = None, *, wait_s: float = 0) -> bytes:
        """GET a path: the answer as it is."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        if wait_s:
            given |= {"wait": f"{wait_s:.3f}"}
        target = f"{path}?{urlencode(given)}" if given else path
        return self.wire.ask(target, wait_s=wait_s, headers=self._headers)

    def tell(self, path: str, told: object, *, wait_s: float = _COMMAND_S) -> bytes:
        """POST JSON to a path: the answer as it is."""
        return self.wire.command(path, told, wait_s=wait_s, headers=self._headers)

    def _of_run(self, run: str, verb: str, told: object) -> answers.Obeyed:
        return self.command(f"/runs/{_part(run)}/{verb}", told, answers.Obeyed)


def decoded(answer: bytes, shape: type[T]) -> T:
    """The answer in its shape; Garbled when it has another."""
    try:
        return msgspec.json.decode(answer, type=shape)
    except msgspec.DecodeError as error:
        raise Garbled(str(error)) from None


def _part(text: str) -> str:
    return quote(text, safe="") or "-"
