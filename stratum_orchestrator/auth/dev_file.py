"""Values from a file, for a laptop: nothing is leased, nothing can be revoked."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec
from anyio import to_thread

from stratum_orchestrator.auth.errors import BadValuesFile
from stratum_orchestrator.errors import CredentialsDenied
from stratum_orchestrator.ports import Claim, Grant


class DevFileBroker:
    """Reads the file anew for each process, so that a change needs no restart."""

    provider = "dev-file"
    login: str | None = None

    def __init__(self, file: Path) -> None:
        """Raises BadValuesFile when the file cannot be used."""
        self._file = file
        read_values(file)

    async def grant(self, claim: Claim) -> Grant:
        return Grant(accessor=None, policy="", lasts_s=claim.lasts_s, key="")

    async def read(self, claim: Claim, grant: Grant) -> Mapping[str, str]:
        del grant
        try:
            values = await to_thread.run_sync(read_values, self._file)
        except BadValuesFile as error:
            raise CredentialsDenied(str(error)) from None
        found = {}
        for each in claim.credentials:
            value = values.get(each.path, {}).get(each.field)
            if value is None:
                message = f'{self._file} has no `{{"{each.path}": {{"{each.field}": …}}}}`'
                raise CredentialsDenied(message)
            found[each.env] = value
        return found

    async def revoke(self, accessor: str) -> None:
        """Nothing was given that could be ended."""


def read_values(file: Path) -> Mapping[str, Mapping[str, str]]:
    """Path to field to value; BadValuesFile unless the file is ours alone and says that."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BadValuesFile(file, f"cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as opened:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.getuid():
            raise BadValuesFile(file, "has to be a file of the user that Stratum runs as")
        if state.st_mode & 0o077:
            raise BadValuesFile(file, f"can be read by others: chmod 600 {file}")
        text = opened.read()
    try:
        return msgspec.convert(json.loads(text), dict[str, dict[str, str]])
    except (
        ValueError,
        RecursionError,
        msgspec.ValidationError,
    ):  # whose message might show a value
        why = 'has to be JSON: {"path": {"field": "value"}}'
        raise BadValuesFile(file, why) from None
