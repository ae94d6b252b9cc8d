"""Whether a request was meant for this service: its Host, and where a browser says that it comes from.

A web page of somebody else can send requests to this machine, and a name of somebody else can be made to point to
it. The first is told by what browsers send along, the second by the Host.
"""

from collections.abc import Iterable
from typing import Any

from onebook.errors import InputError, NotAllowed
from onebook.http.auth import LOOPBACK_NAMES, Scope, header, host_name, host_of

_OWN = frozenset({"same-origin", "none"})
_SAFE = frozenset({"GET", "HEAD"})
_DATA = ("/v1/", "/metrics")


def hosts_of(host: str, more: Iterable[str] = ()) -> frozenset[str]:
    """Return the names under which a service may be asked.

    Args:
        host: on which it listens; an address that stands for all is no name.
        more: further ones, with or without a port.
    """
    named = {host_name(_bracketed(name)) for name in (host, *more) if name not in {"0.0.0.0", "::", ""}}  # noqa: S104
    return LOOPBACK_NAMES | named


def _bracketed(name: str) -> str:
    """Return an IPv6 address as a Host has it."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def check_origin(scope: Scope, hosts: frozenset[str]) -> None:
    """Refuse a request that was not meant for this service.

    Args:
        scope: of ASGI.
        hosts: the names under which it may be asked.

    Raises:
        InputError: it has no Host, or several.
        NotAllowed: the Host is none of ours, or a page of another origin sends it.
    """
    host = host_of(scope)
    if not host:
        raise InputError("Host: a request needs one, and only one", field="host")
    name = host_name(host)
    if name not in hosts and name != _here(scope):
        msg = f"Host: {host[:80]!r} is no name of this service; allow it with --allow-host {name[:80]}"
        raise NotAllowed(msg, host=host)
    origin = header(scope, b"origin")
    if origin is not None and not _is_ours(origin.decode("latin-1"), host, scope):
        msg = f"Origin: {origin.decode('latin-1')[:80]!r} is not this service; pages of others may not call it"
        raise NotAllowed(msg, origin=origin.decode("latin-1"))
    site = header(scope, b"sec-fetch-site")
    if site is not None and site.decode("latin-1") not in _OWN and not _is_visit(scope):
        msg = "Sec-Fetch-Site: a page of somebody else sends this; only pages of this service may"
        raise NotAllowed(msg, site=site.decode("latin-1"))


def _here(scope: Scope) -> str:
    """Return the address that a request came to; a literal address cannot be made to point elsewhere."""
    server = scope.get("server")
    return _bracketed(str(server[0]).lower()) if server and server[0] else ""


def _is_ours(origin: str, host: str, scope: Scope) -> bool:
    """Say whether an Origin is this service under the Host that was asked; a proxy in front may add the TLS."""
    scheme, _, rest = origin.partition("://")
    if rest.lower() != host.strip().lower():
        return False
    own = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    return scheme == own or (scheme == "https" and host_name(host) not in LOOPBACK_NAMES)


def _is_visit(scope: Any) -> bool:
    """Say whether somebody follows a link to one of our pages: that shows no figure to the page they come from."""
    return (
        scope["type"] == "http"
        and scope["method"] in _SAFE
        and header(scope, b"sec-fetch-mode") == b"navigate"
        and header(scope, b"sec-fetch-dest") == b"document"
        and not scope["path"].startswith(_DATA)
    )
