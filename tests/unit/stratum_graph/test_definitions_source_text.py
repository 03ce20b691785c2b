"""What the text of a Nickel file tells before it is evaluated."""

import pytest

from stratum_graph.definitions.source_text import Place, place_of_field, survey


def imported(text: str) -> list[tuple[str, bool]]:
    """Paths in the text, and whether each is allowed."""
    return [(found.path, not found.problem) for found in survey(text.encode()).imports]


@pytest.mark.parametrize("path", ["a.ncl", "shared/a.ncl", "data.json", "_a-b.c.ncl"])
def test_plain_relative_paths_are_allowed(path: str) -> None:
    assert imported(f'import "{path}"') == [(path, True)]


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../a.ncl", "a/../b", "a\\b", "%{x}", ".hidden", "", "a//b", "ä.ncl"],
)
def test_other_paths_are_refused(path: str) -> None:
    assert imported(f'import "{path}"') == [(path, False)]


@pytest.mark.parametrize(
    "text",
    [
        'import\n\n  "a"',
        'import # why\n"a"',
        'import # import "b\n # more\n\n  "a"',
        'x#\nimport"a"',
        '{ a = "# import", b = import "a" }',
        '"%{import "a"}"',
        '"#", import # \n "a"',
    ],
)
def test_an_import_is_found_however_it_is_written(text: str) -> None:
    assert ("a", True) in imported(text)


@pytest.mark.parametrize("text", ['important "a"', 'x-import "a"', 'import_ "a"', "'import"])
def test_other_words_are_no_imports(text: str) -> None:
    assert imported(text) == []


def test_a_name_in_a_fenced_string_is_refused() -> None:
    assert imported('import m%"a"%') == [("a", False)]


def test_hostile_text_is_surveyed_in_linear_time() -> None:
    found = survey(b"#import\n" * 60_000 + b"import#" * 60_000 + b'm%"' * 60_000)

    assert found.imports == ()


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("{ a = [1, (2)] }", 3),
        ('"[[[["', 0),
        ("# {{{\n[]", 1),
        ('m%"{{ "[" }}"% [', 1),
        (r'"\"[" []', 1),
        ("]]] [", 1),
    ],
)
def test_nesting_counts_brackets_of_code(text: str, depth: int) -> None:
    assert survey(text.encode()).nesting == depth


def test_bytes_that_are_no_text_are_told() -> None:
    assert survey(b"\xff\xfe").garbled.startswith("not UTF-8 text")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{\n  time_out = 3,\n}", Place(2, 3)),
        ("{ retry.time_out = 3 }", Place(1, 9)),
        ('{ "time_out" = 3 }', Place(1, 3)),
        ('{ a = "time_out = 1", time_out = 3 }', Place(1, 23)),
        ("# time_out = 1\n{ time_out | default = 3 }", Place(2, 3)),
        ("{ my_time_out = 3 }", None),
    ],
)
def test_a_field_is_found_where_it_is_set(text: str, place: Place | None) -> None:
    assert place_of_field(text, "time_out") == place
