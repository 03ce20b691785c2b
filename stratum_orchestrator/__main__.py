"""`stratum` and `python -m stratum_orchestrator`."""

import os
import sys
import traceback

from stratum_orchestrator.cli.app import stratum
from stratum_orchestrator.cli.exits import Exit


def main() -> None:
    """Run the command line and leave with its exit code, whatever happens."""
    try:
        stratum(prog_name="stratum")
    except OSError as why:
        _leave(Exit.IO, ": ".join(filter(None, (why.strerror or str(why), why.filename))))
    except Exception as fault:  # noqa: BLE001 - every end has its exit code
        traceback.print_exc()
        _leave(
            Exit.SOFTWARE,
            f"a fault of Stratum itself: {fault!r}; please report it with the lines above",
        )


def _leave(code: Exit, why: str) -> None:
    """Say why and end; nothing more goes to a stdout that may be what is broken."""
    sys.stderr.write(f"stratum: {why}\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    sys.exit(code)


if __name__ == "__main__":
    main()
