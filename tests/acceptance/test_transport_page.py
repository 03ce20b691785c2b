"""What `docs/publishing.md` says is run here as it stands there."""

import base64
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from platform_nats.delivery import Delivery
from platform_nats.envelope import Envelope, Limits, Outgoing, open_envelope, seal
from platform_nats.nkey import UserKey, verify
from platform_nats.statement import covered
from platform_nats.streams import EVENTS
from stratum_orchestrator.execution.binary import find
from support.broker import AUDIENCE, Broker, run_broker
from support.scripts import settings

pytestmark = pytest.mark.acceptance
PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "publishing.md").read_text()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with run_broker(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def seed_file(broker: Broker, tmp_path: Path) -> Path:
    file = tmp_path / "publisher.seed"
    file.write_text(f"{broker.publisher.seed()}\n")
    return file


def example(language: str, folder: Path) -> Path:
    found = re.search(rf"<!-- tested: {language} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found
    file = folder / "example"
    file.write_text(found[1])
    return file


async def run(command: list[str | Path], body: bytes) -> str:
    ran = await anyio.run_process(
        [str(part) for part in command],
        input=body,
        stderr=None,
        env={"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(PROJECT)},
    )
    return ran.stdout.decode()


async def stored(broker: Broker) -> Envelope:
    async with broker.connect() as connection:
        message = await connection.jetstream.get_msg(EVENTS, 1)
    headers = message.headers or {}
    event = Delivery(
        subject=message.subject or "",
        body=message.data or b"",
        headers=headers,
        sequence=1,
        stored_ms=int(headers["Stratum-Time"]),
    )
    return open_envelope(event, AUDIENCE, {broker.publisher.public}.__contains__, Limits())


async def test_the_python_example_publishes(
    broker: Broker, seed_file: Path, tmp_path: Path
) -> None:
    script = example("python", tmp_path)

    said = await run(
        [sys.executable, script, broker.url, seed_file, AUDIENCE, "events.page"], b"{}"
    )

    assert "seq=1" in said
    assert (await stored(broker)).subject == "events.page"


async def test_the_nushell_example_publishes(
    broker: Broker, seed_file: Path, tmp_path: Path
) -> None:
    nu = find(settings(tmp_path))
    script = example("nushell", tmp_path)
    flags = ["--url", broker.url, "--seed-file", seed_file, "--audience", AUDIENCE]

    said = await run([nu, "--no-config-file", "--stdin", script, "events.page", *flags], b"{}")

    assert said.strip() == "stored as 1 of STRATUM_EVT"
    assert (await stored(broker)).subject == "events.page"


def signed(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.strip() + "==")


def vector(name: str) -> str:
    found = re.search(rf"^\| {name} \| `(.*?)` \|$", PAGE, re.MULTILINE)
    assert found
    return found[1]


def test_the_test_vector_is_what_the_code_makes_of_it() -> None:
    key = UserKey(vector("seed"))
    event = Outgoing(
        subject=vector("subject"),
        body=vector("payload").encode(),
        event_id=vector("id"),
        time_ms=int(vector("time")),
        headers={"Content-Type": "application/json", "ce-type": "push"},
    )
    lines, canonical, signature = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)

    headers = seal(key, vector("audience"), event)

    assert headers["Stratum-Sig"] == signature.strip()
    assert verify(key.public, canonical.encode(), signed(signature))
    assert lines == "".join(f"{name}:{v}\n" for name, v in sorted(covered(headers).items()))


async def test_the_command_says_what_stands_in_its_way(broker: Broker, seed_file: Path) -> None:
    flags = ["--url", broker.url, "--seed-file", str(seed_file), "--audience", AUDIENCE]
    command = [sys.executable, "-m", "platform_nats", "elsewhere", *flags]

    ran = await anyio.run_process(command, input=b"{}", check=False, cwd=PROJECT)

    assert ran.returncode == 1
    assert b"may not publish under 'elsewhere'" in ran.stderr


async def test_the_command_prints_the_receipt(broker: Broker, seed_file: Path) -> None:
    flags = ["--url", broker.url, "--seed-file", str(seed_file), "--audience", AUDIENCE]
    command = [sys.executable, "-m", "platform_nats", "events.a", "--id", "e-1", *flags]

    ran = await anyio.run_process(command, input=b"{}", cwd=PROJECT)

    assert json.loads(ran.stdout) == {
        "stream": EVENTS,
        "sequence": 1,
        "duplicate": False,
        "event_id": "e-1",
    }
