"""`stratum chaos`."""

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, TypedDict, Unpack

import anyio
import click

from stratum_orchestrator.cli import payload
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.screen import Screen

if TYPE_CHECKING:
    from stratum_orchestrator.cli.chaos.trial import Plan, Report

_KILLS = 20
_MANY = 1_000_000
_SEEDS = 2**32
_P50, _P95 = 0.5, 0.95


class Asked(TypedDict):
    """The options of a trial."""

    data: str
    kills: int | None
    seed: int | None
    minutes: float | None
    doubles: bool
    drops: bool
    slow_store: bool
    failing_store: bool
    everything: bool


@click.command()
@click.argument("subject")
@click.option(
    "--data", "-d", default="{}", show_default=True, help="JSON, @FILE, or - for stdin."
)
@click.option(
    "--kills",
    type=click.IntRange(1),
    help=f"How many.  [default: {_KILLS}, or as many as fit into --minutes]",
)
@click.option("--seed", type=int, help="Of an earlier trial, to repeat its dice.")
@click.option("--minutes", type=click.FloatRange(0.05), help="End when they have passed.")
@click.option("--doubles", is_flag=True, help="Publish some events twice, some much later.")
@click.option("--drops", is_flag=True, help="Lose some deliveries and some answers to them.")
@click.option("--slow-store", is_flag=True, help="Let the store take its time now and then.")
@click.option("--failing-store", is_flag=True, help="Let calls of the store fail now and then.")
@click.option("--everything", is_flag=True, help="All of these together.")
@faced
def chaos(face: Face, subject: str, **asked: Unpack[Asked]) -> None:
    """Kill the daemon and its broker again and again while events are published under SUBJECT.

    It is killed at random, and at the named points between two durable states.

    It happens to a copy of the project, in a scratch home with its own keys, broker and store.
    What scripts do outside of $STRATUM_DATA they really do, and more than once. Afterwards
    everything on record is judged by the promised invariants; the exit code is 1 if one
    does not hold.
    """
    from stratum_orchestrator.cli.chaos.trial import Plan

    # a broker that goes away is what is wanted here
    logging.getLogger("platform_nats").setLevel(logging.CRITICAL)
    seed = secrets.randbelow(_SEEDS) if asked["seed"] is None else asked["seed"]
    minutes = asked["minutes"]
    plan = Plan(
        subject=subject,
        data=payload.read(asked["data"]),
        kills=asked["kills"] or (_MANY if minutes else _KILLS),
        seconds=minutes * 60 if minutes else None,
        doubles=asked["doubles"] or asked["everything"],
        drops=asked["drops"] or asked["everything"],
        slow_store=asked["slow_store"] or asked["everything"],
        failing_store=asked["failing_store"] or asked["everything"],
        seed=seed,
    )
    folder = Path(mkdtemp(prefix="stratum-chaos-"))
    report = _held(face, plan, folder)
    _tell(face.screen, report)
    if report.violations or report.waited_for:
        face.screen.note(f"the copy is kept as evidence: {folder}")
        raise SystemExit(Exit.FAILED)
    _remove(folder)


def _held(face: Face, plan: "Plan", folder: Path) -> "Report":
    from stratum_orchestrator.cli.chaos.lives import NoLife, NotReady
    from stratum_orchestrator.startup import first

    why: Exception | None = None
    try:
        return anyio.run(_hold, face, plan, folder)
    except* (NoLife, NotReady, Stop) as group:
        why = first(group)  # raised in here, some versions of Python wrap it in a group again
    if isinstance(why, Stop):
        _remove(folder)
        raise why
    raise Stop(str(why), remedy=f"the seed was {plan.seed}", code=Exit.FAILED)


async def _hold(face: Face, plan: "Plan", folder: Path) -> "Report":
    from stratum_orchestrator.cli.chaos import scratch, trial
    from stratum_orchestrator.cli.workspace import read_settings

    settings = await read_settings(face)
    project = face.folder.absolute()
    return await trial.hold(plan, folder, scratch.copy_project(project, settings, folder))


def _remove(folder: Path) -> None:
    for inner in folder.rglob("*"):
        if inner.is_dir() and not inner.is_symlink():
            inner.chmod(0o700)  # unpacked definitions are read-only
    rmtree(folder)


def _tell(screen: Screen, report: "Report") -> None:
    told = _told(report)
    if not screen.for_people:
        screen.value(told)
        return
    tally = report.tally
    screen.fields(
        {
            "kills": f"{tally.kills} of the daemon, {tally.broker_kills} of the broker",
            "at points": _counts(tally.points),
            "freezes": str(tally.freezes),
            "events": f"{report.events} stored: {_counts(report.verdicts)}",
            "runs": _counts(report.runs),
            **_mischief(report),
            "lost": f"{report.lost} attempts that a daemon did not survive",
            "back after": f"{tally.percentile(_P50):.2f} s (p50), "
            f"{tally.percentile(_P95):.2f} s (p95)",
            "seed": f"{report.seed} (repeat with --seed {report.seed})",
        }
    )
    if report.waited_for:
        screen.line(sign("failed", unicode=screen.unicode), f" {report.waited_for}")
    for violation in report.violations:
        screen.line(sign("failed", unicode=screen.unicode), f" {violation}")
    if not report.violations and not report.waited_for:
        screen.line(sign("ok", unicode=screen.unicode), Span(" every invariant holds", "good"))


def _mischief(report: "Report") -> Mapping[str, str]:
    done = {name: count for name, count in report.mischief.items() if count}
    if report.tally.ends:
        done["daemon ended of it"] = report.tally.ends
    said = ", ".join(f"{name} ({count})" for name, count in done.items())
    return {"mischief": said} if said else {}


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _told(report: "Report") -> Mapping[str, object]:
    tally = report.tally
    return {
        "seed": report.seed,
        "kills": tally.kills,
        "broker_kills": tally.broker_kills,
        "points": dict(tally.points),
        "mischief": dict(report.mischief),
        "ends": tally.ends,
        "freezes": tally.freezes,
        "events": report.events,
        "verdicts": dict(report.verdicts),
        "runs": dict(report.runs),
        "lost_attempts": report.lost,
        "recovery_p50_s": round(tally.percentile(_P50), 3),
        "recovery_p95_s": round(tally.percentile(_P95), 3),
        "settled": not report.waited_for,
        "violations": [str(each) for each in report.violations],
    }
