"""A runner that follows a script of its own instead of starting processes."""

from collections.abc import Collection, Mapping

import anyio

from stratum_orchestrator.ports import Command, Ended, Equip, Failure, Kind, Resources, as_it_is

NOTHING_USED = Resources(cpu_ms=0, max_rss=0, wall_ms=0)


class ScriptedRunner:
    """Answers by name: `node` means its handler, `node/undo` its compensation."""

    def __init__(
        self,
        *,
        fails: Collection[str] = (),
        hangs: Collection[str] = (),
        outputs: Mapping[str, Mapping[str, object]] | None = None,
        flaky: Mapping[str, int] | None = None,
    ) -> None:
        """`flaky` maps a name to how many times it fails before it succeeds."""
        self._fails = frozenset(fails)
        self._hangs = frozenset(hangs)
        self._outputs = dict(outputs or {})
        self._failures_left = dict(flaky or {})
        self.commands: list[Command] = []
        self.ran: list[tuple[str, str]] = []
        """(node, "do" | "undo") in the order of their starts."""
        self.stopped: list[str] = []
        """Nodes whose process was cancelled or ran out of time."""

    async def run(self, command: Command, equip: Equip = as_it_is) -> Ended:
        command = await equip(command)
        self.commands.append(command)
        self.ran.append((command.node, command.kind.value))
        await anyio.lowlevel.checkpoint()
        name = command.node if command.kind is Kind.DO else f"{command.node}/undo"
        if name in self._hangs:
            return await self._hang(command)
        if name in self._fails or self._fails_once_more(name):
            failure = Failure(error_class="exit", message=f"{name} exited with 1")
            return Ended(
                outputs=None,
                failure=failure,
                exit_code=1,
                level="limits, network open",
                resources=NOTHING_USED,
            )
        return Ended(
            outputs=self._outputs.get(name, {}),
            exit_code=0,
            level="limits, network open",
            resources=NOTHING_USED,
        )

    def _fails_once_more(self, name: str) -> bool:
        left = self._failures_left.get(name, 0)
        self._failures_left[name] = max(0, left - 1)
        return left > 0

    async def _hang(self, command: Command) -> Ended:
        try:
            with anyio.move_on_after(command.timeout_s):
                await anyio.sleep_forever()
        finally:
            self.stopped.append(command.node)
        failure = Failure(
            error_class="timeout", message=f"timed out after {command.timeout_s} s"
        )
        return Ended(
            outputs=None, failure=failure, level="limits, network open", resources=NOTHING_USED
        )
