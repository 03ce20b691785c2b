"""No secret gets into what is recorded, however it is written and in whatever pieces."""

import base64
import html
import json
import re
import shlex
import string
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Unpack
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, strategies as st

from stratum_orchestrator.execution.errors import CannotStart
from stratum_orchestrator.execution.pipes import Tail
from stratum_orchestrator.execution.process import Course
from stratum_orchestrator.execution.redaction import Redactor
from stratum_orchestrator.execution.verdict import STDERR_KEPT, judge
from stratum_orchestrator.ports import Ended, Kind, Resources
from support.scripts import Wishes, command

TOKEN = 'hvs.CAESIJ+/5v7Yq0Kx"é\\n-Zt9'  # noqa: S105 - opens nothing
_ALPHABET = string.ascii_letters + string.digits + string.punctuation + " é€"
_FRAGMENT = 8
_EDGES = 80  # what stands around a secret in base64, and the name in its place

Writing = Callable[[bytes], bytes]
WRITINGS: Mapping[str, Writing] = {
    "raw": bytes,
    "json": lambda raw: json.dumps(raw.decode()).encode(),
    "json as it is": lambda raw: json.dumps(raw.decode(), ensure_ascii=False).encode(),
    "url": lambda raw: quote(raw, safe="").encode(),
    "url path": lambda raw: quote(raw).encode(),
    "form": lambda raw: quote_plus(raw).encode(),
    "every byte": lambda raw: b"".join(b"%%%02x" % each for each in raw),
    "hex": lambda raw: raw.hex().encode(),
    "HEX": lambda raw: raw.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64, one byte before": lambda raw: base64.b64encode(b":" + raw + b"@host"),
    "base64, two bytes before": lambda raw: base64.b64encode(b"u:" + raw + b"@"),
    "base64 for names": lambda raw: base64.urlsafe_b64encode(b"user:" + raw),
    "base64 in lines": lambda raw: base64.encodebytes(b"user:" + raw + b":" * 30),
    "base64 in a URL": lambda raw: quote(base64.b64encode(b"user:" + raw), safe="").encode(),
    "base32": base64.b32encode,
    "url's user": lambda raw: quote(raw, safe="!$&'()*+,;=:").encode(),
    "url twice": lambda raw: quote(quote(raw, safe="")).encode(),
    "script's url": lambda raw: quote(raw, safe="!*'()").encode(),
    "markup": lambda raw: html.escape(raw.decode()).encode(),
    "markup by number": lambda raw: b"".join(b"&#%d;" % ord(x) for x in raw.decode()),
    "csv": lambda raw: raw.replace(b'"', b'""'),
    "sql": lambda raw: raw.replace(b"'", b"''"),
    "shell": lambda raw: shlex.quote(raw.decode()).encode(),
    "shell's trace": lambda raw: raw.replace(b"'", b"'\\''"),
    "python": lambda raw: repr(raw).encode(),
    "slashes": lambda raw: re.sub(r"(\W)", r"\\\1", raw.decode()).encode(),
}

secrets = st.text(_ALPHABET, min_size=12, max_size=120).map(str.strip)
secrets = secrets.filter(lambda text: len(text) >= 12)


class Written(NamedTuple):
    """What a step has written."""

    stdout: bytes = b"{}"
    stderr: bytes = b""
    cuts: Sequence[int] = ()
    status: int = 0


def ended(secret: str, written: Written, **wishes: Unpack[Wishes]) -> Ended:
    """How a step with the secret ends that has written this."""
    redactor = Redactor({"TOKEN": secret})
    tail = Tail(STDERR_KEPT + 1 + redactor.margin)
    for start, end in zip([0, *written.cuts], [*written.cuts, None], strict=True):
        tail.add(written.stderr[start:end])
    data, lost = tail.kept()
    course = Course(
        status=written.status,
        timed_out=False,
        overflowed=False,
        stdout=written.stdout,
        stderr=data,
        stderr_lost=lost,
        resources=Resources(cpu_ms=1, max_rss=0, wall_ms=1),
    )
    return judge(command("run.nu", **wishes), course, "limits", redactor)


def fragments(text: str) -> set[str]:
    return {text[n : n + _FRAGMENT] for n in range(len(text) - _FRAGMENT + 1)}


@pytest.mark.parametrize("writing", WRITINGS)
@given(data=st.data(), secret=secrets)
def test_no_part_of_a_secret_is_left_in_stderr(
    writing: str, data: st.DataObject, secret: str
) -> None:
    written = WRITINGS[writing](secret.encode())
    around = data.draw(st.binary(max_size=40).map(lambda some: some.hex(" ").encode()))
    stderr = around + b"|" + written + b"|" + around
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stderr)), max_size=9)))

    said = ended(secret, Written(stderr=stderr, cuts=cuts)).stderr

    assert "[redacted:TOKEN]" in said
    assert not fragments(said) & fragments(secret)
    assert len(said) < 2 * len(around) + _EDGES


@given(secret=secrets, before=st.integers(0, 200), after=st.integers(0, 200))
def test_no_part_of_a_secret_is_left_where_stderr_was_cut(
    secret: str, before: int, after: int
) -> None:
    stderr = b"." * before + secret.encode() + b"," * (STDERR_KEPT - 100 + after)

    said = ended(secret, Written(stderr=stderr)).stderr

    assert not fragments(said) & fragments(secret)
    assert said.count(",") == min(STDERR_KEPT, STDERR_KEPT - 100 + after)


@given(secret=secrets, length=st.integers(0, 120))
def test_a_secret_that_was_never_finished_is_one(secret: str, length: int) -> None:
    said = ended(secret, Written(stderr=b"> " + secret.encode()[:length], status=-9)).stderr

    assert not fragments(said) & fragments(secret)


@given(
    unit=st.text("ab", min_size=1, max_size=3),
    times=st.integers(8, 12),
    more=st.integers(0, 40),
)
def test_a_secret_that_overlaps_with_itself_is_covered(
    unit: str, times: int, more: int
) -> None:
    secret = unit * times

    said = ended(secret, Written(stderr=(unit * (times + more)).encode())).stderr

    assert not fragments(said) & fragments(secret)


@pytest.mark.parametrize("width", [20, 40, 76])
def test_what_nushell_wraps_in_its_reports_is_found(width: int) -> None:
    secret = "hvs." + string.ascii_letters * 3
    lines = textwrap.wrap(f"no entry with {secret} today", width)
    report = "Error: \n  x " + "\n  | ".join(lines) + "\n"

    failed = ended(secret, Written(stderr=report.encode(), status=1))

    assert failed.failure is not None
    assert "[redacted:TOKEN]" in failed.failure.message
    assert not fragments(failed.stderr + failed.failure.message) & fragments(secret)


@pytest.mark.parametrize("secret", ["hvs." + string.ascii_letters * 3, "a pass phrase " * 9])
@pytest.mark.parametrize("width", [12, 40, 76])
def test_what_nushell_wraps_in_the_cells_of_its_tables_is_found(
    width: int, secret: str
) -> None:
    lines = textwrap.wrap(secret, width)
    rows = [f"│ {'0' if not n else ' '} │ {x:<{width}} │ b │" for n, x in enumerate(lines)]

    said = ended(secret, Written(stderr="\n".join(["╭───╮", *rows, "╰───╯"]).encode())).stderr

    assert "[redacted:TOKEN]" in said
    assert not fragments(said) & fragments(secret)


@pytest.mark.parametrize(
    "unit",
    ["%", "%2", "\\", "\\u", "&", "&#", "│", "│ x", " ", "\n", "| ", "\n│ │ x", "│a│b\n│c\n"],
)
def test_whatever_a_step_repeats_the_daemon_goes_on(unit: str) -> None:
    stderr = (unit * STDERR_KEPT)[:STDERR_KEPT].encode()

    assert ended(TOKEN, Written(stderr=stderr + TOKEN.encode())).stderr.endswith("TOKEN]")


def test_a_key_of_many_lines_is_found_whole_and_line_by_line() -> None:
    lines = [base64.b64encode(bytes([n]) * 48).decode() for n in range(5)]
    secret = "-----BEGIN KEY-----\r\n" + "\r\n".join(lines) + "\r\n-----END KEY-----\r\n"

    whole = ended(secret, Written(stderr=secret.encode())).stderr
    single = ended(secret, Written(stderr=f"line: {lines[3]}".encode())).stderr

    assert whole.strip() == "[redacted:TOKEN]"
    assert single == "line: [redacted:TOKEN]"


def test_a_terminal_sequence_hides_no_secret() -> None:
    colored = f"\x1b[31m{TOKEN[:9]}\x1b[0m{TOKEN[9:]}"

    assert ended(TOKEN, Written(stderr=colored.encode())).stderr == "[redacted:TOKEN]"


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_secret_on_stdout_fails_the_step(writing: str) -> None:
    text = WRITINGS[writing](TOKEN.encode()).decode()
    stdout = json.dumps({"deployed": [{"url": text}]}, ensure_ascii=False).encode()

    failed = ended(TOKEN, Written(stdout=stdout))

    assert failed.failure is not None
    assert failed.failure.error_class == "secret-leak"
    assert "TOKEN" in failed.failure.message
    assert failed.outputs is None


def test_no_way_of_escaping_gets_a_secret_past() -> None:
    escaped = "".join(f"\\u{ord(each):04X}" for each in TOKEN)

    failed = ended(TOKEN, Written(stdout=f'{{"a": "{escaped}"}}'.encode()))

    assert failed.failure is not None
    assert failed.failure.error_class == "secret-leak"


def test_a_node_may_have_its_outputs_masked_instead() -> None:
    stdout = json.dumps({"a": [f"Bearer {TOKEN}", 1], TOKEN: None}).encode()

    passed = ended(TOKEN, Written(stdout=stdout), on_leak="redact")

    assert passed.failure is None
    assert passed.outputs == {"a": ["Bearer [redacted:TOKEN]", 1], "[redacted:TOKEN]": None}


def test_what_was_undone_is_undone_whatever_it_says() -> None:
    undone = ended(TOKEN, Written(stdout=json.dumps({"a": TOKEN}).encode()), kind=Kind.UNDO)

    assert undone.failure is None
    assert undone.outputs == {"a": "[redacted:TOKEN]"}


def test_what_is_not_json_is_quoted_without_secrets() -> None:
    failed = ended(TOKEN, Written(stdout=f"token: {TOKEN}".encode()))

    assert failed.failure is not None
    assert failed.failure.error_class == "bad-output"
    assert "[redacted:TOKEN]" in failed.failure.message


def test_output_without_a_secret_stays_as_it_is() -> None:
    told = Written(stdout=b'{"a": "hvs."}', stderr="a\n  | b é\n\n".encode())

    passed = ended(TOKEN, told)

    assert (passed.outputs, passed.stderr) == ({"a": "hvs."}, told.stderr.decode())


@pytest.mark.parametrize("value", ["", "12345", "  1234  ", "\n\n\n\n\n\n\n\n"])
def test_a_value_that_is_found_everywhere_is_refused(value: str) -> None:
    with pytest.raises(CannotStart, match="TOKEN has less than 6 bytes"):
        Redactor({"TOKEN": value})
