"""Requests that say again what was let in before: they are not asked everything anew.

Host, origin, caller and role follow from what a request says, from the tokens, and from the moment at which a token
ends. A request that says the same to the byte gets the same, as long as no token or hook was made or revoked.
"""

from collections.abc import Hashable
from typing import NamedTuple

from onebook.http.auth import Access, Caller, Scope

MOST = 1024
"""Requests that are kept; the oldest goes."""

LONGEST = 4096
"""Bytes of one that is kept."""

ASIDE = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"content-length",
        b"idempotency-key",
        b"if-none-match",
        b"last-event-id",
        b"traceparent",
        b"user-agent",
        b"x-request-id",
    }
)
"""Headers on which nothing depends of what may be asked, by whom."""


class Past(NamedTuple):
    """What became of one: who sent it, whose share it used, and when the token ends, in ns since 1970; None: never."""

    caller: Caller
    who: str
    ends: int | None


class Passed:
    """Remembers what was let in.

    Args:
        access: who may use the service.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._generation = access.generation()
        self._past: dict[Hashable, Past] = {}

    def find(self, said: Hashable) -> Past | None:
        """Return what became of a request that said the same.

        Args:
            said: as :func:`said_by` returns it.
        """
        generation = self._access.generation()
        if generation != self._generation:
            self._past.clear()
            self._generation = generation
            return None
        past = self._past.get(said)
        if past is not None and past.ends is not None and self._access.is_past(past.ends):
            del self._past[said]
            return None
        return past

    def keep(self, said: Hashable, caller: Caller, who: str) -> None:
        """Keep one that was let in, looked for a moment ago.

        Args:
            said: as :func:`said_by` returns it.
            caller: who sent it.
            who: whose share of requests it used.
        """
        if self._access.generation() != self._generation:
            return
        if len(self._past) >= MOST:
            del self._past[next(iter(self._past))]
        self._past[said] = Past(caller, who, self._access.end_of(caller))


def said_by(scope: Scope) -> Hashable | None:
    """Return everything that decides about a request of HTTP; None when that is too much to keep.

    Args:
        scope: of ASGI.
    """
    peer, server = scope.get("client"), scope.get("server")
    said = [
        scope["method"],
        scope["path"],
        scope.get("scheme"),
        peer[0] if peer else None,
        tuple(server) if server else None,
    ]
    size = len(scope["path"])
    for name, value in scope["headers"]:
        if name not in ASIDE:
            said += (name, value)
            size += len(name) + len(value)
    return tuple(said) if size <= LONGEST else None
