"""What the course of a process means: its outputs, or why there are none."""

import re
import signal
from collections.abc import Iterator, Mapping
from logging import getLogger

from stratum_graph.model import Limits
from stratum_orchestrator.execution import output
from stratum_orchestrator.execution.complaint import complaint
from stratum_orchestrator.execution.errors import BadOutput
from stratum_orchestrator.execution.plain import plain
from stratum_orchestrator.execution.process import Course
from stratum_orchestrator.execution.redaction import Redactor, masked
from stratum_orchestrator.ports import Command, Ended, Failure, Kind

log = getLogger(__name__)

STDERR_KEPT = 64 << 10
"""Bytes; the rest is counted."""
RETRY_CODE = 75
"""EX_TEMPFAIL of sysexits.h: what `stratum fail --retry` exits with."""
_PROGRAM_ENDED = re.compile(r"terminated by (SIG[A-Z0-9]+)")


def judge(command: Command, course: Course, level: str, redactor: Redactor) -> Ended:
    """Return how a process that was started has ended; no secret is in that."""
    stderr = _stderr(course, redactor)
    failure = _failure(command, course, stderr)
    outputs = None
    if failure is None:
        outputs, failure = _outputs(command, course.stdout, redactor)
    return Ended(
        outputs=outputs,
        failure=failure,
        exit_code=course.status if course.status >= 0 else None,
        stderr=stderr,
        level=level,
        resources=course.resources,
    )


def _outputs(
    command: Command, stdout: bytes, redactor: Redactor
) -> tuple[Mapping[str, object] | None, Failure | None]:
    told = redactor.names(stdout)
    try:
        outputs = output.read(redactor.data(stdout) if told else stdout)
    except BadOutput as error:
        return None, Failure(error_class="bad-output", message=str(error))
    if not told and b"\\" in stdout:  # whatever way of escaping it has chosen
        told = redactor.names("\0".join(_texts(outputs)).encode(errors="replace"))
    if not told:
        return outputs, None
    names = ", ".join(told)
    facts = {"run": command.run, "node": command.node, "secrets": names}
    log.warning("secret in the output of a step", extra=facts)
    if command.on_leak == "redact" or command.kind is Kind.UNDO:  # nobody is given that
        return {redactor.text(name): redactor.value(x) for name, x in outputs.items()}, None
    return None, Failure(
        error_class="secret-leak",
        message=f"stdout holds the secret {names}: hand on where it is kept, or what it is good"
        " for, never itself; `handler.on_leak = 'redact` masks it instead",
    )


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for key, each in value.items():
                yield key
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case _:
            pass


def _stderr(course: Course, redactor: Redactor) -> str:
    """Return the end of stderr, from the start of a line where one is."""
    data, spans = course.stderr, redactor.spans(course.stderr, cut_off=True)
    cut = max(0, len(data) - STDERR_KEPT)
    if cut:
        cut = data.find(b"\n", cut - 1, -1) + 1 or cut
        cut = next((span.end for span in spans if span.start < cut < span.end), cut)
    kept = [span._replace(start=span.start - cut, end=span.end - cut) for span in spans]
    text = plain(masked(data[cut:], (span for span in kept if span.start >= 0)))
    text = redactor.text(text)  # a terminal's sequence may have stood within a secret
    lost = course.stderr_lost + cut
    return f"[{lost} earlier bytes were dropped]\n{text}" if lost else text


def _failure(command: Command, course: Course, stderr: str) -> Failure | None:
    limits, said = command.limits, complaint(stderr)
    if course.overflowed:
        return _limit("output", f"stdout was longer than {limits.output} bytes")
    if course.timed_out:
        why = (
            f"no end within {command.timeout_s:g} s; raise `timeout`, or see what it waits for"
        )
        return Failure(error_class="timeout", message=_with(why, said))
    if exceeded := _exceeded(limits, course, stderr):
        return exceeded
    if course.status == 0:
        return None
    return Failure(error_class="exit", message=_exit(course.status, said))


def _exceeded(limits: Limits, course: Course, stderr: str) -> Failure | None:
    """Recognize a limit by the signal that ended the script, or a program that it started."""
    signals = {_name(course.status), *_PROGRAM_ENDED.findall(complaint(stderr))}
    cpu_spent = course.resources.cpu_ms >= 1000 * limits.cpu
    if "SIGXCPU" in signals or ("SIGKILL" in signals and cpu_spent):
        return _limit("cpu", f"it used more than {limits.cpu:g} s of processor time")
    if "SIGXFSZ" in signals:
        return _limit("file_size", f"it wrote a file longer than {limits.file_size} bytes")
    if "SIGABRT" in signals and "memory allocation" in stderr:
        return _limit("memory", f"it needed more than {limits.memory} bytes of memory")
    return None


def _limit(name: str, why: str) -> Failure:
    return Failure(error_class="limit", message=f"{why}; raise `handler.limits.{name}`")


def _exit(status: int, said: str) -> str:
    if status < 0:
        hint = " (the machine may be out of memory)" if status == -signal.SIGKILL else ""
        return _with(f"ended by {_name(status)}{hint}", said)
    if status == RETRY_CODE:
        return _with(f"asked to be tried again (exit code {status})", said)
    return _with(f"exit code {status}", said or "it left no word on stderr")


def _with(what: str, said: str) -> str:
    return f"{what}: {said}" if said else what


def _name(status: int) -> str:
    if status >= 0:
        return ""
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal
        return f"signal {-status}"
