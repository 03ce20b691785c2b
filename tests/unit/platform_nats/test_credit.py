import anyio

from platform_nats.credit import Bell, Credit


async def test_a_ring_before_the_wait_is_not_missed() -> None:
    bell = Bell()
    bell.ring()

    with anyio.fail_after(5):
        await bell.wait(60)


async def test_a_changed_credit_wakes_who_waits_for_it() -> None:
    credit = Credit(0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(credit.bell.wait, 60)
        credit.set(3)

    assert credit.limit == 3


def test_credit_is_never_negative() -> None:
    credit = Credit(1)

    credit.set(-2)

    assert credit.limit == 0
