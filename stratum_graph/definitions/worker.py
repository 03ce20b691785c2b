"""Evaluates Nickel in a process of its own, jailed and short-lived; the only user of nickel.

It runs as `python -I -B worker.py`, reads one JSON request from stdin and answers in JSON
lines. Nickel holds the interpreter's lock, leaks memory, and a hostile file can end the
process: that is why nobody else imports it.
"""

import ctypes
import json
import os
import resource
import sys
from typing import TypedDict

if __name__ == "__main__":
    sys.path.insert(0, os.path.abspath(os.path.join(__file__, "..", "..", "..")))  # noqa: PTH100, PTH118 - pathlib costs 10 ms here

from stratum_graph.definitions import landlock

_PR_SET_DUMPABLE = 4
_LONGEST_ERROR = 64 << 10


class Request(TypedDict):
    """What to evaluate, and within which bounds."""

    jail: str
    """The folder that stays within reach; also where relative imports start."""
    paths: list[str]
    """Folders in which imports are looked up."""
    units: dict[str, str]
    """Nickel expressions by name."""
    batches: list[list[str]]
    """Names that are evaluated together."""
    memory: int
    """Address space, bytes."""
    cpu: float
    """Processor time of one evaluation, seconds."""
    output: int
    """Characters of JSON that one evaluation may give."""


class Evaluator:
    """Evaluates units and answers over a descriptor that they cannot reach."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._answers = os.fdopen(os.dup(1), "wb", buffering=0)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def run(self) -> None:
        """Answer with the values of each batch, in ever smaller parts when it fails."""
        try:
            import nickel  # noqa: PLC0415 - before the jail closes, and only in this process

            self._nickel = nickel
            self._enter_jail()
        except (ImportError, OSError, ValueError) as error:
            self._say(fatal=f"{type(error).__name__}: {error}")
            return
        for names in self._request["batches"]:
            self._answer(names)

    def _enter_jail(self) -> None:
        memory = self._request["memory"]
        os.chdir(self._request["jail"])
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        if landlock.abi():
            landlock.restrict(landlock.Rules(read=(self._request["jail"],)))

    def _answer(self, names: list[str]) -> None:
        self._say(begin=names)
        values = self._evaluate(names)
        if not isinstance(values, str):
            self._say(values=values)
        elif len(names) == 1:
            self._say(name=names[0], error=values)
        else:
            quarter = -(-len(names) // 4)
            for start in range(0, len(names), quarter):
                self._answer(names[start : start + quarter])

    def _evaluate(self, names: list[str]) -> dict[str, object] | str:
        """Return values by name, or the text of the error."""
        self._allow_more_time()
        fields = ",".join(f'"{name}" = {self._request["units"][name]}' for name in names)
        try:
            text = self._nickel.run(f"{{ {fields} }}", self._request["paths"])
            if len(text) > self._request["output"]:
                return f"error: evaluates to more than {self._request['output']} bytes of data"
            values: dict[str, object] = json.loads(text)
        except self._nickel.NickelException as error:
            return str(error)[:_LONGEST_ERROR]
        except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
            return f"error: {type(error).__name__}: {error}"
        return values

    def _allow_more_time(self) -> None:
        """Give each evaluation the same processor time, whatever those before it took."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime + self._request["cpu"]) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))

    def _say(self, **answer: object) -> None:
        self._answers.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    Evaluator(json.loads(sys.stdin.buffer.read())).run()
