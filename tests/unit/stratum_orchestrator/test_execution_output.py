"""What a script may say on stdout, and what it is told when it says something else."""

import pytest

from stratum_orchestrator.execution.errors import BadOutput
from stratum_orchestrator.execution.output import read


@pytest.mark.parametrize("stdout", [b"", b"\n", b"{}", b" {} \n"])
def test_silence_and_an_empty_object_mean_no_outputs(stdout: bytes) -> None:
    assert read(stdout) == {}


def test_one_object_is_the_outputs() -> None:
    stdout = b'{"checked-code": {\n  "warnings": 0\n}}\n'

    assert read(stdout) == {"checked-code": {"warnings": 0}}


@pytest.mark.parametrize(
    ("stdout", "hint"),
    [
        (b'{"a": 1}\n{"b": 2}\n', "2 JSON objects"),
        (b'checking\n{"a": 1}\n', "print --stderr"),
        (b'{"a": 1}\nfinished\n', "other text"),
        (b"hello\n", '("hello")'),
        ("╭───┬───╮\n│ a │ 1 │\n╰───┴───╯\n".encode(), "to json"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": ', "not JSON"),
        (b"[1]", "an array"),
        (b"null", "null"),
        (b"12", "value"),
        (b"[" * 5000, "nested"),
    ],
)
def test_anything_else_is_refused_with_a_hint(stdout: bytes, hint: str) -> None:
    with pytest.raises(BadOutput) as refused:
        read(stdout)

    assert hint in str(refused.value)
