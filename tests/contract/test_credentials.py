"""What every credential provider does: the meaning of the port."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from stratum_graph.model import Credential
from stratum_orchestrator.auth.dev_file import DevFileBroker
from stratum_orchestrator.auth.nobody import NoBroker
from stratum_orchestrator.auth.vault.broker import vault_broker
from stratum_orchestrator.auth.vault.dev import openbao_dev, supply
from stratum_orchestrator.auth.vault.login import AppRole
from stratum_orchestrator.errors import CredentialsDenied
from stratum_orchestrator.ports import CredentialBroker
from support.lending import a_running_vault
from support.vault import CANARY, PATH, Vault, a_claim, needs_openbao

PROVIDERS = [
    pytest.param("vault", marks=needs_openbao),
    pytest.param("openbao-dev", marks=needs_openbao),
    "dev-file",
]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with a_running_vault(tmp_path_factory.mktemp("vault")) as vault:
        yield vault


@asynccontextmanager
async def on_vault(vault: Vault, folder: Path) -> AsyncIterator[CredentialBroker]:
    role, secret = vault.use_approle(folder)
    way = AppRole(mount="approle", role_id=role, secret_id_file=secret, wrapped=False)
    async with vault_broker(vault.api, way) as broker:
        yield broker


@asynccontextmanager
async def on_file(folder: Path) -> AsyncIterator[CredentialBroker]:
    yield DevFileBroker(values(folder))


def values(folder: Path) -> Path:
    file = folder / "values.json"
    file.write_text(json.dumps({PATH: {"token": CANARY}}))
    file.chmod(0o600)
    return file


def opening(
    request: pytest.FixtureRequest, folder: Path
) -> AbstractAsyncContextManager[CredentialBroker]:
    match request.param:
        case "vault":
            return on_vault(request.getfixturevalue("vault"), folder)
        case "openbao-dev":
            return openbao_dev(folder, supply(values(folder)))
        case _:
            return on_file(folder)


@pytest.fixture(params=PROVIDERS)
async def broker(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[CredentialBroker]:
    async with opening(request, tmp_path) as broker:
        assert broker.provider == request.param
        yield broker


async def test_a_claim_is_granted_for_long_enough_and_read(broker: CredentialBroker) -> None:
    claim = a_claim()

    grant = await broker.grant(claim)
    found = await broker.read(claim, grant)

    assert found == {"DEPLOY_TOKEN": CANARY}
    assert claim.runs_s <= grant.lasts_s <= claim.lasts_s


async def test_what_is_shown_of_a_grant_does_not_hold_its_key(
    broker: CredentialBroker,
) -> None:
    grant = await broker.grant(a_claim())

    assert not grant.key or grant.key not in repr(grant)


async def test_what_can_be_ended_is_worth_nothing_afterwards(broker: CredentialBroker) -> None:
    claim = a_claim()
    grant = await broker.grant(claim)
    if grant.accessor is None:
        pytest.skip("nothing can be ended here")

    await broker.revoke(grant.accessor)
    await broker.revoke(grant.accessor)

    with pytest.raises(CredentialsDenied):
        await broker.read(claim, grant)


async def test_ending_what_nobody_has_is_no_error(broker: CredentialBroker) -> None:
    await broker.revoke("nobody-has-this")


async def test_a_field_that_is_not_there_is_denied(broker: CredentialBroker) -> None:
    if broker.provider == "openbao-dev":
        pytest.skip("it lays down what it is asked for")
    claim = a_claim(Credential(name="x", env="X", path=PATH, field="user"))
    grant = await broker.grant(claim)

    with pytest.raises(CredentialsDenied):
        await broker.read(claim, grant)


async def test_without_a_provider_everything_is_denied_with_the_remedy() -> None:
    broker = NoBroker("set credentials.provider")

    with pytest.raises(CredentialsDenied, match=r"set credentials\.provider"):
        await broker.grant(a_claim())
