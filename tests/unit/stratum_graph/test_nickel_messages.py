"""Nickel's error texts become a place and a message, whatever they hold."""

import pytest

from stratum_graph.definitions.messages import Sources, diagnose, field_names, meant

SOURCES = Sources(
    texts={"a.ncl": b"{\n  timeout = true,\n}\n", "lib.ncl": b"{ x = 1 }\n"},
    folder="/jail/src/",
    fields=frozenset({"timeout", "retry"}),
    importable=frozenset({"shared/caps.ncl"}),
)
COLORED = """\
\x1b[0m\x1b[1m\x1b[38;5;9merror\x1b[0m\x1b[1m: contract broken by the value of `timeout`\x1b[0m
  \x1b[36m┌─\x1b[0m /jail/lib/node.ncl:1:9
  │
1 │ { timeout | Number }
  │             ------ expected type
  │
  ┌─ /jail/src/a.ncl:2:13
  │
2 │   timeout = true,
  │             ^^^^ applied to this expression
"""


def test_colors_are_dropped_and_the_contract_is_named() -> None:
    assert str(diagnose(COLORED, "a.ncl", SOURCES)) == "a.ncl:2:13: `timeout`: expected Number"


def test_the_marked_place_wins_over_the_file_under_load() -> None:
    text = (
        "error: unexpected token\n  ┌─ /jail/src/lib.ncl:1:3\n  │\n1 │ { x = 1 }\n  │   ^\n"
        "  │\n  ┌─ /jail/src/a.ncl:1:1\n  │\n1 │ {\n  │ - imported here\n"
    )

    assert str(diagnose(text, "a.ncl", SOURCES)).startswith("lib.ncl:1:3: unexpected token")


@pytest.mark.parametrize("text", ["", "\n\n", "nonsense", "error: ", "error: x\n ┌─ b.ncl:9:9"])
def test_an_unforeseen_text_is_still_a_diagnostic(text: str) -> None:
    found = diagnose(text, "a.ncl", SOURCES)

    assert (found.file, found.line, found.column) == ("a.ncl", 1, 1)
    assert found.message


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    found = diagnose("error: evil\x1b]0;title\x07\u202etext", "a.ncl", SOURCES)

    assert found.message.isprintable()


def test_a_long_message_is_cut() -> None:
    assert len(diagnose("error: " + "x" * 10_000, "a.ncl", SOURCES).message) <= 600


@pytest.mark.parametrize(
    ("name", "said"),
    [("time_out", "did you mean `timeout`?"), ("retry", ""), ("zzz", "")],
)
def test_a_name_that_is_nearly_right_is_suggested(name: str, said: str) -> None:
    assert meant(name, SOURCES.fields) == said


def test_the_fields_of_a_contract_are_read_from_its_text() -> None:
    text = '{ a | doc "b | c" | Number, d-e\n | { f | Text }, g = x |> h, i || j }'

    assert field_names(text) == {"a", "d-e", "f"}
