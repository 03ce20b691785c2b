"""`stratum test`."""

from typing import TYPE_CHECKING

import anyio
import click

from stratum_orchestrator import strict_json
from stratum_orchestrator.cli import payload
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.portrait import Painter
from stratum_orchestrator.cli.watch import outcome
from stratum_orchestrator.client.answers import Run

if TYPE_CHECKING:
    from stratum_orchestrator.cli.trial import Tried


@click.command()
@click.argument("pipeline")
@click.option("--subject", help="Of the event.  [default: what triggers it]")
@click.option(
    "--data", "-d", help="JSON, @FILE or - for stdin.  [default: the event of a node's case]"
)
@click.option("--fail", metavar="NODE", help="Let this node fail: all has to be undone.")
@click.option(
    "--reject", metavar="NODE", help="Let people say no to this node: all has to be undone."
)
@click.option("--live", is_flag=True, help="REALLY run what has effects, too.")
@faced
def test(  # noqa: PLR0913, PLR0917 - what can be said about it
    face: Face,
    pipeline: str,
    subject: str | None,
    data: str | None,
    fail: str | None,
    reject: str | None,
    *,
    live: bool,
) -> None:
    """Try PIPELINE as a whole, with the event of a case, in folders of its own.

    Nodes with the effect 'pure are really run. The others are not, nor are their compensations:
    they answer what their case.json expects. What people would be asked is taken as approved.
    Nothing is recorded, and no daemon is needed.
    """
    from stratum_graph.generation import UNKNOWN
    from stratum_orchestrator.cli.trial import Wanted, try_pipeline

    given = (
        UNKNOWN if data is None else strict_json.decode(payload.read(data), safe_integers=True)
    )
    wanted = Wanted(
        pipeline=pipeline, subject=subject, data=given, fails=fail, rejects=reject, live=live
    )
    tried = anyio.run(try_pipeline, face, wanted)
    code = _judged(tried.run, fail or reject)
    if face.screen.for_people:
        _show(face, tried, code, live=live)
    else:
        told = {"pipeline": pipeline, "ok": code == Exit.OK, "live": live}
        face.screen.value({**told, "stood_in": list(tried.stood_in), "run": tried.raw})
    raise SystemExit(code)


def _judged(run: Run, fails: str | None) -> Exit:
    """A run that was told to fail, or rejected, has to be undone cleanly."""
    if fails is None:
        return outcome(run)
    if run.compensation == "partial":
        return Exit.PARTIAL
    return Exit.OK if run.status == "compensated" else Exit.FAILED


def _show(face: Face, tried: "Tried", code: Exit, *, live: bool) -> None:
    screen = face.screen
    screen.lines(Painter(now=screen.now(), unicode=screen.unicode).run(tried.run))
    screen.line("")
    for node in tried.stood_in:
        screen.line(Span(f"  {node} was not really run: a stand-in answered", "warn"))
    if not tried.stood_in:
        how = "effects and all" if live else "it has no effects"
        screen.line(Span(f"  what ran was really run: {how}", "warn" if live else "dim"))
    verdict = "holds" if code == Exit.OK else "does not hold"
    status = "ok" if code == Exit.OK else "fail"
    screen.line(sign(status, unicode=screen.unicode), Span(f" {tried.run.pipeline} {verdict}"))
