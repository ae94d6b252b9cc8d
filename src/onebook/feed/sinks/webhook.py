"""A webhook: each event is posted to a URL, as signed JSON, and counts as delivered once the other side says 2xx.

The body is the event as ``onebook tail --json`` prints it. It may come more than once: ``Idempotency-Key`` is the
same each time. Receivers check it with :func:`verify_signature`.
"""

import base64
import hashlib
import hmac
import os
import ssl
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from onebook.clock import system_clock
from onebook.config import Key
from onebook.config.values import seconds, switch, text
from onebook.domain import times
from onebook.domain.reports import Event, as_json
from onebook.errors import BadConfig, BadPayload, RateLimited, SourceError
from onebook.feed.sink import Around, Later, Sink
from onebook.feed.sinks.options import needed, optional, path, secret
from onebook.feed.sinks.outside import Url, split_url
from onebook.feed.sinks.posting import Answer, Poster, Reach
from onebook.feed.sinks.wording import plain_text

TIMESTAMP = "X-Onebook-Timestamp"
SIGNATURE = "X-Onebook-Signature"
IDEMPOTENCY_KEY = "Idempotency-Key"

_VERSION = "v1="
_SHOWN = 200
_MOST_SECRET = 10_000
_LONGEST_PAUSE = 3600
_PATIENCE = times.DAY
"""How long the other side may ask for patience about one event before that counts as failing."""

_AGAIN = frozenset({408, 425})

OPTIONS: dict[str, Key] = {
    "url": Key(
        take=secret, default=None, needed=True, help="where to: https://…; user and password in it become a header"
    ),
    "secret": Key(take=optional(secret), default=None, help="with which posts are signed; one of the three is needed"),
    "secret_env": Key(take=optional(text), default=None, help="the environment variable that holds the secret"),
    "secret_file": Key(take=optional(path), default=None, help="the file that holds the secret"),
    "timeout_seconds": Key(take=seconds(0.1, 300), default=10.0, help="longest one post may take, with its answer"),
    "allow_private": Key(take=switch, default=False, help="allow addresses of this machine and private networks"),
    "allow_plain": Key(take=switch, default=False, help="allow http without TLS to addresses of everyone"),
    "ca_file": Key(take=optional(path), default=None, help="certificates to trust, PEM; none: the system's"),
}


def make(around: Around, options: dict[str, Any]) -> Sink:
    """Return a sink that posts to one URL.

    Args:
        around: what it may look at.
        options: all of :data:`OPTIONS`, taken.

    Raises:
        BadConfig: no URL, one that may not be reached, no secret, or a file that cannot be read.
    """
    url = split_url("url", needed(options, "url", around.name))
    key = _secret(around.name, options)
    reach = Reach(
        allow_private=options["allow_private"],
        allow_plain=options["allow_plain"],
        timeout_seconds=options["timeout_seconds"],
        context=_context(options["ca_file"]),
    )
    reach.check("url", url)
    return Webhook(around, url, key, Poster(url, reach))


class Webhook:
    """Posts each event to one URL."""

    max_batch = 1

    def __init__(self, around: Around, url: Url, secret: bytes, poster: Poster) -> None:
        self._around = around
        self._url = url
        self._secret = secret
        self._poster = poster
        self._put_off: tuple[str, int] = ("", 0)

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:  # noqa: ARG002  each event goes out by itself
        """Post events.

        Raises:
            Later: the other side asks to come back later.
            RateLimited: it asks for fewer posts, or asked for a day to come back later.
            SourceError: it cannot be reached, or says that it failed.
            BadPayload: it refuses the event, or sends us elsewhere.
        """
        for event in events:
            body = as_json(event).encode()
            self._judge(event, self._poster.post(self._headers(event, body), body))
        return True

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        timestamp = str(self._around.clock() // times.SECOND)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "onebook",
            IDEMPOTENCY_KEY: quote(self._around.key(event), safe=":/.@+=,~"),
            TIMESTAMP: timestamp,
            SIGNATURE: signature(self._secret, timestamp, body),
        }
        if self._url.user is not None:
            login = f"{self._url.user}:{self._url.password}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(login).decode("ascii")
        return headers

    def _judge(self, event: Event, answer: Answer) -> None:
        status = answer.status
        place = self._url.place
        if 200 <= status < 300:
            return
        if status in {429, 503} and answer.retry_after:
            self._put_off_or_fail(event, answer)
        if status == 429:
            msg = f"{place} asks for fewer posts (status 429)"
            raise RateLimited(msg, status=status)
        if 300 <= status < 400:
            to = plain_text(answer.location.partition("?")[0]) or "nowhere"
            msg = f"{place} redirects to {to} (status {status}); redirects are not followed, write that as the url"
            raise BadPayload(msg, status=status)
        if status in _AGAIN or status >= 500 or status < 200:
            msg = f"{place} answered with status {status}{self._told(answer)}"
            raise SourceError(msg, status=status)
        msg = f"{place} refuses event {event.id} with status {status}{self._told(answer)}"
        raise BadPayload(msg, status=status)

    def _told(self, answer: Answer) -> str:
        told = answer.body.decode("utf-8", "replace")
        for hidden in (self._secret.decode("utf-8", "replace"), self._url.password, self._url.user):
            told = told.replace(hidden, "***") if hidden else told
        told = plain_text(told, _SHOWN)
        return f": {told}" if told else ""

    def _put_off_or_fail(self, event: Event, answer: Answer) -> None:
        """Come back when the other side asks for it, for a day at most.

        Raises:
            Later: so long from now.
        """
        now = self._around.clock()
        pause = _pause(answer.retry_after, now)
        name, since = self._put_off
        if name != event.id:
            since = now
            self._put_off = (event.id, now)
        if pause is not None and now - since < _PATIENCE:
            raise Later(pause)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature of a body: ``v1=`` and HMAC-SHA256, in hex, of the timestamp, a dot and the body.

    Args:
        secret: what both sides know.
        timestamp: seconds since 1970 UTC, as the header has it.
        body: the bytes as they are sent.

    Source: RFC 2104 for HMAC.
    """
    return _VERSION + hmac.new(secret, timestamp.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()


def verify_signature(
    secret: str | bytes,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_seconds: float = 300,
    now: float | None = None,
) -> bool:
    """Say whether a post comes from who knows the secret, is unchanged, and is fresh. For receivers.

    Check it before reading the body, over the bytes as they came. A post may come again within the tolerance: tell
    it by its ``Idempotency-Key``.

    Args:
        secret: as in the route's options.
        headers: of the request; their names in any case.
        body: of the request.
        tolerance_seconds: how far its timestamp may be from now, either way.
        now: seconds since 1970 UTC; None: by the machine's clock.

    Example:
        >>> body = b"{}"
        >>> headers = {TIMESTAMP: "1767603600", SIGNATURE: signature(b"hush", "1767603600", body)}
        >>> verify_signature("hush", headers, body, now=1767603610)
        True
        >>> verify_signature("hush", headers, body, now=1767607200)
        False
    """
    found = {name.lower(): value for name, value in headers.items()}
    timestamp, given = found.get(TIMESTAMP.lower(), ""), found.get(SIGNATURE.lower(), "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    moment = system_clock() / times.SECOND if now is None else now
    if abs(moment - int(timestamp)) > tolerance_seconds:
        return False
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.compare_digest(signature(key, timestamp, body).encode(), given.encode())


def _pause(retry_after: str, now: int) -> float | None:
    """Return what a Retry-After header asks for, 1 to 3600 s; None where it cannot be read."""
    said = retry_after.strip()
    if said.isascii() and said.isdecimal():
        return float(min(max(int(said[:9]), 1), _LONGEST_PAUSE))
    try:
        moment = parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        return None
    wait = (times.from_datetime("Retry-After", moment) - now) / times.SECOND
    return min(max(wait, 1.0), float(_LONGEST_PAUSE))


def _secret(route: str, options: dict[str, Any]) -> bytes:
    given = [name for name in ("secret", "secret_env", "secret_file") if options[name] is not None]
    if len(given) != 1:
        said = "more than one secret is given" if given else "a secret is missing; posts are signed with it"
        msg = f"route {route}: {said}; write one of secret, secret_env and secret_file"
        raise BadConfig(msg, key="secret")
    name = given[0]
    if name == "secret":
        found: str = options[name]
    elif name == "secret_env":
        found = os.environ.get(options[name], "").strip()
    else:
        found = _from_file(options[name])
    if not found:
        msg = f"route {route}: {name}: {options[name]} is empty or not set; put the secret there"
        raise BadConfig(msg, key=name)
    return found.encode()


def _from_file(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_SECRET).decode().strip()
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        msg = f"secret_file: {file} cannot be read ({why})"
        raise BadConfig(msg, key="secret_file") from None


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "no certificates in it"
        msg = f"ca_file: {ca_file} cannot be used ({why})"
        raise BadConfig(msg, key="ca_file") from None
