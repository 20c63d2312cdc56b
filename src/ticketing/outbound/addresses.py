"""Which addresses are public: all that are not in IANA's special-purpose registries.

The table is written out because `ipaddress.is_global` follows the registries' "globally reachable" column. That is true
even of addresses at which nobody on the internet answers, or which contain another, private address.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast.
SPECIAL_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; the first of them is this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; cloud metadata in places
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
#: Allocated unicast addresses. Beyond are loopback, unique local, link-local, multicast, IPv4-mapped and -compatible
#: addresses, NAT64, discard-only, SRv6, and unassigned ones.
GLOBAL_UNICAST = IPv6Network("2000::/3")
#: https://www.iana.org/assignments/iana-ipv6-special-registry, as far as it lies in there.
SPECIAL_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo (which carries an IPv4 address), benchmarks, ORCHID and others
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


def is_public(address: Address) -> bool:
    """Whether this address is on the public internet, as far as the address itself shows."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in SPECIAL_IPV4)
    return (
        address.scope_id is None
        and address in GLOBAL_UNICAST
        and not any(address in network for network in SPECIAL_IPV6)
    )


def literal(host: str) -> Address | None:
    """The address that a host spells, or None for a name; an IPv4 address counts only in its canonical spelling."""
    try:
        return ip_address(host)
    except ValueError:
        return None
