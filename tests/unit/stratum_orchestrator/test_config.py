import os
from pathlib import Path

import pytest

from stratum_orchestrator import config
from stratum_orchestrator.config import BadConfig, Settings, load


async def test_the_contract_and_the_program_agree_on_every_default(tmp_path: Path) -> None:
    (tmp_path / "stratum.ncl").write_text("{}")

    loaded = await load(tmp_path, {}, {})

    assert loaded.settings == Settings()


async def test_without_file_and_variables_everything_is_a_default(tmp_path: Path) -> None:
    loaded = await load(tmp_path, {"STRATUM_HOME": "/x", "PATH": "/bin"}, {})

    assert set(loaded.origins.values()) == {"default"}


async def test_a_flag_wins_over_a_variable_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "stratum.ncl"
    file.write_text(
        '{ http.port = 1, nats.ack_wait = "1m", log.level = \'debug, runs.limit = "2h" }'
    )
    variables = {"STRATUM_HTTP__PORT": "2", "STRATUM_NATS__ACK_WAIT": "45s"}

    loaded = await load(tmp_path, variables, {"http.port": 3})

    settings = loaded.settings
    assert (settings.http.port, settings.nats.ack_wait, settings.log.level) == (3, 45, "debug")
    assert settings.runs.limit == 7200
    assert loaded.origins["http.port"] == "command line"
    assert loaded.origins["nats.ack_wait"] == "STRATUM_NATS__ACK_WAIT"
    assert loaded.origins["log.level"] == str(file)
    assert loaded.origins["http.host"] == "default"


async def test_a_list_may_be_written_with_commas_or_as_json(tmp_path: Path) -> None:
    one = await load(tmp_path, {"STRATUM_NATS__SUBJECTS": "events.>,ci.>"}, {})
    other = await load(tmp_path, {"STRATUM_NATS__SUBJECTS": '["ci.>"]'}, {})

    assert one.settings.nats.subjects == ("events.>", "ci.>")
    assert other.settings.nats.subjects == ("ci.>",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ http.prot = 1 }", "stratum.ncl:1:"),
        ("{ http.port = 70000 }", "expected a port, 0 to 65535"),
        ('{ nats.url = "http://x" }', "expected an address such as `nats://127.0.0.1:4222`"),
        ('{ nats.stream_size = "1MiB" }', "expected 16MiB or more: a stream that is full"),
        ('{ log.level = "loud" }', "expected one of debug, info, warning, error"),
        ("{ http = ", "stratum.ncl:1:"),
        ('{ definitions.signers = ["developer"] }', "is not a public user key"),
    ],
)
async def test_a_mistake_in_the_file_is_named_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "stratum.ncl").write_text(text)

    with pytest.raises(BadConfig) as refused:
        await load(tmp_path, {}, {})

    assert said in str(refused.value)


async def test_a_variable_that_means_no_setting_is_refused_with_the_nearest(
    tmp_path: Path,
) -> None:
    with pytest.raises(BadConfig, match=r"STRATUM_HTTP__PROT.*did you mean STRATUM_HTTP__PORT"):
        await load(tmp_path, {"STRATUM_HTTP__PROT": "1"}, {})


async def test_a_bad_value_of_a_variable_is_named_with_the_variable(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"STRATUM_HTTP__PORT.*expected a port"):
        await load(tmp_path, {"STRATUM_HTTP__PORT": "many"}, {})


async def test_a_named_file_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cannot be read"):
        await load(tmp_path, {}, {}, file=tmp_path / "nowhere.ncl")


async def test_a_file_that_would_never_end_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ncl")

    with pytest.raises(BadConfig, match="cannot be read: it is no plain file"):
        await load(tmp_path, {}, {}, file=tmp_path / "pipe.ncl")


async def test_a_file_that_is_a_link_to_itself_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "round.ncl").symlink_to("round.ncl")

    with pytest.raises(BadConfig, match="cannot be read: Too many levels of symbolic links"):
        await load(tmp_path, {}, {}, file=tmp_path / "round.ncl")


def test_every_field_has_a_variable() -> None:
    assert config.variable("nats.ack_wait") == "STRATUM_NATS__ACK_WAIT"
    assert "nats.ack_wait" in config.fields()
