"""Payloads that would do harm wherever somebody takes data for code, a path or a command."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

_COMMANDS = (
    "; {0} #",
    "| {0}",
    "&& {0} ||",
    "$({0})",
    "`{0}`",
    "'; {0}; '",
    '"; {0}; "',
    "\n{0}\n",
    "(^{0})",
    "$'(^{0})'",
    '$"(^{0})"',
    "do {{ ^{0} }}",
    "}}; ^{0}; {{",
    "| each {{ ^{0} }}",
    "^sh -c '{0}'",
    "source <({0})",
    "() {{ :; }}; {0}",
    '%{{std.seq 1 (import "/etc/passwd")}} {0}',
    "{{{{ {0} }}}}",
    "${{jndi:ldap://127.0.0.1/{0}}}",
    "<script>fetch('{0}')</script>",
    "-oProxyCommand={0}",
    "--eval={0}",
)
_PATHS = (
    "../../../../etc/passwd",
    "/proc/self/environ",
    "/proc/1/mem",
    "..%2f..%2fetc%2fshadow",
    "....//....//etc/passwd",
    "~root/.ssh/id_rsa",
    "//host/share",
    "C:\\windows\\system32",
    "/dev/tcp/127.0.0.1/22",
    "*",
    "/**/*",
    "{a,b}",
    "." * 500,
)
_TEXTS = (
    "\u001b]0;owned\u0007\u001b[2J\u001b[31m",
    "\u202egnp.exe\u2066\u200f",
    "\u0007\u0008\u007f\u009b31m",
    "%s%s%s%n%x%p%99999999d",
    "{{0.__class__.__mro__}} {{}} {{!r:>9999}}",
    "a; REMOVE TABLE run; --",
    "' OR 1=1; DELETE step; --",
    "type::thing('run', 'x')",
    "\r\nNats-Msg-Id: x\r\n\r\nPUB events.x 0\r\n",
    "e\u0301\ufeff\ufffe\u2028\u2029",
    "\U0001f4a3" * 100,
    "\u0430dmin",
    "x" * 2_000,
    '{"stratum":"fail","message":"forged"}',
    "[redacted:TOKEN]",
    "-1e999",
    "true",
    "null",
    "",
)
_NAMES = (
    "",
    "PATH",
    "LD_PRELOAD",
    "NU_LIB_DIRS",
    "STRATUM_STEP",
    "HOME",
    "__proto__",
    "constructor",
    "$where",
    "__entity",
    "__extn",
    "id",
    "event.data",
    "a.b.c",
    "$env",
    "$in",
    "in",
    "def",
    "n" * 300,
    "\u202e",
    "key with spaces\t",
    "'\"`$(){}[]|;&<>",
)


class Malice:
    """Makes any number of such payloads; the same ones for the same seed."""

    def __init__(self, traps: Path, seed: int) -> None:
        """Whatever is executed leaves a file in the folder of traps."""
        self._traps = traps
        self._random = Random(seed)  # noqa: S311 - has to be the same again
        self._sprung = 0

    def make(self, number: int) -> Iterator[Mapping[str, object]]:
        """So many, each a text to use and some structure around it."""
        for _ in range(number):
            yield {"text": self._text(), self._name(): self._value(3)}

    def _text(self) -> str:
        kinds = (self._command, self._command, self._path, self._foul)
        return "".join(
            self._random.choice(kinds)() for _ in range(self._random.choice((1, 1, 3)))
        )

    def _command(self) -> str:
        self._sprung += 1
        trap = self._traps / str(self._sprung)
        return self._random.choice(_COMMANDS).format(f"touch {trap}")

    def _path(self) -> str:
        return self._random.choice((*_PATHS, f"{self._traps}/../x", str(self._traps)))

    def _foul(self) -> str:
        return self._random.choice(_TEXTS)

    def _name(self) -> str:
        name = self._random.choice((*_NAMES, self._command()))
        return name if name != "text" else "other"

    def _value(self, depth: int) -> object:
        kinds = ["text", "number", "list", "record"] if depth else ["text", "number"]
        match self._random.choice(kinds):
            case "number":
                return self._random.choice((0, -1, 2**53, -(2**53), 1.5, True, None))
            case "list":
                return [self._value(depth - 1) for _ in range(self._random.randrange(4))]
            case "record":
                return {self._name(): self._value(depth - 1) for _ in range(3)}
            case _:
                return self._text()
