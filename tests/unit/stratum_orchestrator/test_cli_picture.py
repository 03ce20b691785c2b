from datetime import UTC, datetime

import pytest

from stratum_orchestrator.cli.ink import Span, clean, fit, inked, plain, width
from stratum_orchestrator.cli.marks import mark
from stratum_orchestrator.cli.moment import coarse, spent, when
from stratum_orchestrator.cli.portrait import Painter
from stratum_orchestrator.cli.story import story
from stratum_orchestrator.cli.watch import outcome
from stratum_orchestrator.client.answers import Event, Failure, Run, Step, Undo, Used
from stratum_state.model import (
    Compensation,
    CompensationStatus,
    RunStatus,
    StepStatus,
    VerdictKind,
)

NOW = datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC)


def at(second: int) -> str:
    return f"2026-01-01T12:00:{second:02d}.000Z"


def a_run(status: str = "compensated", **facts: object) -> Run:
    return Run(
        id="8204670000000aaaabbbbcccc",
        pipeline="shop",
        status=status,
        subject="events.order",
        event=Event(id="e1", time=at(0), publisher="UKEY", principal="ada"),
        plan="sha256:plan",
        accepted=at(0),
        stages=(("reserve", "screen"), ("charge",), ("ship",)),
        **facts,  # type: ignore[arg-type]
    )


UNDONE = a_run(
    started=at(1),
    ended=at(9),
    cause="charge failed",
    compensation="clean",
    steps=(
        Step("reserve", 0, "succeeded", 1, at(1), at(2), {"stock": 2}),
        Step("screen", 0, "succeeded", 1, at(1), at(3), {"risk": 0.1}),
        Step("charge", 1, "failed", 1, at(3), at(4), error=Failure("no money", 1, "exit")),
        Step(
            "charge", 1, "failed", 2, at(5), at(6), error=Failure("broke", 1), stderr="a\nb\n"
        ),
    ),
    compensations=(Undo("reserve", 0, "done", 1, "succeeded", at(7), at(8)),),
)


def test_a_run_is_drawn_stage_by_stage_and_undone_in_reverse() -> None:
    drawn = [plain(line) for line in Painter(now=NOW).run(UNDONE)]

    assert drawn == [
        "↩ shop  compensated  9.00s",
        "  run    8204670000000aaaabbbbcccc",
        "  event  events.order  by ada  e1",
        "  plan   sha256:plan",
        "",
        "   1 ┬ ✔ reserve  succeeded        1.00s  stock=2",
        "     └ ✔ screen   succeeded        2.00s  risk=0.1",
        "   2 ─ ✖ charge   failed           1.00s  attempt 2  broke",
        "       │ a",
        "       │ b",
        "   3 ─ · ship     not reached",
        "",
        "  ↩ undone, last stage first",
        "   1 ─ ↩ reserve  done             1.00s",
        "",
        "↩ compensated clean in 9.00s: charge failed",
    ]


def test_what_processes_used_is_shown_as_far_as_it_is_known() -> None:
    steps = (
        Step("reserve", 0, "succeeded", 1, at(1), at(2), resources=Used(900, 24 << 20)),
        Step("screen", 0, "succeeded", 1, at(1), at(2), resources=Used(10)),
    )

    drawn = [plain(line) for line in Painter(now=NOW).run(a_run("running", steps=steps))]

    assert any("1.00s  cpu 0.90s  24 MiB" in line for line in drawn)
    assert any(line.rstrip().endswith("1.00s  cpu 0.01s") for line in drawn)


def test_without_unicode_everything_is_ascii() -> None:
    drawn = [plain(line) for line in Painter(now=NOW, unicode=False).run(UNDONE)]

    assert all(line.isascii() for line in drawn)
    assert "x charge   failed" in drawn[7]


def test_what_has_not_begun_waits_while_the_run_goes_forward() -> None:
    alive = a_run("running", steps=(Step("reserve", 0, "started", 1, at(1)),))

    drawn = [plain(line) for line in Painter(now=NOW, moving=True).run(alive)]

    assert drawn[5].split() == ["1", "┬", drawn[5].split()[2], "reserve", "started", "9.00s"]
    assert "waiting" in drawn[6]


def test_a_story_tells_everything_once_in_order() -> None:
    beats = story(UNDONE)

    told = [plain(beat.line).split("  ", 2)[2] for beat in beats]
    assert [line.split("  ")[0] for line in told] == [
        "shop 8204670000000aaaabbbbcccc",
        "shop 8204670000000aaaabbbbcccc",
        "1 reserve",
        "1 screen",
        "1 reserve",
        "1 screen",
        "2 charge",
        "2 charge",
        "2 charge",
        "2 charge",
        "shop 8204670000000aaaabbbbcccc",
        "1 undo reserve",
        "1 undo reserve",
        "shop 8204670000000aaaabbbbcccc",
    ]
    assert len({beat.key for beat in beats}) == len(beats)


def test_foreign_text_cannot_steer_the_terminal() -> None:
    hostile = "\x1b]0;owned\x07 a\u202eb\x00c\nd\u2028e\x9b31mf\ud800"

    assert clean(hostile) == "]0;owned abc d e31mf"
    assert "\x1b" not in plain([Span(hostile)])
    assert inked([Span("\x1b[2J", "bad")]) == "\x1b[31;1m[2J\x1b[0m"


def test_a_line_is_cut_to_the_columns_that_there_are() -> None:
    line = [Span("status  "), Span("日本語 and more"), Span("   ")]

    assert plain(fit(line, 13)) == "status  日本…"
    assert width(plain(fit(line, 13))) <= 13
    assert plain(fit([Span("short"), Span("     ")], 5)) == "short"


@pytest.mark.parametrize("words", [RunStatus, StepStatus, CompensationStatus, VerdictKind])
def test_every_status_has_a_sign(
    words: type[RunStatus | StepStatus | CompensationStatus | VerdictKind],
) -> None:
    assert all(mark(each.value).sign != "?" for each in words)


def test_the_exit_code_tells_how_a_run_ended() -> None:
    ends = [
        a_run("completed"),
        a_run(compensation=Compensation.CLEAN.value),
        a_run(compensation=Compensation.PARTIAL.value),
        a_run("abandoned"),
    ]

    assert [outcome(each) for each in ends] == [0, 1, 3, 1]


def test_times_and_durations_read_well() -> None:
    assert [when(at(4), "relative", NOW), when(None, "utc", NOW)] == ["6s ago", "-"]
    assert [coarse(each) for each in (59, 61, 7200, 200000)] == ["59s", "1m", "2h", "2d"]
    assert [spent(NOW - NOW.replace(second=each)) for each in (9, 10)] == ["1.00s", "0.00s"]
