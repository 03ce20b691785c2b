"""The daemon of a home as commands ask it: what goes wrong has an exit code and a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.client import errors
from stratum_orchestrator.client.answers import Address
from stratum_orchestrator.client.client import Client, Query, decoded

T = TypeVar("T")
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

    def __init__(self, refused: errors.Refused) -> None:
        known = refused.status in set(HTTPStatus)
        code = _CODES.get(HTTPStatus(refused.status), Exit.FAILED) if known else Exit.FAILED
        super().__init__(
            refused.detail,
            remedy=refused.remedy,
            code=Exit.USAGE if refused.code == "ambiguous-run" else code,
        )
        self.status = refused.status


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

    def __init__(self, error: errors.Garbled) -> None:
        super().__init__(
            str(error),
            remedy="let the command line and the daemon be of the same version",
            code=Exit.SOFTWARE,
        )


class Daemon:
    """A running daemon: its address, its token, and questions to it."""

    def __init__(
        self, home: Path, address: Address, token: str, patience_s: float = _TIMEOUT_S
    ) -> None:
        self.address = address
        self.home = home
        self._token = token
        self.client = Client(address.http, token, patience_s=patience_s)

    @classmethod
    def at(cls, home: Path, *, patience_s: float = _TIMEOUT_S, token: str = "") -> Self:
        """The daemon that serves this home; Unreachable when none says so.

        An answer may take so long, and as much longer as the question says. Without another
        token, it is asked with the home's.
        """
        run = home / "run"
        try:
            address = msgspec.json.decode((run / "daemon.json").read_bytes(), type=Address)
            token = token or (run / "token").read_text(encoding="ascii").strip()
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
        with self._told():
            answer = self.client.text(path, query, wait_s=wait_s)
            return decoded(answer, shape), decoded(answer, object)

    def read(self, path: str) -> str:
        """GET a path: the answer as it is."""
        with self._told():
            return self.client.text(path).decode("utf-8", "surrogateescape")

    def command(
        self, path: str, told: object, shape: type[T], *, wait_s: float = _COMMAND_S
    ) -> tuple[T, object]:
        """POST JSON to a path: the answer decoded, and as plain JSON."""
        with self._told():
            answer = self.client.tell(path, told, wait_s=wait_s)
            return decoded(answer, shape), decoded(answer, object)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except errors.Refused as refused:
            raise Refusal(refused) from None
        except errors.Garbled as garbled:
            raise Garbled(garbled) from None
        except errors.Unreachable as away:
            raise Unreachable(self.home, f"{away.address}: {away.why}") from None
