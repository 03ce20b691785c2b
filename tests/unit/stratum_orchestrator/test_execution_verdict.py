"""What the course of a process means."""

import signal

import pytest

from stratum_graph.model import Limits
from stratum_orchestrator.execution.process import Course
from stratum_orchestrator.execution.redaction import Redactor
from stratum_orchestrator.execution.verdict import STDERR_KEPT, judge
from stratum_orchestrator.ports import Failure, Resources
from support.scripts import command

NONE = Redactor({})


def course(status: int = 0, **different: object) -> Course:
    ordinary: dict[str, object] = {
        "timed_out": False,
        "overflowed": False,
        "stdout": b'{"a": 1}',
        "stderr": b"",
        "stderr_lost": 0,
        "resources": Resources(cpu_ms=5, max_rss=0, wall_ms=9),
    }
    return Course(status=status, **(ordinary | different))  # type: ignore[arg-type]


def failure(status: int = 0, **different: object) -> Failure:
    ended = judge(
        command("run.nu", limits=Limits(cpu=1)),
        course(status, **different),
        "limits",
        NONE,
    )
    assert ended.failure is not None
    assert ended.outputs is None
    return ended.failure


def test_an_object_and_exit_code_0_are_a_success() -> None:
    ended = judge(command("run.nu"), course(), "landlock", NONE)

    assert ended.outputs == {"a": 1}
    assert (ended.failure, ended.exit_code, ended.level) == (None, 0, "landlock")


@pytest.mark.parametrize(
    ("different", "error_class", "hint"),
    [
        ({"status": 3, "stderr": b"no disk\n"}, "exit", "exit code 3: no disk"),
        ({"status": 1}, "exit", "no word on stderr"),
        ({"status": 75, "stderr": b"busy\n"}, "exit", "asked to be tried again"),
        ({"status": -signal.SIGSEGV}, "exit", "SIGSEGV"),
        ({"status": -signal.SIGKILL}, "exit", "out of memory"),
        ({"timed_out": True, "status": -signal.SIGTERM}, "timeout", "20 s"),
        ({"overflowed": True, "status": -signal.SIGKILL}, "limit", "handler.limits.output"),
        ({"status": -signal.SIGXCPU}, "limit", "handler.limits.cpu"),
        ({"status": -signal.SIGXFSZ}, "limit", "handler.limits.file_size"),
        (
            {"status": -signal.SIGABRT, "stderr": b"memory allocation of 9 bytes failed\n"},
            "limit",
            "handler.limits.memory",
        ),
        ({"status": 1, "stderr": b"terminated by SIGXCPU (24)"}, "limit", "processor time"),
        ({"stdout": b"hello"}, "bad-output", "to json"),
    ],
)
def test_each_bad_end_has_its_class_and_a_hint(
    different: dict[str, object], error_class: str, hint: str
) -> None:
    found = failure(**different)  # type: ignore[arg-type]

    assert found.error_class == error_class
    assert hint in found.message


def test_the_end_of_stderr_begins_with_a_whole_line() -> None:
    lines = b"".join(b"%07d\n" % number for number in range(10_000))

    ended = judge(command("run.nu"), course(stderr=lines[4:]), "limits", NONE)

    assert ended.stderr.splitlines()[:2] == ["[14460 earlier bytes were dropped]", "0001808"]
    assert len(ended.stderr.encode()) <= STDERR_KEPT + 40


def test_a_cut_stderr_says_how_much_is_gone() -> None:
    ended = judge(command("run.nu"), course(stderr=b"end\n", stderr_lost=7), "limits", NONE)

    assert ended.stderr == "[7 earlier bytes were dropped]\nend\n"
