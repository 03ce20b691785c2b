import json
from pathlib import Path

from platform_nats.nkey import UserKey
from platform_nats.permissions import User, inbox
from platform_nats.server_config import ServerSettings, render


def test_a_publisher_may_publish_its_subjects_and_read_its_own_answers() -> None:
    public = UserKey.generate().public

    entry = User.publisher(public, ("events.ci.>",)).entry()

    assert entry == {
        "nkey": public,
        "permissions": {
            "publish": {"allow": ["events.ci.>"]},
            "subscribe": {"allow": [f"{inbox(public)}.>"]},
        },
    }


def test_the_daemon_has_no_restriction() -> None:
    public = UserKey.generate().public

    assert User.daemon(public).entry() == {"nkey": public}


def test_the_server_syncs_before_it_acknowledges_and_listens_on_loopback(
    tmp_path: Path,
) -> None:
    text = render(ServerSettings(), tmp_path, [], (4222, 8222))

    config = json.loads(text)
    assert config["jetstream"]["sync_interval"] == "always"
    assert (config["host"], config["http"]) == ("127.0.0.1", "127.0.0.1:8222")
