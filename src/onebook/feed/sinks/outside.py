"""Addresses outside: taking a URL apart, and which addresses of a host may be connected to.

A name in a URL can lead into the own network: to a router, a database, a cloud's metadata. So a name is resolved
once, every address it has is looked at, and the connection goes to one of the very addresses that were.
"""

import ipaddress
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from onebook.errors import BadConfig, SourceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
SocketAddress = tuple[str, int] | tuple[str, int, int, int]

_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_GLOBAL = (
    ipaddress.IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    ipaddress.IPv6Network("3fff::/20"),  # documentation
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocol assignments
    ipaddress.IPv4Network("192.88.99.0/24"),  # relays of 6to4
)
_ISATAP = (0x5EFE, 0x2005EFE)
_LOCAL_NAMES = (".local", ".localhost", ".internal", ".lan", ".home.arpa")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL taken apart. ``user`` and ``password`` are secrets, and so may be what ``target`` holds.

    Attributes:
        scheme: ``http`` or ``https``.
        host: in ASCII, without brackets.
        port: 1 to 65535.
        target: path and query.
        user: before the ``@``; None without one.
        password: behind it.
    """

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """What may be shown of it: scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


def split_url(key: str, text: str) -> Url:
    """Take a URL apart.

    Args:
        key: the option, for messages; they never show the URL.
        text: the URL.

    Raises:
        BadConfig: it is none of http or https, or holds what no URL does.
    """
    if not text.isascii() and not text.isprintable():
        raise _bad(key, "holds characters that no URL has")
    if any(letter <= " " or letter in {"\x7f", "\\"} for letter in text):
        raise _bad(key, "holds blanks, line ends or backslashes")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
        host = host if ":" in host else host.encode("idna").decode("ascii")
    except ValueError:
        raise _bad(key, "cannot be read") from None
    if parts.scheme not in _PORTS or not host or port == 0:
        raise _bad(key, "is no address such as https://example.com/hook")
    if not parts.path.isascii() or not parts.query.isascii():
        raise _bad(key, "holds letters beyond ASCII; write them as %C3%A9 and so on")
    return Url(
        scheme=parts.scheme,
        host=host,
        port=port or _PORTS[parts.scheme],
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        user=None if parts.username is None else unquote(parts.username),
        password=unquote(parts.password or ""),
    )


def _bad(key: str, why: str) -> BadConfig:
    msg = f"{key}: the URL (not shown, it may hold secrets) {why}"
    return BadConfig(msg, key=key)


def is_global(address: Address) -> bool:
    """Say whether an address is reachable from everywhere, whatever it is wrapped in; multicast is not."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_global(inner)
        if address not in _UNICAST or int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
            return False
    odd = address.is_multicast or address.is_reserved or address.is_private or not address.is_global
    return not odd and not any(address.version == net.version and address in net for net in _NOT_GLOBAL)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the address that an IPv6 one only wraps: mapped, 6to4, NAT64."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def literal(host: str) -> Address | None:
    """Return the address that a host is written as; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_local_name(host: str) -> bool:
    """Say whether a name stands for something near by what it ends in."""
    return host.lower() == "localhost" or host.lower().endswith(_LOCAL_NAMES)


def addresses(url: Url) -> list[tuple[socket.AddressFamily, SocketAddress]]:
    """Return where a URL's host can be connected to, each address once.

    Raises:
        SourceError: the name has no address.
    """
    try:
        found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or "no such name"
        msg = f"{url.place}: the name cannot be resolved ({why})"
        raise SourceError(msg, place=url.place) from None
    unique = {(family, place): None for family, _, _, _, place in found}
    return [(family, _socket_address(place)) for family, place in unique]


def _socket_address(place: tuple[object, ...]) -> SocketAddress:
    host, port = str(place[0]), int(str(place[1]))
    if len(place) == 4:  # IPv6: flow and scope follow
        return host, port, int(str(place[2])), int(str(place[3]))
    return host, port


def address_of(place: SocketAddress) -> Address:
    """Return the address in a socket address, without its scope."""
    return ipaddress.ip_address(place[0].partition("%")[0])
