"""Publishes one event from standard input: `python -m platform_nats --help`.

For publishers that have no NATS client of their own, such as Nushell scripts.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import anyio

from platform_nats import credentials
from platform_nats.errors import TransportError
from platform_nats.publisher import Receipt, publisher

_FAILED = 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m platform_nats",
        description="Sign what is on standard input and publish it; print where it is stored.",
    )
    parser.add_argument("subject", help="for example events.repo.push")
    parser.add_argument("--url", required=True, help="of the NATS server")
    parser.add_argument(
        "--seed-file", required=True, type=Path, help="holds the NKey's seed; or a .creds file"
    )
    parser.add_argument("--audience", required=True, help="the deployment it is meant for")
    parser.add_argument("--id", help="the event's id; give it again when you try again")
    parser.add_argument("--cloudevent", action="store_true", help="add ce-* headers")
    return parser.parse_args()


async def _publish(arguments: argparse.Namespace, seed: str, body: bytes) -> Receipt:
    creds = arguments.seed_file if arguments.seed_file.suffix == credentials.SUFFIX else None
    seed = credentials.key_in(seed).seed() if creds else seed
    async with publisher(arguments.url, seed, arguments.audience, creds) as ours:
        return await ours.publish(
            arguments.subject, body, event_id=arguments.id, cloudevent=arguments.cloudevent
        )


def main() -> int:
    """Return 0 when the event is stored; else say why not and return 1."""
    arguments = _arguments()
    try:
        seed = arguments.seed_file.read_text()
        receipt = anyio.run(_publish, arguments, seed, sys.stdin.buffer.read())
    except (TransportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED
    sys.stdout.write(json.dumps(asdict(receipt)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
