"""Who may write about which runs, as the shared store has it: epochs, fences, silence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stratum_state import moves
from stratum_state.errors import Fenced, NotOurs, Taken
from stratum_state.model import Fact, PipelineRun, RunStatus, VerdictRecord
from support.simulation.world import Life, World

TTL_S = 10.0


@dataclass
class Lane:
    """The lease of a lane."""

    name: str
    epoch: int = 0
    owner: Life | None = None
    """None when it was given back."""
    heard: float = 0.0


class Lanes:
    """All lanes of the store, shared by all lives."""

    def __init__(self, world: World, *, embedded: bool) -> None:
        """`embedded`: only one instance can have the store open, so no owner is waited for."""
        self._world = world
        self._embedded = embedded
        self.every: list[Lane] = []
        self._of_run: dict[str, Lane] = {}

    def claim(self, life: Life) -> Lane:
        """Take the first lane that nobody has, or else a new one."""
        for lane in self.every:
            if lane.owner is None or self._embedded:
                return self._take(lane, life)
        lane = Lane(str(len(self.every)))
        self.every.append(lane)
        return self._take(lane, life)

    def expired(self, life: Life) -> Sequence[Lane]:
        """Lanes of owners that are silent for too long, or that left unfinished runs behind."""
        return [
            each
            for each in self.every
            if (each.owner is None and any(self.unfinished([each])))
            or (each.owner not in (None, life) and self._is_silent(each))
        ]

    def adopt(self, name: str, life: Life) -> Lane | None:
        """Take a lane from its owner, if that is still silent."""
        [lane] = [each for each in self.every if each.name == name]
        if lane.owner is life or not (lane.owner is None or self._is_silent(lane)):
            return None
        self._world.seen["lane adopted"] += 1
        return self._take(lane, life)

    def held(self, life: Life) -> Sequence[Lane]:
        return [each for each in self.every if each.owner is life]

    def unfinished(self, lanes: Iterable[Lane]) -> list[str]:
        """The runs of these lanes that are not over, oldest first."""
        names = {each.name for each in lanes}
        return [
            run
            for run in self._world.unfinished()
            if run in self._of_run and self._of_run[run].name in names
        ]

    def lane_of(self, facts: Sequence[Fact], primary: Lane) -> Lane:
        """Where facts go: with their run, or to the life's own lane when they begin one."""
        if any(map(_begun, facts)):
            return primary
        runs = [moves.chain(each) for each in facts if not isinstance(each, VerdictRecord)]
        return next((self._of_run[run] for run in runs if run in self._of_run), primary)

    def check(self, facts: Sequence[Fact], lane: Lane, epoch: int | None) -> None:
        """Return when facts can go there for whoever took the lane at that epoch.

        Raises Fenced, NotOurs, and Taken when a run was begun in another lane.
        """
        if epoch is None:
            raise NotOurs(moves.name(facts[0]), lane.name)
        if lane.epoch != epoch:
            raise Fenced(lane.name, epoch)
        for run in filter(None, map(_begun, facts)):
            if self._of_run.get(run.id, lane) is not lane:
                raise Taken(run.identity)

    def note(self, facts: Sequence[Fact], lane: Lane) -> None:
        """Remember where runs began."""
        for run in filter(None, map(_begun, facts)):
            self._of_run[run.id] = lane

    def orphan(self, run: str, life: Life) -> Lane | None:
        """The lane of a run, if somebody else may take it."""
        lane = self._of_run.get(run)
        if lane is None or lane.owner is life:
            return None
        return lane if lane.owner is None or self._is_silent(lane) else None

    def runs(self, lane: Lane) -> Sequence[str]:
        """Every run that began there."""
        return [run for run, where in self._of_run.items() if where is lane]

    def owns(self, life: Life, run: str) -> bool:
        """Whether the run is the life's to carry."""
        return run in self._of_run and self._of_run[run].owner is life

    def _take(self, lane: Lane, life: Life) -> Lane:
        lane.epoch += 1
        lane.owner = life
        lane.heard = self._world.loop.time()
        return lane

    def _is_silent(self, lane: Lane) -> bool:
        return self._world.loop.time() - lane.heard >= TTL_S


def _begun(fact: Fact) -> PipelineRun | None:
    begins = isinstance(fact, PipelineRun) and fact.status is RunStatus.ACCEPTED
    return fact if begins else None
