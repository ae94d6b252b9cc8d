"""How a service is reached: its address, the token, how long to wait, and whom to trust."""

import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from onebook.errors import BadConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a service is reached.

    Attributes:
        url: its address.
        token: of this client; None for none.
        timeout_seconds: how long one try may take.
        patience_seconds: how long a call may take with all its tries.
        ca: file with the certificates that are trusted, in place of the usual ones.
        jitter: a number from 0 to 1 by chance.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    timeout_seconds: float = 10.0
    patience_seconds: float = 30.0
    ca: str | None = None
    jitter: Callable[[], float] = random.random


def checked_url(terms: Terms) -> str:
    """Return the address without a slash at its end.

    Raises:
        BadConfig: it is none.
    """
    given: object = terms.url
    text = given.strip() if isinstance(given, str) else ""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_whole, parts = False, urlsplit("")
    if not is_whole or parts.query or parts.fragment:
        msg = f"url: {given!r:.100} is no address of a service; write http://127.0.0.1:8321 or https://book.example"
        raise BadConfig(msg, field="url")
    if parts.path.rstrip("/").endswith("/v1"):
        msg = f"url: {given!r:.100} ends in /v1, which is added to each request; leave it out"
        raise BadConfig(msg, field="url")
    if parts.username is not None:
        msg = "url: holds a name or password; give the token as token="
        raise BadConfig(msg, field="url")
    if terms.token is not None and (not terms.token.isascii() or not terms.token.isprintable() or " " in terms.token):
        msg = "token: is no token; hand over what onebook token create printed"
        raise BadConfig(msg, field="token")
    for name in ("timeout_seconds", "patience_seconds"):
        seconds: object = getattr(terms, name)
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= 86_400:
            msg = f"{name}: {seconds!r} is no number of seconds above 0, at most 86400"
            raise BadConfig(msg, field=name, value=seconds)
    return text.rstrip("/")


def trust_of(url: str, ca: str | None) -> ssl.SSLContext | bool:
    """Return what says whom to trust; without TLS there is nothing to say, and nothing is loaded."""
    if ca is None:
        return url.startswith("https:")
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as problem:
        msg = f"ca: {ca} holds no certificates that can be read: {problem}"
        raise BadConfig(msg, field="ca") from None
