"""Who has access, as files say it: changed without a daemon, which notices by itself."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

from stratum_graph.model import Principal
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.auth.errors import AuthError, BadRegister, NameTaken
from stratum_orchestrator.auth.grants import KeptGrants
from stratum_orchestrator.auth.roster import Change, Roster, amend
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.workspace import workspace


class NoPrincipal(Stop):
    """There is no principal of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no principal `{name}`",
            remedy=f"known are {', '.join(known) or 'none'}; stratum principals add NAME",
            code=Exit.NOT_FOUND,
        )


class BadPeople(Stop):
    """The principals make no sense; the findings have been told."""

    def __init__(self, found: int) -> None:
        super().__init__(
            f"the principals have {found} error{'s' * (found > 1)}", code=Exit.BAD_DEFINITIONS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Principals by each key of theirs, and the registers."""

    access: Access
    by_key: Mapping[str, Principal]
    audience: str

    @property
    def everybody(self) -> Sequence[Principal]:
        return sorted(
            {each.name: each for each in self.by_key.values()}.values(), key=lambda x: x.name
        )

    @property
    def grants(self) -> KeptGrants:
        return KeptGrants(self.access.grants, self.audience)

    def of(self, name: str) -> Principal:
        """By name or key; NoPrincipal."""
        found = self.by_key.get(name)
        found = found or next((each for each in self.everybody if each.name == name), None)
        if found is None:
            raise NoPrincipal(name, [each.name for each in self.everybody])
        return found


def people_of(face: Face) -> People:
    """Everybody; Stop when the files make no sense."""
    return anyio.run(_read, face)


def change(face: Face, people: People, changed: Change) -> None:
    """Lay the change over the principals, unless what comes of it makes no sense."""
    declared = people.everybody
    _, problems = Roster(principals=(changed,)).merged(declared, "this change")
    if problems:
        tell(face.screen, problems)
        raise BadPeople(len(problems))
    amend(people.access.principals, changed)


async def _read(face: Face) -> People:
    async with workspace(face) as place:
        with telling():
            by_key, problems = await place.principals()
        errors = [each for each in problems if each.severity == "error"]
        if errors:
            tell(face.screen, problems)
            raise BadPeople(len(errors))
        return People(
            access=Access.at(place.sources.access),
            by_key=by_key,
            audience=place.settings.nats.audience,
        )


@contextmanager
def telling() -> Iterator[None]:
    """What the registers refuse, as the end of a command."""
    try:
        yield
    except AuthError as error:
        codes: Mapping[type[AuthError], Exit] = {
            BadRegister: Exit.CONFIG,
            NameTaken: Exit.USAGE,
        }
        code = codes.get(type(error), Exit.NOT_FOUND)
        raise Stop(str(error), code=code) from None


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def moment(ms: int) -> str:
    """As the API writes it, without milliseconds."""
    return datetime.fromtimestamp(ms // 1000, UTC).isoformat().replace("+00:00", "Z")
