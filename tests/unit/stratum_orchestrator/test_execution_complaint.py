"""The one sentence that is taken from stderr."""

from stratum_orchestrator.execution.complaint import complaint
from stratum_orchestrator.execution.pipes import Tail
from stratum_orchestrator.execution.plain import excerpt, plain

REPORT = """\
Compiling serde
Error: nu::shell::external_command

  x External command failed
   ,-[/data/trees/ab/run.nu:12:2]
12 | ^cargo build
   : ^^^|^^
   :    `-- Command `cargo` not found
   `----
  help: `cargo` is neither a Nushell built-in or a known external
        command
"""


def test_a_report_of_nushell_is_told_in_one_line() -> None:
    said = complaint(REPORT)

    assert said == (
        "External command failed: Command `cargo` not found (run.nu, line 12);"
        " `cargo` has to lie in a folder of `execution.path`,"
        " and in `execution.execute` where that is not the system's"
    )


def test_the_last_of_several_reports_counts() -> None:
    said = complaint(REPORT + "\nError: nu::shell::error\n\n  x no such crate\n")

    assert said == "no such crate"


def test_what_the_script_gave_as_its_reason_counts_most() -> None:
    reason = '{"stratum":"fail","message":"no token","retry":true}\n'

    assert complaint(reason + REPORT) == "no token"


def test_without_a_report_the_last_line_counts() -> None:
    assert complaint("first\nerror: out of disk\n\n") == "error: out of disk"


def test_silence_is_no_complaint() -> None:
    assert complaint(" \n") == ""


def test_a_complaint_has_an_end() -> None:
    assert len(complaint("x" * 10_000)) < 700


def test_terminal_sequences_are_dropped() -> None:
    steering = b"\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m\r\n\x00\xe2\x80\xaeevil\x9b"

    assert plain(steering) == "red\nevil\ufffd"


def test_an_excerpt_is_one_short_line() -> None:
    assert excerpt("a\n  b") == '"a b"'
    assert len(excerpt("x" * 500)) < 90


def test_the_tail_keeps_the_last_bytes_and_counts_the_rest() -> None:
    tail = Tail(10)

    for line in (b"first\n", b"second\n", b"third\n", b"4th\n"):
        tail.add(line)

    assert tail.kept() == (b"third\n4th\n", 13)
