import re

import nkeys
import pytest

from platform_nats.errors import InvalidKey
from platform_nats.nkey import UserKey, check_public, verify


def test_a_seed_gives_back_the_key_it_came_from() -> None:
    key = UserKey.generate()

    again = UserKey(f" {key.seed()}\n")

    assert again.public == key.public


def test_a_generated_key_is_what_the_reference_implementation_makes_of_the_seed() -> None:
    key = UserKey.generate()

    theirs = nkeys.from_seed(bytearray(key.seed().encode()))

    assert theirs.public_key.decode() == key.public
    assert theirs.sign(b"message") == key.sign(b"message")


def test_a_signature_fits_its_key_and_message_alone() -> None:
    key, other = UserKey.generate(), UserKey.generate()
    signature = key.sign(b"message")

    assert verify(key.public, b"message", signature)
    assert not verify(key.public, b"massage", signature)
    assert not verify(other.public, b"message", signature)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_length_does_not_fit(size: int) -> None:
    key = UserKey.generate()

    assert not verify(key.public, b"message", b"x" * size)


def test_a_seed_shows_in_no_representation() -> None:
    key = UserKey.generate()

    shown = f"{key} {key!r} {vars(type(key))}"

    assert key.public in shown
    assert key.seed() not in shown


def test_a_seed_in_the_place_of_a_public_key_is_refused_and_not_repeated() -> None:
    seed = UserKey.generate().seed()

    with pytest.raises(InvalidKey) as refused:
        check_public(seed)

    assert seed not in str(refused.value)


@pytest.mark.parametrize("prefix", [nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_SERVER])
def test_only_users_have_keys_here(prefix: int) -> None:
    seed = nkeys.encode_seed(b"\x01" * 32, prefix)
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()

    with pytest.raises(InvalidKey, match="begins with SU"):
        UserKey(seed.decode())
    with pytest.raises(InvalidKey, match="begins with U"):
        check_public(public)


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(InvalidKey, match="length"):
        check_public("")


@pytest.mark.parametrize(
    ("pattern", "replacement", "why"),
    [
        (r".$", "", "length"),
        (r"$", "A", "base32|length"),
        (r".$", "1", "base32"),
        (r"^U", "u", "base32"),
        (r"^U", "\u00fc", "base32"),
        (r"^(.{20})[^A]", r"\1A", "checksum"),
    ],
)
def test_a_mistyped_key_is_refused_with_the_reason(
    pattern: str, replacement: str, why: str
) -> None:
    seed = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER)
    public = UserKey(seed.decode()).public

    with pytest.raises(InvalidKey, match=why):
        check_public(re.sub(pattern, replacement, public, count=1))


def test_a_key_that_is_none_has_signed_nothing() -> None:
    key = UserKey.generate()

    assert not verify("U" * 56, b"message", key.sign(b"message"))
