"""The search for secrets that ends each daemon of a test can fail, and says where."""

from pathlib import Path

import pytest

from platform_nats.nkey import UserKey
from support import confidential
from support.confidential import confide, look, unguarded
from support.notations import notations

PROSE = 'pl4nted "Öl/\\+=&% 8Vd?Qw'


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what these tests confide."""
    monkeypatch.setattr(confidential, "KNOWN", {})


def found(folder: Path) -> set[str]:
    """The files below in which something is, by name."""
    return {Path(hit.rpartition(" in ")[2]).name for hit in look([folder]).hits}


def test_every_notation_is_found_in_whatever_surrounds_it(tmp_path: Path) -> None:
    confide(PROSE, "a prose")
    for number, form in enumerate(notations(PROSE)):
        (tmp_path / str(number)).write_bytes(b"\0\xffbefore" + form + b"behind\n\0")

    assert found(tmp_path) == {str(number) for number in range(len(notations(PROSE)))}


@pytest.mark.parametrize(
    "text",
    [
        UserKey.generate().seed(),
        "stratum_84LmtYvxQSZxnNrYBD1IdPG0oMrF8M-dBF8Bf0Owsyk",
        "s.CAESIKJSe1mKjdQkVNQuW5Wc1n",
        "-----BEGIN EC PRIVATE KEY-----",
    ],
    ids=["seed", "API token", "vault token", "private key"],
)
def test_what_looks_like_a_secret_is_found_though_nobody_confided_it(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "log").write_text(f'{{"why": "{text}"}}')

    assert found(tmp_path) == {"log"}


def test_files_that_hold_a_secret_by_design_have_to_be_guarded(tmp_path: Path) -> None:
    keys = tmp_path / ".stratum" / "keys"
    keys.mkdir(parents=True)
    (keys / "daemon.nk").write_text(seed := UserKey.generate().seed())
    (keys / "daemon.nk").chmod(0o640)
    (keys / "elsewhere").write_text(seed)

    assert found(tmp_path) == {"elsewhere"}
    assert unguarded(tmp_path) == [keys / "daemon.nk"]


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    confide(PROSE, "a prose")
    (tmp_path / "log").write_text("it is [redacted:PROSE], sha256:" + "0a" * 32)

    looked = look([tmp_path, tmp_path / "missing"])

    assert (looked.hits, looked.needles > 10, looked.size > 0) == ((), True, True)


def test_what_would_be_found_by_chance_cannot_be_confided() -> None:
    with pytest.raises(AssertionError, match="may be found by chance"):
        confide("open sesame", "a password")
