"""Where a plugin's connections may go: public addresses, and private ones that ``qa.toml`` names.

A name is resolved once, every address it has is looked at, and the connection goes to the very address
that was looked at. So a name that answers differently the second time gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from qa.plugins.api import ConfigError, Transient

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

SHARED = ip_network("100.64.0.0/10")
NAT64 = ip_network("64:ff9b::/96")


class Refused(ConfigError):
    """The address may not be reached from here."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name; raise ``Transient`` when it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Transient(f"The name {host} is not known to the network.") from None
    return [str(one[4][0]) for one in found]


@dataclass(frozen=True, slots=True)
class Reach:
    """Which hosts a source may talk to, and which private networks the site's owner allows."""

    hosts: tuple[str, ...] = ()
    private: tuple[Network, ...] = ()
    resolve: Resolve = resolve

    def allows_host(self, host: str) -> bool:
        """Tell whether a host is one of the source's; patterns such as ``*.example.com`` match inside."""
        return any(fnmatchcase(host.lower(), pattern.lower()) for pattern in self.hosts)

    def address_of(self, host: str, port: int) -> str:
        """Return the address to connect to; raise ``Refused`` or ``Transient``."""
        addresses = [ip_address(one.split("%")[0]) for one in self.resolve(host, port)]
        if not addresses:
            raise Transient(f"The name {host} has no address.")
        for address in addresses:
            if not self._is_allowed(address):
                raise Refused(f"{host} lies at {address}, an address that is not public. {CURE}")
        return str(addresses[0])

    def is_private(self, host: str) -> bool:
        """Tell whether a host is an address in a private network that is allowed here."""
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            return False
        return any(address in network for network in self.private if network.version == address.version)

    def _is_allowed(self, address: Address) -> bool:
        inside = _unwrapped(address)
        if any(inside in network for network in self.private if network.version == inside.version):
            return True
        return is_public(address)


CURE = "The owner of this site can allow the network in qa.toml under private_networks."


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 one, else the address itself."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the open internet, in whatever clothes it comes."""
    inside = _unwrapped(address)
    if isinstance(address, IPv6Address) and address.teredo is not None:
        return False
    closed = (
        inside.is_private
        or inside.is_loopback
        or inside.is_link_local
        or inside.is_multicast
        or inside.is_reserved
        or inside.is_unspecified
        or (inside.version == SHARED.version and inside in SHARED)
        or getattr(inside, "is_site_local", False)
    )
    return not closed and inside.is_global
