"""`stratum` and `python -m stratum_orchestrator`."""

from stratum_orchestrator.cli.app import stratum


def main() -> None:
    """Run the command line and leave with its exit code."""
    stratum(prog_name="stratum")


if __name__ == "__main__":
    main()
