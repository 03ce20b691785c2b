"""Signature Version 4 as AWS publishes it: "Examples: Signature Calculations" of Amazon S3."""

import pytest

from stratum_graph.definitions.remote.signing import Key, path_of, signed

KEY = Key(
    id="AKIAIOSFODNN7EXAMPLE",  # stratum:not-a-secret
    secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # noqa: S106 - stratum:not-a-secret
    region="us-east-1",
)
NOW = "20130524T000000Z"
PLACE = "https://examplebucket.s3.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "more", "signature"),
    [
        (
            f"{PLACE}/test.txt",
            {"Range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            f"{PLACE}/?lifecycle=",
            {},
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            f"{PLACE}/?max-keys=2&prefix=J",
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_published_examples_come_out(
    url: str, more: dict[str, str], signature: str
) -> None:
    headers = signed(url, KEY, NOW, more)

    assert headers["authorization"].endswith(f"Signature={signature}")
    assert "host" not in headers


def test_every_byte_of_a_path_is_written_in_one_way() -> None:
    assert path_of("b", "a b/ü+~.nu") == "/b/a%20b/%C3%BC%2B~.nu"
