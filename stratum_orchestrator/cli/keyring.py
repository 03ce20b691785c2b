"""Publisher keys on disk: seed files that only their owner can read."""

import os
import stat
from pathlib import Path

from platform_nats import credentials
from platform_nats.errors import InvalidKey
from platform_nats.nkey import UserKey
from stratum_orchestrator.cli.exits import Exit, Stop

SUFFIX = ".nk"
_MAX_FILE = 16384
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class NoKey(Stop):
    """There is no such key."""

    def __init__(self, file: Path) -> None:
        known = sorted(each.stem for each in file.parent.glob(f"*{SUFFIX}"))
        others = f"known here: {', '.join(known)}; or " if known else ""
        super().__init__(
            f"no key at {file}",
            remedy=f"{others}make one: stratum keys new {file.stem}",
            code=Exit.NOT_FOUND,
        )


class OpenKey(Stop):
    """Others can read the seed."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} can be read by others, so its key is not safe to use",
            remedy=f"chmod 600 {file}, and replace the key if somebody may have read it",
            code=Exit.PERMISSION,
        )


class BadKey(Stop):
    """The file does not hold a seed."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            f"{file} does not hold a seed: {why}",
            remedy="a key file is one line that begins with SU; `stratum keys new` writes one",
            code=Exit.CONFIG,
        )


class KeyExists(Stop):
    """A key is never written over."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} exists, and a key is never written over",
            remedy="give the new one another name, or move the old one away",
            code=Exit.USAGE,
        )


def locate(home: Path, named: str) -> Path:
    """The key file that a name in the home's `keys` folder, or a path, stands for."""
    if "/" in named or named.endswith((SUFFIX, credentials.SUFFIX)):
        return Path(named)
    return home / "keys" / f"{named}{SUFFIX}"


def read(file: Path) -> UserKey:
    """The key in the file. Raises NoKey, OpenKey, BadKey; the seed is in no message."""
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & _OTHERS:
                raise OpenKey(file)
            text = opened.read(_MAX_FILE)
    except (FileNotFoundError, NotADirectoryError):
        raise NoKey(file) from None
    except OSError as error:
        raise BadKey(file, error.strerror or "it cannot be read") from None
    legible = text.decode("ascii", "replace")
    lines = legible.splitlines()
    seed = next((each for each in lines if each and not each.startswith("#")), "")
    try:
        is_creds = file.suffix == credentials.SUFFIX
        return credentials.key_in(legible) if is_creds else UserKey(seed)
    except InvalidKey as error:
        raise BadKey(file, error.why) from None


def write(file: Path, key: UserKey) -> None:
    """Write the key's seed to a new file that only its owner can read; else KeyExists."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyExists(file) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(key.seed() + "\n")
