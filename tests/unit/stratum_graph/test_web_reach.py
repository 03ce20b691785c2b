"""Which machines are asked: all of the internet, and beside it only what is listed."""

from collections.abc import Sequence

import pytest

from stratum_graph.definitions.web.reach import OutOfReach, Reach

PUBLIC = "93.184.216.34"


def leading_to(*addresses: str, hosts: Sequence[str] = ()) -> Reach:
    return Reach(frozenset(hosts), resolve=lambda _host, _port: addresses)


@pytest.mark.parametrize("address", [PUBLIC, "2606:4700::1111", f"64:ff9b::{PUBLIC}"])
def test_what_is_on_the_internet_may_be_asked(address: str) -> None:
    assert leading_to(address).addresses("example.com", 443) == (address,)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1", "this machine"),
        ("127.8.8.8", "this machine"),
        ("::1", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("64:ff9b::127.0.0.1", "this machine"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("100.100.100.200", "private"),
        ("198.18.0.1", "private"),
        ("fd12::1", "private"),
        ("fec0::1", "private"),
        ("2001:db8::1", "private"),
        ("2002:7f00:1::", "private"),
        ("2001:0:1::", "private"),
        ("::127.0.0.1", "no address"),
        ("169.254.169.254", "metadata"),
        ("::ffff:169.254.169.254", "metadata"),
        ("168.63.129.16", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("fe80::1%eth0", "link-local"),
        ("0.0.0.0", "no address"),  # noqa: S104 - that is the point
        ("::", "no address"),
        ("224.0.0.1", "no address"),
        ("ff02::1", "no address"),
        ("240.0.0.1", "no address"),
    ],
)
def test_what_is_near_is_not_asked(address: str, what: str) -> None:
    with pytest.raises(OutOfReach, match=what):
        leading_to(address).addresses("example.com", 443)


def test_one_near_address_among_others_is_too_many() -> None:
    with pytest.raises(OutOfReach, match=r"this machine at 127\.0\.0\.1"):
        leading_to(PUBLIC, "127.0.0.1").addresses("example.com", 443)


@pytest.mark.parametrize("listed", ["store.internal", "store.internal:9000"])
@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "fd12::1"])
def test_a_listed_name_may_be_near(listed: str, address: str) -> None:
    reach = leading_to(address, hosts=[listed])

    assert reach.addresses("store.internal", 9000) == (address,)


@pytest.mark.parametrize("listed", ["other.internal", "store.internal:9001"])
def test_another_name_or_port_is_not_listed(listed: str) -> None:
    with pytest.raises(OutOfReach):
        leading_to("10.1.2.3", hosts=[listed]).addresses("store.internal", 9000)


def test_a_listed_name_does_not_lead_to_metadata_but_the_listed_address_does() -> None:
    address = "169.254.169.254"

    with pytest.raises(OutOfReach):
        leading_to(address, hosts=["store.internal"]).addresses("store.internal", 80)
    assert leading_to(address, hosts=[address]).addresses(address, 80) == (address,)


@pytest.mark.parametrize("written", ["2130706433", "0x7f.1", "127.1", "localhost"])
def test_an_address_in_disguise_is_seen_through(written: str) -> None:
    with pytest.raises(OutOfReach, match="this machine"):
        Reach().addresses(written, 80)


def test_a_name_that_is_none_is_unknown() -> None:
    with pytest.raises(OSError, match="no name of a host"):
        Reach().addresses(f"{'a' * 70}.com", 80)
