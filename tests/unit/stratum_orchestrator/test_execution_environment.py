"""What no variable can hold is refused before a process is started with something else."""

from dataclasses import replace

import pytest

from stratum_orchestrator.execution.environment import check
from stratum_orchestrator.execution.errors import CannotStart
from support.scripts import command

REFUSED = {
    "NUL": ("s3cret-\0-and-more", "a NUL character"),
    "half a pair": ("s3cret-\ud800", "no text"),
    "too long": ("x" * (128 << 10), "more than 128 KiB; hand so much over in a file"),
}


@pytest.mark.parametrize("where", ["env", "secrets"])
@pytest.mark.parametrize("what", REFUSED)
def test_a_value_that_no_variable_can_hold_is_refused(where: str, what: str) -> None:
    value, why = REFUSED[what]
    wants = replace(command("run.nu"), **{where: {"TOKEN": value}})  # type: ignore[arg-type]

    with pytest.raises(CannotStart, match=f"the variable TOKEN would h.*{why}") as refused:
        check(wants)

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("value", ["", "a\nb\x1b[2J", "é" * 60_000, "x" * ((128 << 10) - 7)])
def test_everything_else_is_taken(value: str) -> None:
    check(replace(command("run.nu"), secrets={"TOKEN": value}))
