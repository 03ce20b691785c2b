"""HTTP with the standard library: one connection for each question, so threads may share it."""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from stratum_orchestrator.client.answers import Complaint
from stratum_orchestrator.client.errors import Refused, Unreachable

MAX_ANSWER = 64 << 20
_PLACES = {"http": 80, "https": 443}


class Question(NamedTuple):
    """What is sent."""

    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    body: bytes | None = None


class Wire:
    """Sends questions to one daemon as the holder of one token."""

    def __init__(self, address: str, token: str, patience_s: float) -> None:
        """`patience_s` is how long an answer may take; questions that wait add to it."""
        self.address = address.rstrip("/")
        place = urlsplit(self.address)
        if place.scheme not in _PLACES or not place.hostname:
            raise Unreachable(address, "that is no http:// or https:// address")
        self._host, self._port = place.hostname, place.port or _PLACES[place.scheme]
        self._prefix = place.path
        self._is_safe = place.scheme == "https"
        self._token = token
        self.patience_s = patience_s

    def ask(
        self, target: str, *, wait_s: float = 0, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """GET; the answer's bytes. Raises Unreachable, Refused."""
        return self._answer(Question("GET", target, headers or {}), wait_s)

    def command(
        self, target: str, told: object, *, wait_s: float, headers: Mapping[str, str]
    ) -> bytes:
        """POST JSON; the answer's bytes.

        When the connection breaks it is sent once more, under the same key: what was done
        already is not done twice.
        """
        said = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        question = Question("POST", target, said | dict(headers), json.dumps(told).encode())
        try:
            return self._answer(question, wait_s)
        except Unreachable as away:
            if not isinstance(away.__cause__, ConnectionResetError | BrokenPipeError):
                raise
        return self._answer(question, wait_s)

    @contextmanager
    def open(
        self, target: str, headers: Mapping[str, str], within_s: float
    ) -> Iterator[HTTPResponse]:
        """An answer that goes on; reading raises Unreachable after so long a silence."""
        with self._sent(Question("GET", target, headers), within_s) as response:
            yield response

    def _answer(self, question: Question, wait_s: float) -> bytes:
        with self._sent(question, self.patience_s + wait_s) as response:
            return response.read(MAX_ANSWER)

    @contextmanager
    def _sent(self, question: Question, within_s: float) -> Iterator[HTTPResponse]:
        connection = self._connection(within_s)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        try:
            connection.request(
                question.method,
                self._prefix + question.target,
                body=question.body,
                headers=headers | dict(question.headers),
            )
            response = connection.getresponse()
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise _refusal(response.status, response.read(MAX_ANSWER))
            yield response
        except (OSError, HTTPException) as error:
            raise Unreachable(self.address, str(error)) from error
        finally:
            connection.close()

    def _connection(self, within_s: float) -> HTTPConnection:
        if self._is_safe:
            context = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=within_s, context=context)
        return HTTPConnection(self._host, self._port, timeout=within_s)


def _refusal(status: int, answer: bytes) -> Refused:
    try:
        said = msgspec.json.decode(answer, type=Complaint)
    except msgspec.DecodeError:
        said = Complaint(detail=answer[:200].decode("utf-8", "replace"))
    return Refused(status, said.code, said.detail, said.remedy)
