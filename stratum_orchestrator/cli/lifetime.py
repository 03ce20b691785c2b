"""How long something is good, as people write it."""

import re

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PARTS = re.compile(r"(\d+)([smhd])")


class Lifetime(click.ParamType[float]):
    """A duration such as `30d` or `1h30m`, in seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        seconds = sum(int(amount) * _UNITS[unit] for amount, unit in _PARTS.findall(text))
        if _PARTS.sub("", text) or not seconds:
            self.fail(f"{text!r} is no duration such as 30d, 12h or 1h30m", param, ctx)
        return float(seconds)
