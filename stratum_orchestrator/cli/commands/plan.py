"""`stratum plan`."""

from typing import TYPE_CHECKING

import anyio
import click

from stratum_graph.model import Plan
from stratum_orchestrator import strict_json
from stratum_orchestrator.cli import payload
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.options import Face, faced

if TYPE_CHECKING:
    from stratum_graph.generation import Generation


class NothingOpens(Stop):
    """No pipeline has a trigger that matches."""

    def __init__(self, subject: str, nearest: str | None) -> None:
        super().__init__(
            f"no pipeline is triggered by {subject}",
            remedy=f"did you mean {nearest}?" if nearest else "`stratum graph` shows triggers",
            code=Exit.NOT_FOUND,
        )


@click.command()
@click.argument("subject")
@click.option("--data", "-d", help="JSON, @FILE or -: judges the triggers' conditions too.")
@faced
def plan(face: Face, subject: str, data: str | None) -> None:
    """Show the stages that an event under SUBJECT would run, with the digest of each plan."""
    from stratum_orchestrator.cli import plan_picture

    given = None if data is None else strict_json.decode(payload.read(data), safe_integers=True)
    generation = anyio.run(_generation, face)
    plans = opened(generation, subject, given)
    if face.screen.for_people:
        for at, each in enumerate(plans):
            face.screen.lines([[]] if at else [])
            face.screen.lines(plan_picture.picture(each, unicode=face.screen.unicode))
    else:
        face.screen.value(
            {
                "subject": subject,
                "generation": generation.digest,
                "plans": [plan_picture.view(each) for each in plans],
            }
        )


def opened(generation: "Generation", subject: str, data: object) -> tuple[Plan, ...]:
    """The plans that the event opens; NothingOpens when there are none."""
    plans = generation.plans(subject, data)
    if not plans:
        raise NothingOpens(subject, generation.nearest_subject(subject))
    return plans


async def _generation(face: Face) -> "Generation":
    from stratum_orchestrator.cli.workspace import graph_of, workspace

    async with workspace(face) as place:
        return await graph_of(face, place)
