"""Who calls: from the token of a request, its cookie, or the machine it comes from."""

import ipaddress
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from onebook.app import Book
from onebook.domain import times
from onebook.domain.facts import Hook, Token
from onebook.errors import NotAllowed
from onebook.http.secrets import LONGEST, digest_of, is_csrf, is_secret

Scope = Any
"""An ASGI scope: a mapping that libraries type in their own ways."""

COOKIE = "onebook"
CSRF_HEADER = "X-Onebook-CSRF"
UNAUTHORIZED = 401
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

FEW = 1000
"""So many new entries are looked through for a token; after more the tokens are read as they stand."""

_FORWARDED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_TOKEN = "send a token: Authorization: Bearer …; onebook token create makes one"  # noqa: S105  a sentence


_Found = TypeVar("_Found", Token, Hook)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends a request.

    Attributes:
        name: for the log.
        role: ``viewer``, ``accountant``, ``operator`` or ``bot``.
        strategy: of a bot, the only one it records for.
        how: ``bearer``, ``cookie``, ``loopback``, ``hook`` or ``none``.
    """

    name: str
    role: str
    strategy: str = ""
    how: str = "bearer"


class Access:
    """Who may use a service, as the log says it now.

    Tokens and hooks are read again when the log has a new one. While the service runs it follows the log, so what
    another process revokes counts here too, a few hundredths of a second later.

    Args:
        book: in which tokens and hooks are.
        is_secure: the service speaks TLS.
        is_insecure: operators may send their token without TLS from other machines.
    """

    def __init__(self, book: Book, *, is_secure: bool = False, is_insecure: bool = False) -> None:
        self._book = book
        self._is_secure = is_secure
        self._is_insecure = is_insecure
        self._lock = threading.Lock()
        self._seen = -1 - FEW
        self._by_digest: dict[str, Token] = {}
        self._hooks: dict[str, Hook] = {}
        self._was_made = False
        self._generation = 0
        self._ends: dict[str, int] = {}
        self._refresh(book.wakeups.look())

    # ---- what the log says ----

    def _refresh(self, head: int) -> None:
        if head == self._seen:
            return
        with self._lock:
            if head - self._seen > FEW or self._has_news():
                tokens: list[Token] = self._book.facts("token")
                self._was_made = bool(tokens)
                self._by_digest = {token.digest: token for token in tokens}
                self._hooks = {hook.name: hook for hook in self._book.facts("hook")}
                self._ends = {
                    token.name: times.from_datetime("expires_at", token.expires_at)
                    for token in tokens
                    if token.expires_at is not None
                }
                self._generation += 1
            self._seen = head

    def _known(self, find: Callable[[], _Found | None]) -> _Found | None:
        """Return what is asked for as the log says it; what was made just now is looked for."""
        self._refresh(self._book.wakeups.head)
        found = find()
        if found is None:
            self._refresh(self._book.wakeups.look())
            found = find()
        return found

    def _has_news(self) -> bool:
        news = self._book.events(after=self._seen, types=("token_defined", "hook_defined"))
        return next(iter(news), None) is not None

    def _is_over(self, token: Token) -> bool:
        return token.name in self._ends and self.is_past(self._ends[token.name])

    def is_past(self, moment: int) -> bool:
        """Say whether a moment has come, in nanoseconds since 1970 UTC."""
        return moment <= self._book.now()

    def generation(self) -> int:
        """Return a number that is another one after tokens or hooks were made or revoked."""
        self._refresh(self._book.wakeups.head)
        return self._generation

    def end_of(self, caller: Caller) -> int | None:
        """Return when a caller's token ends, in nanoseconds since 1970 UTC; None: never.

        Args:
            caller: as :meth:`caller_of` returned it.
        """
        return self._ends.get(caller.name)

    def has_tokens(self) -> bool:
        """Say whether there is a token that opens anything."""
        self._refresh(self._book.wakeups.look())
        return any(not token.is_revoked and not self._is_over(token) for token in self._by_digest.values())

    # ---- tokens ----

    def token_of(self, secret: str) -> Token:
        """Return the token of a secret.

        Raises:
            NotAllowed: there is none, or it opens nothing any more.
        """
        found = self._known(lambda: self._by_digest.get(digest_of(secret)) if len(secret) <= LONGEST else None)
        if found is None or not is_secret(secret, found.digest):
            raise NotAllowed("this token is not known; onebook token list shows those that are", status=UNAUTHORIZED)
        if found.is_revoked:
            raise NotAllowed(f"the token {found.name} is revoked; use another", status=UNAUTHORIZED)
        if self._is_over(found):
            msg = f"the token {found.name} has expired; use another"
            raise NotAllowed(msg, status=UNAUTHORIZED)
        return found

    def hook_of(self, name: str, secret: str) -> Hook:
        """Return the hook of a name, for who knows its secret.

        Raises:
            NotAllowed: there is none of this name, it is revoked, or the secret is another.
        """
        found = self._known(lambda: self._hooks.get(name))
        right = is_secret(secret, found.digest if found is not None else "0" * 64)
        if found is None or found.is_revoked or not right:
            raise NotAllowed("no hook has this address; onebook hook list shows those that are", status=404)
        return found

    # ---- requests ----

    def caller_of(self, scope: Scope) -> Caller | None:
        """Return who sends a request; None when it does not say and comes from elsewhere.

        Args:
            scope: of ASGI.

        Raises:
            NotAllowed: its token opens nothing here, or it comes without what protects its cookie.
        """
        secret = _bearer(scope)
        how = "bearer"
        if secret is None:
            secret, how = _cookie(scope), "cookie"
        if secret is None:
            return self._neighbour(scope)
        caller = self.caller_with(secret, scope, how=how)
        if how == "cookie" and scope.get("method", "GET") not in _SAFE and not is_csrf(_csrf(scope), secret):
            msg = f"a page must send {CSRF_HEADER}, as GET /v1/session says it; load the page again"
            raise NotAllowed(msg, header=CSRF_HEADER)
        return caller

    def caller_with(self, secret: str, scope: Scope, *, how: str = "bearer") -> Caller:
        """Return who has the secret of a token.

        Args:
            secret: as it was sent.
            scope: of the request it came with.
            how: it came.

        Raises:
            NotAllowed: it opens nothing here.
        """
        token = self.token_of(secret)
        if token.role == "operator" and not (self._is_secure or self._is_insecure or is_near(scope)):
            msg = (
                f"{token.name} may operate: such a token goes through TLS only, from another machine. "
                "Start onebook serve with --tls-cert and --tls-key, or with --insecure"
            )
            raise NotAllowed(msg)
        return Caller(name=token.name, role=token.role, strategy=token.strategy, how=how)

    def is_allowed(self, scope: Scope) -> bool:
        """Say whether whoever began a stream may still read it: tokens expire, and are revoked."""
        began: Caller | None = (scope.get("state") or {}).get("caller")
        try:
            now = self.caller_of(scope)
        except NotAllowed:
            return False
        return now is not None and (began is None or (now.name, now.role) == (began.name, began.role))

    def _neighbour(self, scope: Scope) -> Caller | None:
        """Return the caller on this machine; one that came through a proxy is not."""
        if not is_near(scope) or _is_forwarded(scope) or not is_loopback(host_name(host_of(scope))):
            return None
        self._refresh(self._book.wakeups.head)
        return Caller(name="loopback", role="viewer" if self._was_made else "operator", how="loopback")


def needs_token() -> NotAllowed:
    """Return the refusal of a request that does not say who sends it."""
    return NotAllowed(_NO_TOKEN, status=UNAUTHORIZED)


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of a name in small letters; None when there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def host_of(scope: Scope) -> str:
    """Return the Host of a request as it was sent; empty when it has none or several."""
    found = [value for key, value in scope["headers"] if key == b"host"]
    return str(found[0].decode("latin-1")) if len(found) == 1 else ""


def host_name(host: str) -> str:
    """Return a Host without its port, in small letters; an IPv6 address keeps its brackets."""
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


def is_near(scope: Scope) -> bool:
    """Say whether a request comes from this machine."""
    peer = scope.get("client")
    return bool(peer) and is_loopback(peer[0])


@lru_cache(1024)
def is_loopback(address: str) -> bool:
    """Say whether a name or an address is this machine's own."""
    if address.lower() == "localhost":
        return True
    try:
        found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return found.is_loopback or (mapped is not None and mapped.is_loopback)


def cookie_name(scope: Scope) -> str:
    """Return the name of the service's cookie: cookies do not tell ports apart, so that the name does."""
    server = scope.get("server")
    return f"{COOKIE}_{server[1]}" if server and server[1] else COOKIE


def _is_forwarded(scope: Scope) -> bool:
    return any(name in _FORWARDED for name, _ in scope["headers"])


def _bearer(scope: Scope) -> str | None:
    given = header(scope, b"authorization")
    if given is None:
        return None
    kind, _, secret = given.decode("latin-1").strip().partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        msg = "Authorization: only Bearer is known; send Authorization: Bearer TOKEN"
        raise NotAllowed(msg, status=UNAUTHORIZED)
    return secret.strip()


def _cookie(scope: Scope) -> str | None:
    wanted = cookie_name(scope)
    for key, value in scope["headers"]:
        if key == b"cookie":
            for part in value.decode("latin-1").split(";"):
                name, _, found = part.strip().partition("=")
                if name == wanted and found:
                    return str(found)
    return None


def _csrf(scope: Scope) -> str:
    return (header(scope, CSRF_HEADER.lower().encode()) or b"").decode("latin-1")
