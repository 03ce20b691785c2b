"""The daemon of a home, asked over loopback HTTP. Standard library only: it must start fast."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.reading import Address, Complaint

T = TypeVar("T")
Query = Mapping[str, str | int | None]
MAX_ANSWER = 64 << 20
_TIMEOUT_S = 15.0
_COMMAND_S = 120.0  # a run whose instance is gone is taken over first
_CODES = {
    HTTPStatus.BAD_REQUEST: Exit.USAGE,
    HTTPStatus.UNAUTHORIZED: Exit.PERMISSION,
    HTTPStatus.FORBIDDEN: Exit.REFUSED,
    HTTPStatus.NOT_FOUND: Exit.NOT_FOUND,
    HTTPStatus.SERVICE_UNAVAILABLE: Exit.UNAVAILABLE,
}


class Unreachable(Stop):
    """No daemon answers for this home."""

    def __init__(self, home: Path, why: str) -> None:
        super().__init__(
            f"no daemon answers for {home}: {why}",
            remedy="start one with `stratum dev`, or name its folder with --home",
            code=Exit.UNAVAILABLE,
        )


class Refusal(Stop):
    """The daemon answered with a problem."""

    def __init__(self, status: int, complaint: Complaint) -> None:
        known = status in set(HTTPStatus)
        code = _CODES.get(HTTPStatus(status), Exit.FAILED) if known else Exit.FAILED
        super().__init__(
            complaint.detail or f"the daemon answered {status}",
            remedy=complaint.remedy,
            code=Exit.USAGE if complaint.code == "ambiguous-run" else code,
        )
        self.status = status


class Locked(Stop):
    """The home belongs to another account."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} cannot be read",
            remedy="use the account that runs the daemon",
            code=Exit.PERMISSION,
        )


class Garbled(Stop):
    """What the daemon answered is not what this version expects."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"the daemon's answer cannot be read: {error}",
            remedy="let the command line and the daemon be of the same version",
            code=Exit.SOFTWARE,
        )


class Daemon:
    """A running daemon: its address, its token, and questions to it."""

    def __init__(
        self, home: Path, address: Address, token: str, patience_s: float = _TIMEOUT_S
    ) -> None:
        self.address = address
        self._patience_s = patience_s
        self.home = home
        self._token = token
        place = urlsplit(address.http)
        self._host, self._port = place.hostname or "127.0.0.1", place.port or 80

    @classmethod
    def at(cls, home: Path, *, patience_s: float = _TIMEOUT_S) -> Self:
        """The daemon that serves this home; Unreachable when none says so.

        An answer may take so long, and as much longer as the question says.
        """
        run = home / "run"
        try:
            address = msgspec.json.decode((run / "daemon.json").read_bytes(), type=Address)
            token = (run / "token").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise Unreachable(home, "none is running") from None
        except PermissionError as error:
            raise Locked(error.filename) from None
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise Unreachable(home, f"its address in {run} cannot be read ({error})") from None
        return cls(home, address, token, patience_s)

    @property
    def page(self) -> str:
        """The page's address, with the token in the part that browsers send to nobody."""
        return f"{self.address.http}/#token={self._token}"

    def ask(
        self, path: str, shape: type[T], query: Query | None = None, *, wait_s: float = 0
    ) -> tuple[T, object]:
        """GET a path: the answer decoded, and as plain JSON. Raises Unreachable, Refusal."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        if wait_s:
            given |= {"wait": f"{wait_s:.3f}"}
        target = f"{path}?{urlencode(given)}" if given else path
        return _decoded(self._exchange("GET", target, None, wait_s), shape)

    def read(self, path: str) -> str:
        """GET a path: the answer as it is."""
        return self._exchange("GET", path, None, 0).decode("utf-8", "surrogateescape")

    def command(
        self, path: str, told: object, shape: type[T], *, wait_s: float = _COMMAND_S
    ) -> tuple[T, object]:
        """POST JSON to a path: the answer decoded, and as plain JSON."""
        return _decoded(self._exchange("POST", path, json.dumps(told), wait_s), shape)

    def _exchange(self, method: str, target: str, body: str | None, wait_s: float) -> bytes:
        connection = HTTPConnection(self._host, self._port, timeout=self._patience_s + wait_s)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            answer = response.read(MAX_ANSWER)
        except (OSError, HTTPException) as error:
            raise Unreachable(self.home, f"{self.address.http}: {error}") from None
        finally:
            connection.close()
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise Refusal(response.status, _complaint(answer))
        return answer


def _decoded(answer: bytes, shape: type[T]) -> tuple[T, object]:
    try:
        return msgspec.json.decode(answer, type=shape), msgspec.json.decode(answer)
    except msgspec.DecodeError as error:
        raise Garbled(error) from None


def _complaint(answer: bytes) -> Complaint:
    try:
        return msgspec.json.decode(answer, type=Complaint)
    except msgspec.DecodeError:
        return Complaint(detail=answer[:200].decode("utf-8", "replace"))
