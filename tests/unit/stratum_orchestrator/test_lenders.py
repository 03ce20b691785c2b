"""Who lends values, as the settings say, and which settings are refused with the remedy."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stratum_orchestrator import lenders
from stratum_orchestrator.auth.dev_file import read_values
from stratum_orchestrator.auth.errors import BadProvider, BadValuesFile
from stratum_orchestrator.auth.vault import server
from stratum_orchestrator.config import Credentials
from stratum_orchestrator.lenders import Place

SECRET = "c4n4ry-in-a-file"  # noqa: S105 - nobody's


def place(folder: Path, *, dev: bool = False, **settings: object) -> Place:
    chosen = Credentials(**settings)  # type: ignore[arg-type]
    return Place(settings=chosen, project=folder, folder=folder, dev=dev)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"provider": "dev-file", "values_file": "values.json"}, "use `vault`"),
        ({"provider": "openbao-dev"}, "it is for `dev`"),
        ({"provider": "vault"}, r"credentials\.url: is needed"),
        ({"provider": "vault", "url": "http://vault.example:8200"}, "use https"),
        ({"provider": "vault", "url": "https://vault.example"}, r"secret_file: is needed"),
        (
            {"provider": "vault", "url": "https://vault.example", "secret_file": "x"},
            r"credentials\.role: is needed",
        ),
    ],
)
async def test_what_is_for_laptops_or_not_whole_serves_nobody(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    values(tmp_path)

    with pytest.raises(BadProvider, match=told):
        async with lenders.opening(place(tmp_path, **settings)):
            pass


def test_without_a_provider_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find", lambda: None)

    assert lenders.provider(Credentials(), dev=True) == "none"
    assert "stratum[openbao]" in lenders.missing(Credentials(), dev=True)
    assert "credentials.url" in lenders.missing(Credentials(), dev=False)


def test_a_laptop_with_openbao_has_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find", lambda: Path("/bin/bao"))

    assert lenders.provider(Credentials(), dev=True) == "openbao-dev"
    assert lenders.provider(Credentials(), dev=False) == "none"
    assert lenders.missing(Credentials(), dev=True) == ""


def values(folder: Path) -> Path:
    file = folder / "values.json"
    file.write_text(json.dumps({"secret/a": {"token": SECRET}}))
    file.chmod(0o600)
    return file


def others_can_read(file: Path) -> None:
    file.chmod(0o640)


def is_a_link(file: Path) -> None:
    file.symlink_to(file.rename(file.with_name("elsewhere")))


def is_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def is_no_map(file: Path) -> None:
    file.write_text(json.dumps({"secret/a": SECRET}))


def is_cut_short(file: Path) -> None:
    file.write_text(file.read_text()[:-3])


def nests_deep(file: Path) -> None:
    file.write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (others_can_read, "chmod 600"),
        (is_a_link, "cannot be read"),
        (is_a_pipe, "has to be a file"),
        (is_no_map, "has to be JSON"),
        (is_cut_short, "has to be JSON"),
        (nests_deep, "has to be JSON"),
    ],
)
async def test_a_file_of_values_is_ours_alone_or_not_used(
    tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    file = values(tmp_path)
    assert read_values(file) == {"secret/a": {"token": SECRET}}

    spoil(file)

    with pytest.raises(BadValuesFile, match=told) as refused:
        read_values(file)
    assert SECRET not in str(refused.value)
