"""A leased secret is in the step's environment, and nowhere else."""

from pathlib import Path

import pytest

from support.scripts import Bench

pytestmark = pytest.mark.acceptance

TOKEN = "hvs." + "".join(f"{n:x}Zq-" for n in range(40))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "print --stderr $env.TOKEN",
        "error make {msg: $'no entry with ($env.TOKEN)'}",
        "stratum fail $'refused: ($env.TOKEN)'",
        "stratum log $'using ($env.TOKEN)'",
        "^sh -c 'echo $TOKEN >&2; exit 3'",
        "open $'/nowhere/($env.TOKEN)'",
        "print --stderr ($env.TOKEN | encode base64)",
        "print --stderr ($'user:($env.TOKEN)' | encode base64 | ^fold -w 40)",
        "print --stderr ($env.TOKEN | encode hex)",
        "print --stderr ({a: $env.TOKEN} | to json)",
        "print --stderr ($env.TOKEN | url encode --all)",
        "print $'token ($env.TOKEN)'",
        "{a: $env.TOKEN} | to json",
        "print --stderr ($env | to json --serialize)",
    ],
)
async def test_what_a_script_says_holds_no_secret(bench: Bench, body: str) -> None:
    ended = await bench.run(body, secrets={"TOKEN": TOKEN})

    said = f"{ended.outputs} {ended.failure} {ended.stderr}"
    assert not any(TOKEN[n : n + 8] in said for n in range(len(TOKEN) - 7))
    assert "TOKEN" in said


async def test_a_script_has_the_secret(bench: Bench) -> None:
    body = "{same: ($env.TOKEN == ($in | from json | get t | str join))} | to json"

    ended = await bench.run(
        body,
        secrets={"TOKEN": TOKEN},
        stdin=f'{{"t": ["{TOKEN[:5]}", "{TOKEN[5:]}"]}}'.encode(),
    )

    assert ended.outputs == {"same": True}


async def test_a_secret_that_cannot_be_kept_starts_nothing(bench: Bench) -> None:
    ended = await bench.run("'ran' | save ran", secrets={"PIN": "1234"})

    assert ended.failure is not None
    assert ended.failure.error_class == "spawn"
    assert "PIN" in ended.failure.message
    assert "1234" not in ended.failure.message
