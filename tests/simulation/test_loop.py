"""The simulated time itself."""

import anyio
import pytest

from support.simulation.loop import Endless, Process, VirtualLoop


def test_time_passes_when_nothing_else_happens() -> None:
    loop = VirtualLoop(1)

    async def patient() -> float:
        await anyio.sleep(3600)
        return loop.time()

    assert loop.run_until_complete(patient()) == pytest.approx(3600, abs=0.01)


def test_a_cancelled_task_can_wait_behind_a_shield() -> None:
    loop = VirtualLoop(1)

    async def shielded() -> float:
        with anyio.move_on_after(1), anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep, 5)
        return loop.time()

    assert loop.run_until_complete(shielded()) == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize(("one", "other", "same"), [(1, 1, True), (1, 2, False)])
def test_who_comes_next_is_drawn_from_the_seed(one: int, other: int, *, same: bool) -> None:
    assert (_order(one) == _order(other)) is same


def test_what_is_killed_never_runs_again_not_even_to_clean_up() -> None:
    loop, process, seen = VirtualLoop(1), Process(), list[str]()

    async def daemon() -> None:
        try:
            await anyio.sleep(1)
            process.alive = False
            await anyio.sleep(1)
        finally:
            seen.append("cleaned up while alive" if process.alive else "only when collected")

    async def outlive() -> list[str]:
        loop.spawn(daemon(), process)
        await anyio.sleep(10)
        return list(seen)

    assert loop.run_until_complete(outlive()) == []


def test_a_world_that_does_not_rest_is_ended() -> None:
    loop = VirtualLoop(1, most_steps=100)

    async def restless() -> None:
        while True:  # noqa: ASYNC110 - it never rests
            await anyio.sleep(1)

    with pytest.raises(Endless):
        loop.run_until_complete(restless())


def _order(seed: int) -> str:
    seen = list[str]()

    async def speak(word: str) -> None:
        for _ in range(5):
            await anyio.sleep(1)
            seen.append(word)

    async def all_speak() -> None:
        async with anyio.create_task_group() as tasks:
            for word in "abc":
                tasks.start_soon(speak, word)

    VirtualLoop(seed).run_until_complete(all_speak())
    return "".join(seen)
