"""The daemon's own folder: keys, tokens, data, and where it can be reached while it runs."""

import json
import os
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from platform_nats.nkey import UserKey

NAME = ".stratum"
DAEMON, DEVELOPER = "daemon", "developer"
HOMES_OWN = "home"
"""The name of the token that lies in the home folder."""
PRINCIPALS = "principals.ncl"
ACCESS = "access"
CONTENT = "content"
_TOKEN_BYTES = 32


class HomeIncomplete(Exception):
    """Something that the daemon needs is not in its folder."""

    def __init__(self, missing: Path, remedy: str) -> None:
        super().__init__(f"{missing} is missing: {remedy}")
        self.missing = missing


class Home:
    """Paths and small files below one folder, which only its owner can read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.database = self.folder / "db"
        self.broker = self.folder / "nats"
        self.content = self.folder / CONTENT
        self.scratch = self.folder / "scratch"
        self.principals = self.folder / PRINCIPALS
        self._run = self.folder / "run"

    @property
    def project(self) -> Path:
        """The folder that it lies in: relative settings start there."""
        return self.folder.parent

    def prepare(self) -> None:
        """Make the folder, closed to others and to version control."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        self._run.mkdir(mode=0o700, exist_ok=True)

    def key(self, name: str, *, make: bool) -> UserKey:
        """The key kept under a name; a fresh one when it is missing and may be made."""
        file = self.folder / "keys" / f"{name}.nk"
        if file.is_file():
            return read_key(file)
        if not make:
            raise HomeIncomplete(file, f"make it with `stratum keys new {name}`")
        key = UserKey.generate()
        write_secret(file, key.seed())
        return key

    def token(self) -> str:
        """The bearer token of the API, made once."""
        return self._secret(self._run / "token", secrets.token_urlsafe(_TOKEN_BYTES))

    def marker(self) -> str:
        """The word by which processes of this home are recognized after a crash."""
        return self._secret(self.folder / "instance", secrets.token_hex(8))

    def introduce_developer(self, key: UserKey) -> None:
        """Write a first principals file, in which the developer may do everything."""
        if self.principals.exists():
            return
        self.principals.write_text(
            "# Who may sign events, and in which groups policies find them.\n"
            "# `stratum keys new NAME` makes another key; add its public half here.\n"
            "[\n"
            "  {\n"
            f'    key = "{key.public}",\n'
            f'    name = "{DEVELOPER}",\n'
            '    groups = ["publishers", "operators", "admins"],\n'
            "  },\n"
            "]\n"
        )

    def announce(self, address: Mapping[str, object]) -> None:
        """Say where the daemon is, for the command line."""
        place = self._run / "daemon.json"
        write_secret(place.with_suffix(".new"), json.dumps(address))
        place.with_suffix(".new").replace(place)

    def withdraw(self) -> None:
        """Say that the daemon is not there any more."""
        (self._run / "daemon.json").unlink(missing_ok=True)

    def _secret(self, file: Path, fresh: str) -> str:
        if not file.is_file():
            write_secret(file, fresh)
        return file.read_text(encoding="ascii").strip()


def read_key(file: Path) -> UserKey:
    """The key whose seed the file holds; OSError or InvalidKey otherwise."""
    return UserKey(file.read_text(encoding="ascii").strip())


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(text + "\n")
        opened.flush()
        os.fsync(descriptor)
    partial.replace(file)


def token_digest(token: str) -> str:
    """What is kept of a token in memory: 64 hex digits."""
    return sha256(token.encode()).hexdigest()
