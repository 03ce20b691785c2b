"""Bubblewrap: a step in namespaces of its own, with no files but those that it was given.

It cannot see, trace or signal any process but its own, which end with it; without `network` it
has no network at all. See bwrap(1) and <https://github.com/containers/bubblewrap>.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SANDBOX = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"),
)
_LINKED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""On most systems links into /usr, which programs name all the same."""
_PROBE = ("--ro-bind", "/", "/", "--unshare-net", "--as-pid-1", "--", "/bin/true")
"""Without a process between, which would become an orphan, and then a child of ours."""
_ANSWER_S = 20
_INSTALL = "install bubblewrap 0.4 or newer (Debian: `apt-get install bubblewrap`)"
_USER_NAMESPACES = (
    "allow user namespaces to the daemon's account (`sysctl kernel.unprivileged_userns_clone`,"
    " `user.max_user_namespaces`, AppArmor, or the container's seccomp profile)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The files that a step sees, by real path; later ones lie on top of earlier ones."""

    read: Sequence[str]
    write: Sequence[str]
    hidden: Sequence[str]
    """Folders that are shown empty."""
    tools: Sequence[str]
    """Read and executed whatever is hidden."""
    own: Sequence[str]
    """Written whatever is hidden."""
    links: Mapping[str, str]
    """Other paths for some of these, to what they mean."""
    cwd: str
    network: bool


def find(path: Sequence[str]) -> tuple[str, str]:
    """Return the program, and why it cannot be used: empty when it can.

    Blocks until it has been tried.
    """
    program = shutil.which("bwrap", path=os.pathsep.join(path))
    if program is None:
        return "", f"there is no bwrap in {', '.join(path)}: {_INSTALL}"
    try:
        tried = subprocess.run(  # noqa: S603 - found in the operator's folders
            [program, *_SANDBOX, *_PROBE],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return program, f"{program} does not run ({error}): {_INSTALL}"
    if tried.returncode:
        said = tried.stderr.decode(errors="replace").strip()
        return program, f"{program} makes no sandbox here ({said}): {_USER_NAMESPACES}"
    return program, ""


def wrap(program: str, view: View) -> tuple[str, ...]:
    """Return what stands before the command of a step that shall see no more than the view."""
    network = () if view.network else ("--unshare-net",)
    return (program, *_SANDBOX, *network, *_mounts(view), "--chdir", view.cwd, "--")


def _mounts(view: View) -> Iterator[str]:
    for path in _LINKED:
        if Path(path).is_symlink():
            yield from ("--symlink", os.readlink(path), path)  # noqa: PTH115 - as it is
    yield from _bind("--ro-bind", view.read)
    yield from _bind("--bind", view.write)
    for path in view.hidden:
        yield from ("--tmpfs", path)
    yield from _bind("--ro-bind", view.tools)
    yield from _bind("--bind", view.own)
    seen = [Path(path) for path in (*view.read, *view.write, *view.tools, *view.own)]
    for path, real in view.links.items():
        shown = path in _LINKED or any(Path(path).is_relative_to(each) for each in seen)
        if not shown:
            yield from ("--symlink", real, path)
    for path in (*view.hidden, "/"):  # what is written there would vanish
        yield from ("--remount-ro", path)


def _bind(how: str, paths: Iterable[str]) -> Iterator[str]:
    for path in dict.fromkeys(paths):
        yield from (how, path, path)
