"""The schema, brought forward to this version's and never back."""

from collections.abc import Sequence
from importlib import resources

from stratum_state.errors import Unavailable
from stratum_state.surreal.transport import Transport

STEPS: Sequence[str] = ("schema.surql",)
"""The files that lead from each version to the next; each can be run again after a crash."""


async def migrate(transport: Transport) -> None:
    """Bring the schema to the last version. Unavailable when it is of a later Stratum."""
    await transport.call("DEFINE TABLE IF NOT EXISTS meta SCHEMALESS PERMISSIONS NONE", {})
    (found,) = await transport.call("SELECT VALUE version FROM meta:schema", {})
    version = found[0] if isinstance(found, list) and found else 0
    if not isinstance(version, int) or version > len(STEPS):
        raise Unavailable(  # noqa: TRY003
            f"the store has schema version {version}, this Stratum knows {len(STEPS)}: "
            "start the Stratum that wrote it, or a later one"
        )
    for number, name in enumerate(STEPS[version:], start=version + 1):
        await transport.call(text(name), {}, within_s=300)
        await transport.call("UPSERT meta:schema SET version = $version", {"version": number})


async def reindex(transport: Transport) -> None:
    """Build the indexes anew: after a crash they may lack what the records have."""
    await transport.call("REBUILD INDEX IF EXISTS run_active ON run", {}, within_s=300)


def text(name: str) -> str:
    """The statements of one of the files."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
