"""Principals with keys, and grants between them."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from platform_nats.nkey import UserKey
from stratum_graph.model import Principal
from stratum_orchestrator.auth.cedar import CedarAuthorizer, PolicySet
from stratum_orchestrator.auth.entities import PipelineFacts
from stratum_orchestrator.errors import BadGrant
from stratum_orchestrator.saga.grant import Grant, Signed, open_grant, sign
from support.saga import START_MS

POLICIES = Path(__file__).parents[2] / "policies"
ADA_KEY, BOT_KEY = UserKey.generate(), UserKey.generate()
ADA = Principal(key=ADA_KEY.public, name="ada", groups=("publishers",))
BOT = Principal(key=BOT_KEY.public, name="bot", kind="agent")
HOUR_MS = 3_600_000
GRANT = Grant(
    id="g-1",
    audience="here",
    user=ADA.key,
    agent=BOT.key,
    actions=("trigger", "view", "cancel"),
    pipelines=("build",),
    subjects=("events.>",),
    not_before=START_MS - HOUR_MS,
    expires=START_MS + HOUR_MS,
)


def granted(grant: Grant = GRANT, key: UserKey = ADA_KEY) -> str:
    return sign(grant, key)


class Shelf:
    """Grants in memory."""

    def __init__(self, *kept: str, audience: str = "here") -> None:
        self.texts = list(kept)
        self.revoked: set[str] = set()
        self.unreadable = ""
        self._audience = audience

    def opened(self, text: str) -> Signed:
        return open_grant(text, self._audience)

    def kept(self, agent_keys: tuple[str, ...]) -> list[Signed]:
        found = [self.opened(text) for text in self.texts]
        return [each for each in found if each.grant.agent in agent_keys]

    def is_revoked(self, grant_id: str) -> bool:
        if self.unreadable:
            raise BadGrant(self.unreadable)
        return grant_id in self.revoked


@dataclass
class Law:
    """Rules by the shipped policies, over pipelines `build` and `payout`."""

    people: tuple[Principal, ...] = (ADA, BOT)
    grants: Shelf = field(default_factory=Shelf)
    authorizer: CedarAuthorizer = field(
        default_factory=lambda: CedarAuthorizer(
            PolicySet.load(POLICIES),
            pipelines={"build": PipelineFacts(), "payout": PipelineFacts(irreversible=True)},
        )
    )

    @property
    def principals(self) -> dict[str, Principal]:
        return {key: each for each in self.people for key in each.every_key}

    def but(self, *people: Principal) -> "Law":
        """The same with these in the place of their namesakes."""
        new = {each.name: each for each in people}
        kept = [each for each in self.people if each.name not in new]
        return replace(self, people=(*kept, *people))
