"""Files of a folder that others write to: read whole, if they are files and bearably large."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotPlain(OSError):
    """What has the name of a file is something else, or too much; `strerror` says what."""

    def __init__(self, why: str) -> None:
        super().__init__(0, why)


def opened(place: Path) -> BinaryIO:
    """The file for reading. NotPlain: a pipe, a device, a folder, or a link to itself."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotPlain(error.strerror or "") from None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise NotPlain("it is no plain file")  # noqa: TRY003 - the one reason


def read(place: Path, limit: int) -> bytes:
    """All that it holds; NotPlain when that is more than so many bytes."""
    with opened(place) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        message = f"it is larger than {limit} bytes"
        raise NotPlain(message)
    return content
