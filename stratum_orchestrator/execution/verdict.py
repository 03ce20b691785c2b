"""What the course of a process means: its outputs, or why there are none."""

import re
import signal

from stratum_graph.model import Limits
from stratum_orchestrator.execution import output
from stratum_orchestrator.execution.complaint import complaint
from stratum_orchestrator.execution.errors import BadOutput
from stratum_orchestrator.execution.plain import plain
from stratum_orchestrator.execution.process import Course
from stratum_orchestrator.ports import Command, Ended, Failure

RETRY_CODE = 75
"""EX_TEMPFAIL of sysexits.h: what `stratum fail --retry` exits with."""
_PROGRAM_ENDED = re.compile(r"terminated by (SIG[A-Z0-9]+)")


def judge(command: Command, course: Course, level: str) -> Ended:
    """Return how a process that was started has ended."""
    stderr = _stderr(course)
    failure = _failure(command, course, stderr)
    outputs = None
    if failure is None:
        try:
            outputs = output.read(course.stdout)
        except BadOutput as error:
            failure = Failure(error_class="bad-output", message=str(error))
    return Ended(
        outputs=outputs,
        failure=failure,
        exit_code=course.status if course.status >= 0 else None,
        stderr=stderr,
        level=level,
        resources=course.resources,
    )


def _stderr(course: Course) -> str:
    text = plain(course.stderr)
    if course.stderr_lost:
        return f"[{course.stderr_lost} earlier bytes were dropped]\n{text}"
    return text


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
