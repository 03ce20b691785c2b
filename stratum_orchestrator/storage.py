"""Where the records are, and with which key they are signed, as the settings say."""

from contextlib import AbstractAsyncContextManager

from platform_nats import credentials
from platform_nats.nkey import UserKey
from stratum_orchestrator.config import Settings
from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.home import DAEMON, Home, read_key
from stratum_orchestrator.mischief import NONE, Mischief
from stratum_state.head import Signer
from stratum_state.surreal import SurrealStore, Unrest, open_store


def database_url(settings: Settings, home: Home) -> str:
    """The database's address; without one in the settings, it is embedded in the home."""
    return settings.surrealdb.url or f"surrealkv://{home.database}"


def key(settings: Settings, home: Home, *, make: bool) -> UserKey:
    """The daemon's own key; HomeIncomplete, InvalidKey or OSError when it cannot be had."""
    if settings.nats.creds_file:
        return credentials.read(home.project / settings.nats.creds_file)
    if settings.nats.seed_file:
        return read_key(home.project / settings.nats.seed_file)
    return home.key(DAEMON, make=make)


def opening(
    settings: Settings,
    home: Home,
    signer: Signer | None = None,
    passed: Passed = UNARMED.passed,
    mischief: Mischief = NONE,
) -> AbstractAsyncContextManager[SurrealStore]:
    """The store of this home, to be opened; raises what `open_store` raises, and OSError."""
    place = settings.surrealdb
    password = home.project / place.password_file
    return open_store(
        database_url(settings, home),
        instance=f"{settings.instance.name}/{home.marker()}",
        namespace=place.namespace,
        database=place.database,
        ttl_s=settings.runs.takeover,
        passed=passed,
        unrest=Unrest(slow=mischief.slow, failing=mischief.failing),
        user=place.user or None,
        signer=signer,
        password=password.read_text().strip() if place.password_file else None,
    )
