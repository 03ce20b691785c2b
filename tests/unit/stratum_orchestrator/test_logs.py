import io
import json
import logging
from collections.abc import Iterator

import pytest

from stratum_orchestrator import logs
from stratum_orchestrator.execution.redaction import Redactor


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield io.StringIO()
    root.handlers[:], level = before
    root.setLevel(level)


def test_a_line_of_json_has_the_event_and_its_facts(stream: io.StringIO) -> None:
    logs.start("info", "json", stream)

    logging.getLogger("stratum_orchestrator.x").info(
        "run ended", extra={"run": "r1", "why": None}
    )

    line = json.loads(stream.getvalue())
    assert line["event"] == "run ended"
    assert line["run"] == "r1"
    assert "why" not in line
    assert line["ts"].endswith("Z")


def test_a_sentence_cannot_carry_control_characters(stream: io.StringIO) -> None:
    logs.start("info", "human", stream)

    logging.getLogger("stratum_state").warning("odd", extra={"name_of": "\x1b[2Jx\ny"})

    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_stream_that_is_no_terminal_gets_json(stream: io.StringIO) -> None:
    logs.start("info", "auto", stream)

    logging.getLogger("stratum_state").info("hello")

    assert json.loads(stream.getvalue())["event"] == "hello"


def test_below_the_level_nothing_is_said(stream: io.StringIO) -> None:
    logs.start("warning", "json", stream)

    logging.getLogger("platform_nats").info("hello")

    assert stream.getvalue() == ""


@pytest.mark.parametrize("form", ["human", "json"])
def test_what_is_under_the_veil_is_in_no_line(stream: io.StringIO, form: logs.Format) -> None:
    veil = logs.start("info", form, stream)
    log, secret = logging.getLogger("stratum_orchestrator.x"), 'hvs."\n' + "x" * 400

    with veil.over(Redactor({"TOKEN": secret}).text):
        try:
            {}[secret]
        except KeyError:
            log.exception("no %s", secret, extra={"why": f"no {secret}", "all": [secret]})
    log.warning("after")

    assert "xxxxxxxx" not in stream.getvalue()
    assert stream.getvalue().count("[redacted:TOKEN]") >= 4
    assert "after" in stream.getvalue()
