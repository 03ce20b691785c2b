"""Which machines may be asked for what a definition names, and at which addresses."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to its addresses; OSError when there are none."""

_Address = IPv4Address | IPv6Address
_METADATA = frozenset({"168.63.129.16", "192.0.0.192", "fd00:ec2::254"})
"""Answer about the machine itself, and are no link-local addresses."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
_RELAYED = tuple(map(ipaddress.ip_network, ("2001::/32", "2002::/16", "192.88.99.0/24")))


class OutOfReach(Exception):
    """A machine that is not to be asked."""

    def __init__(self, host: str, what: str) -> None:
        super().__init__(f"{host} is {what}")


class Reaching(Protocol):
    """Knows where connections may go."""

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """Where a machine is. OutOfReach if it is not to be asked; OSError if it is unknown.

        Who connects has to take one of these, and must not ask for the name again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Any machine may be asked: whoever named it runs this one."""

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """Where it is; OSError for an unknown name."""
        return look_up(host, port)


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system knows them; OSError when there are none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "it is no name of a host") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True, slots=True)
class Reach:
    """The whole internet, and of everything else only what is listed."""

    hosts: frozenset[str] = frozenset()
    """Names or addresses, with a port if need be, that may be here or in a private network."""
    resolve: Resolve = look_up

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """Where it is. OutOfReach if one of its addresses is; OSError for an unknown name."""
        found = self.resolve(host, port)
        for each in found:
            what = _what(_parsed(each))
            if what and not self._bears(host, port, each, what):
                at = f" at {each}" if each != host else ""
                raise OutOfReach(host, f"{what}{at}")
        return found

    def lists(self, host: str, port: int) -> bool:
        """Whether it is listed by this name."""
        named = f"[{host}]" if ":" in host else host
        return bool({host, named, f"{named}:{port}"} & self.hosts)

    def _bears(self, host: str, port: int, address: str, what: str) -> bool:
        """A listed name may stand for any private machine, but not for what is special."""
        if not self.lists(host, port):
            return False
        return what in {_HERE, _PRIVATE} or host == address


_HERE, _PRIVATE = "this machine", "in a private network"


def _parsed(text: str) -> _Address:
    return _within(ipaddress.ip_address(text.partition("%")[0]))


def _within(address: _Address) -> _Address:
    """The address that another one only wraps."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _what(address: _Address) -> str:
    """Why an address is not anybody's on the internet; empty when it is."""
    if address.is_loopback:
        return _HERE
    if address.is_link_local or str(address) in _METADATA:
        return "a link-local or metadata address"
    if address.is_unspecified or address.is_multicast or address.is_reserved:
        return "no address of one machine"
    routed = address.version == 4 or address in _UNICAST  # noqa: PLR2004 - IPv4
    relayed = any(address in each for each in _RELAYED if each.version == address.version)
    return "" if address.is_global and routed and not relayed else _PRIVATE
