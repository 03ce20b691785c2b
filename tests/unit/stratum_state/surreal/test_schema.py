"""The schema holds the same tables of moves as the model."""

from collections.abc import AsyncIterator, Mapping, Set as AbstractSet
from typing import cast

import pytest

from stratum_state.checkpoint import (
    ANSWER_BEGINNINGS,
    CHECKPOINT_BEGINNINGS,
    CHECKPOINT_MOVES,
)
from stratum_state.credential import CREDENTIAL_BEGINNINGS, CREDENTIAL_MOVES
from stratum_state.model import (
    COMPENSATION_BEGINNINGS,
    COMPENSATION_MOVES,
    RUN_BEGINNINGS,
    RUN_MOVES,
    STEP_BEGINNINGS,
    STEP_MOVES,
)
from stratum_state.surreal import migrations, replies
from stratum_state.surreal.cbor import Id
from support import engines
from support.engines import Faulty

MOVE = "UPDATE $id SET status = $status"
FIELDS: Mapping[str, Mapping[str, object]] = {
    "run": dict.fromkeys(
        (
            *("lane", "identity", "pipeline", "subject", "event_id", "publisher"),
            *("principal", "plan", "generation", "authorization", "head"),
        ),
        "x",
    )
    | {"active": True, "event_time": 1, "accepted": 1, "n": 1, "batches": [1]},
    "step": {"started": 1, "n": 1, "head": "x", "batches": [1]},
    "credential_lease": {
        "lane": "one",
        "open": True,
        "names": ["registry"],
        "provider": "vault",
        "lasts": 1,
        "requested": 1,
        "n": 1,
        "head": "x",
        "batches": [1],
    },
    "checkpoint": {
        **dict.fromkeys(("lane", "plan", "inputs", "head"), "x"),
        **dict.fromkeys(("count", "asked", "deadline", "n"), 1),
        "open": True,
        "groups": ["release"],
        "on_timeout": "reject",
        "batches": [1],
    },
    "answer": {
        **dict.fromkeys(("key", "plan", "reason", "instruction", "head"), "x"),
        "answered": 1,
        "n": 1,
        "batches": [1],
    },
    "compensation": {"outcome": "failed", "started": 1, "n": 1, "head": "x", "batches": [1]},
}


@pytest.fixture
async def engine() -> AsyncIterator[Faulty]:
    async with engines.in_memory() as engine:
        await migrations.migrate(engine)
        yield engine


async def passes(engine: Faulty, query: str, **params: object) -> bool:
    try:
        await engines.ask(engine, query, **params)
    except replies.Refusal:
        return False
    return True


@pytest.mark.parametrize(
    ("table", "beginnings", "moves"),
    [
        ("run", RUN_BEGINNINGS, RUN_MOVES),
        ("step", STEP_BEGINNINGS, STEP_MOVES),
        ("compensation", COMPENSATION_BEGINNINGS, COMPENSATION_MOVES),
        ("credential_lease", CREDENTIAL_BEGINNINGS, CREDENTIAL_MOVES),
        ("checkpoint", CHECKPOINT_BEGINNINGS, CHECKPOINT_MOVES),
        ("answer", ANSWER_BEGINNINGS, dict.fromkeys(ANSWER_BEGINNINGS, frozenset())),
    ],
)
async def test_the_schema_allows_exactly_the_moves_of_the_tables(
    engine: Faulty,
    table: str,
    beginnings: AbstractSet[str],
    moves: Mapping[str, AbstractSet[str]],
) -> None:
    for before in moves:
        begun = {"id": Id(table, before), "status": before, **FIELDS[table]}
        begins = await passes(engine, f"INSERT INTO {table} $row", row=begun)
        assert begins is (before in beginnings), before
        for after in moves:
            await lay(engine, {**begun, "id": Id(table, "moving")})
            moved = await passes(engine, MOVE, id=Id(table, "moving"), status=after)
            assert moved is (after in {before, *moves[before]}), (before, after)


async def lay(engine: Faulty, row: Mapping[str, object]) -> None:
    """Put a row there in whatever status, as if the schema had not been looking."""
    table = cast("Id", row["id"]).table
    await engines.ask(engine, f"DELETE {table}; REMOVE FIELD status ON {table}")
    await engines.ask(
        engine, f"DEFINE FIELD status ON {table}; INSERT INTO {table} $row", row=row
    )
    for step in migrations.STEPS:
        schema = migrations.text(step)
        await engines.ask(engine, schema.replace("IF NOT EXISTS", "OVERWRITE"))
