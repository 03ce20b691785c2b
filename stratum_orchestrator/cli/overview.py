"""Everything at a glance: what `stratum top` reads, and how it looks."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from msgspec import to_builtins

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.ink import Line, Span, pad
from stratum_orchestrator.cli.marks import sign, word
from stratum_orchestrator.cli.moment import between, coarse, spent
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.client.answers import Check, Health, Instances, Lane, Run, Runs

_LIVE = 200
_LATELY = 10
_COUNTED = re.compile(
    r"^(stratum_(?:events_received|runs)_total)(?:\{[^}]*\})? (\S+)$", re.MULTILINE
)
_OLDEST = re.compile(r"^stratum_oldest_run_age_seconds (\S+)$", re.MULTILINE)
_SILENT_MS = 15_000


class Counted(NamedTuple):
    """How much there has been since the daemon's start, and when that was read."""

    events: float
    runs: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The daemon and its runs at one moment."""

    version: str
    instance: str
    checks: tuple[Check, ...]
    lanes: tuple[Lane, ...]
    live: tuple[Run, ...]
    live_runs: int
    """Of this instance; `live` shows those of all, the newest."""
    undone: tuple[Run, ...]
    """That failed, newest first."""
    needy: tuple[Run, ...]
    oldest_s: float
    counted: Counted
    events_a_second: float | None = None
    runs_a_second: float | None = None

    @property
    def ready(self) -> bool:
        return all(check.ok for check in self.checks)

    def told(self) -> object:
        """The same for programs."""
        kept = asdict(self) | {"ready": self.ready}
        del kept["counted"]
        return to_builtins(kept)


def look(daemon: Daemon, before: Counted | None) -> Glance:
    """What is now; with rates since the look before."""
    status, _ = daemon.ask("/api/v1/status", Health)
    lanes, _ = daemon.ask("/api/v1/instances", Instances)
    live, _ = daemon.ask("/api/v1/runs", Runs, {"live": "true", "limit": _LIVE})
    undone, _ = daemon.ask("/api/v1/runs", Runs, {"status": "compensated", "limit": _LATELY})
    needy, _ = daemon.ask("/api/v1/runs", Runs, {"attention": "true", "limit": _LATELY})
    text = daemon.read("/metrics")
    counted = _counted(text)
    passed = counted.at - before.at if before else 0
    age = _OLDEST.search(text)
    return Glance(
        version=status.version,
        instance=status.instance,
        checks=status.checks,
        lanes=lanes.instances,
        live=live.runs,
        live_runs=status.live_runs,
        undone=undone.runs,
        needy=needy.runs,
        oldest_s=float(age[1]) if age else 0.0,
        counted=counted,
        events_a_second=_rate(counted.events, before.events, passed) if before else None,
        runs_a_second=_rate(counted.runs, before.runs, passed) if before else None,
    )


def picture(glance: Glance, screen: Screen) -> list[Line]:
    """The whole overview in lines."""
    return [
        *_head(glance, screen),
        *_instances(glance, screen),
        *_listed("under way", glance.live, screen),
        *_listed("failed lately", glance.undone, screen),
        *_listed("need a person", glance.needy, screen),
    ]


def _head(glance: Glance, screen: Screen) -> Iterator[Line]:
    ready = "ok" if glance.ready else "fail"
    yield [
        sign(ready, unicode=screen.unicode),
        Span(f" {glance.instance}", "strong"),
        Span("  ready" if glance.ready else "  not ready", "good" if glance.ready else "bad"),
        Span(f"  stratum {glance.version}", "dim"),
    ]
    yield [
        Span("  rate   ", "dim"),
        Span(f"{_told(glance.events_a_second)} events/s  "),
        Span(f"{_told(glance.runs_a_second)} runs ended/s"),
    ]
    more = "+" if len(glance.live) == _LIVE else ""
    back = sum(run.status == "compensating" for run in glance.live)
    yield [
        Span("  runs   ", "dim"),
        Span(f"{len(glance.live)}{more} under way  {back} compensating  "),
        Span(f"oldest {coarse(glance.oldest_s)}" if glance.live else ""),
    ]
    for check in glance.checks:
        if not check.ok:
            yield [Span("  failed ", "bad"), Span(f"{check.name}: {check.detail}")]


def _instances(glance: Glance, screen: Screen) -> Iterator[Line]:
    by_name: dict[str, list[Lane]] = {}
    for lane in glance.lanes:
        by_name.setdefault(lane.instance or "nobody", []).append(lane)
    for name, lanes in by_name.items():
        heard = min(each.heard_ms for each in lanes)
        silent = heard > _SILENT_MS
        yield [
            Span("  lanes  ", "dim"),
            sign("warn" if silent else "ok", unicode=screen.unicode),
            Span(f" {name}", "strong"),
            Span(f"  {len(lanes)} lane{'s' * (len(lanes) > 1)}"),
            Span(f"  heard {coarse(heard / 1000)} ago", "warn" if silent else "dim"),
        ]


def _listed(title: str, runs: Sequence[Run], screen: Screen) -> Iterator[Line]:
    if not runs:
        return
    yield []
    yield [Span(f"  {title}", "head")]
    columns = max(len(run.pipeline) for run in runs)
    for run in runs:
        how = "partial" if run.compensation == "partial" else run.status
        why = run.attention.reason if run.attention else run.cause or ""
        yield [
            Span("  "),
            sign(how, unicode=screen.unicode),
            Span(f" {run.id}  "),
            word(run.status, len("compensating") + 2),
            Span(pad(run.pipeline, columns), "strong"),
            Span(f"  {spent(between(run.accepted, run.ended, screen.now())):>8}", "dim"),
            Span(f"  {screen.when(run.accepted)}", "dim"),
            Span(f"  {why}"),
        ]


def _counted(text: str) -> Counted:
    sums = {"stratum_events_received_total": 0.0, "stratum_runs_total": 0.0}
    for name, value in _COUNTED.findall(text):
        sums[name] += float(value)
    events, runs = sums.values()
    return Counted(events, runs, time.monotonic())


def _rate(now: float, before: float, passed: float) -> float | None:
    # a daemon that was started again counts anew
    return max(0.0, now - before) / passed if passed > 0 else None


def _told(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1f}"
