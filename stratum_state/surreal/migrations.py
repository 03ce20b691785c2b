"""The schema, brought forward to this version's and never back."""

from collections.abc import Mapping, Sequence
from importlib import resources

from stratum_state.errors import NewerSchema
from stratum_state.surreal.transport import Transport, insist

STEPS: Sequence[str] = (
    "schema.surql",
    "schema-2.surql",
    "schema-3.surql",
    "schema-4.surql",
    "schema-5.surql",
    "schema-6.surql",
    "schema-7.surql",
    "schema-8.surql",
    "schema-9.surql",
    "schema-10.surql",
)
"""The files that lead from each version to the next; each can be run again after a crash."""

_INDEXES: Mapping[str, str] = {
    "run_active": "run",
    "run_due": "run",
    "run_unresolved": "run",
    "credential_lease_open": "credential_lease",
    "checkpoint_open": "checkpoint",
}


async def migrate(transport: Transport) -> None:
    """Bring the schema to the last version. NewerSchema when it is of a later Stratum."""
    await insist(transport, "DEFINE TABLE IF NOT EXISTS meta SCHEMALESS PERMISSIONS NONE", {})
    version = await check(transport)
    for number, name in enumerate(STEPS[version:], start=version + 1):
        await insist(transport, text(name), {})
        await _say(transport, number)


async def check(transport: Transport) -> int:
    """The version of the schema. NewerSchema when it is of a later Stratum."""
    (found,) = await transport.call("SELECT VALUE version FROM meta:schema", {})
    version = found[0] if isinstance(found, list) and found else 0
    if not isinstance(version, int) or version > len(STEPS):
        raise NewerSchema(version, len(STEPS))
    return version


async def impose(transport: Transport) -> None:
    """Define the last version over records that are there already: those it does not judge."""
    for name in STEPS:
        await insist(transport, text(name).replace("IF NOT EXISTS", "OVERWRITE"), {})
    await _say(transport, len(STEPS))


async def _say(transport: Transport, version: int) -> None:
    said = {"version": version}
    await insist(transport, "UPSERT meta:schema SET version = $version", said)


async def reindex(transport: Transport) -> None:
    """Build the indexes anew: after a crash they may lack what the records have."""
    for index, table in _INDEXES.items():
        await insist(transport, f"REBUILD INDEX IF EXISTS {index} ON {table}", {})


def text(name: str) -> str:
    """The statements of one of the files."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
