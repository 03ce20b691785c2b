"""What a process has used, by the kernel and by looking."""

import os
import resource
import subprocess
import sys

from stratum_orchestrator.execution.usage import Peak, used

TAKES = "x = bytearray(SIZE); print('taken', end='', flush=True); input()"
SIZE = 48 << 20


def test_memory_is_seen_while_a_process_runs() -> None:
    code = TAKES.replace("SIZE", str(SIZE))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert process.stdout is not None
        process.stdout.read(len("taken"))
        peak = Peak(process.pid)
        peak.look()
        process.communicate(b"\n")

    assert SIZE < peak.bytes < 8 * SIZE


def test_a_process_that_is_gone_was_not_seen() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})
    os.waitpid(pid, 0)
    peak = Peak(pid)

    peak.look()

    assert peak.bytes == 0


def test_what_was_seen_counts_where_the_kernel_cannot_tell() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)

    assert used(usage, 0.5, 0).max_rss == 0
    seen = used(usage, 0.5, 5 << 20)

    assert seen.max_rss == 5 << 20
    assert seen.wall_ms == 500
    assert seen.cpu_ms <= seen.user_ms + seen.system_ms <= seen.cpu_ms + 1
