"""What the boundaries accept as JSON."""

import pytest

from stratum_orchestrator.strict_json import NotStrictJson, decode


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff{}", "is not UTF-8 (byte 0)"),
        (b'"\xed\xa0\x80"', "is not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"{", "line 1 column 2"),
        (b"{} {}", "Extra data"),
        (b'"\t"', "control character"),
        (b'{"a": NaN}', "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"1e999", "too large"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', 'the key "c" twice'),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'["\\u0000"]', "NUL"),
        (b"[" * 65 + b"]" * 65, "more than 64 levels"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "5000 digits"),
        (b"9007199254740993", "beyond ±2^53"),
        (b"-9007199254740993", "beyond ±2^53"),
    ],
)
def test_what_readers_could_understand_differently_is_refused(
    document: bytes, reason: str
) -> None:
    with pytest.raises(NotStrictJson) as refused:
        decode(document, safe_integers=True)

    assert reason in refused.value.reason


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b" {} \n", {}),
        (b'"\\ud83d\\ude00 \\u00e9"', "😀 é"),
        (b'{"": 1, "id": 2, "__proto__": 3}', {"": 1, "id": 2, "__proto__": 3}),
        (b"9007199254740992", 2**53),
        (b"[1.5, 1e20, -0.0, true, null]", [1.5, 1e20, -0.0, True, None]),
    ],
)
def test_ordinary_json_is_read_as_it_is(document: bytes, value: object) -> None:
    assert decode(document, safe_integers=True) == value


def test_nesting_up_to_the_limit_is_read() -> None:
    document = b"[" * 64 + b"]" * 64

    assert decode(document, safe_integers=True) != []


def test_large_integers_are_exact_where_they_are_allowed() -> None:
    assert decode(b"18446744073709551617", safe_integers=False) == 2**64 + 1
