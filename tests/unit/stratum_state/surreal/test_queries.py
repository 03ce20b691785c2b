"""The page of queries: each of them runs, and finds something."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from stratum_state.model import Compensation, CompensationStatus, VerdictKind
from stratum_state.surreal import opening
from stratum_state.surreal.cbor import Id
from support import engines, records
from support.engines import INSTANCE, Faulty
from support.records import (
    a_compensation,
    a_question,
    a_run,
    a_step,
    a_verdict,
    an_answer,
)

PAGE = (Path(__file__).parents[4] / "docs" / "queries.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
RUN = a_run()
ALL = 2**53


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[Faulty]:
    lint, build = a_step(RUN), a_step(RUN, "build", stage=1)
    undo = a_compensation(RUN)
    going_back = records.compensating(RUN)
    async with engines.in_memory() as engine, opening.over(engine, instance=INSTANCE) as store:
        await store.write([old := a_run("old")])
        await store.write([records.running(old)])
        await store.write([records.completed(records.running(old))])
        await store.collect(ALL, 9)
        await store.write([RUN, a_verdict(RUN), other := a_run("e2")])
        asked = a_question(other, count=2)
        await store.write([asked, an_answer(asked)])
        await store.write([a_verdict(sequence=2, kind=VerdictKind.REFUSED), lint, build])
        await store.write([records.succeeded(lint, outputs='"' + "x" * 70_000 + '"')])
        await store.write([records.failed(build), going_back, undo])
        await store.write([undo.to(CompensationStatus.FAILED, error="no way back")])
        waived = a_compensation(RUN, "build", stage=1)
        await store.write([replace(waived, status=CompensationStatus.WAIVED, instruction="{}")])
        await store.write([records.compensated(going_back, Compensation.PARTIAL)])
        yield engine


def test_the_page_has_queries() -> None:
    assert len(QUERIES) >= 15


@pytest.mark.parametrize(
    "query", QUERIES, ids=[" ".join(each.split())[:60] for each in QUERIES]
)
async def test_each_query_of_the_page_finds_something(engine: Faulty, query: str) -> None:
    assert await engines.ask(engine, query, run=Id("run", RUN.id))
