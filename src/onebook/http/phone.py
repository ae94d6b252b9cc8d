"""A phone as a viewer: a link that works once, shown as a QR code, gives a cookie of a token of its own."""

import secrets
import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onebook.domain import times
from onebook.domain.facts import Token
from onebook.errors import BadConfig, NotAllowed
from onebook.http.auth import is_loopback
from onebook.http.calls import Reply
from onebook.http.secrets import TOKEN_PREFIX, digest_of, is_secret, new_secret

if TYPE_CHECKING:
    from onebook.http.service import Service

ROLES = ("viewer", "accountant", "operator")
LINK_NS = 600 * times.SECOND
"""How long a link works: ten minutes."""
TOKEN_NS = 90 * 86_400 * times.SECOND
"""How long a phone's token works: ninety days; ``onebook token revoke`` ends it sooner."""
CODE_BYTES = 16
MOST_PHONES = 100
EVERYWHERE = "0.0.0.0"  # noqa: S104  so that a phone can reach it; every request needs a token there

PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta http-equiv="refresh" content="0; url=/"><title>onebook</title>'
    '<p>This phone may look now. <a href="/">Go on</a>.'
)
"""What a link answers: a page that goes on by itself. A redirect would come from elsewhere, without the cookie."""


def check_phone(role: str, *, is_read_only: bool, is_secure: bool) -> None:
    """Refuse a link that could let nobody in.

    Args:
        role: of who uses it.
        is_read_only: the service takes nothing.
        is_secure: a token of an operator may go over its connections.

    Raises:
        BadConfig: there is no such role, or the service takes nothing, or an operator would come without TLS.
    """
    if role not in ROLES:
        msg = f"--phone-role {role[:40]}: is none of {', '.join(ROLES)}"
        raise BadConfig(msg, role=role)
    if is_read_only:
        raise BadConfig("--phone makes a token in the book, and --read-only takes nothing; leave one of them out")
    if role == "operator" and not is_secure:
        msg = "--phone-role operator: its token goes through TLS only; give --tls-cert and --tls-key, or --insecure"
        raise BadConfig(msg, role=role)


class PhoneLink:
    """One link that may be used once.

    Args:
        service: to which it leads.
        role: of who uses it: ``viewer``, ``accountant`` or ``operator``.

    Raises:
        BadConfig: there is no such role, or the service takes nothing, or an operator would come without TLS.
    """

    def __init__(self, service: "Service", role: str, *, is_insecure: bool = False) -> None:
        check_phone(role, is_read_only=service.is_read_only, is_secure=service.is_secure or is_insecure)
        self.role = role
        self._service = service
        self._lock = threading.Lock()
        self._code = TOKEN_PREFIX + secrets.token_urlsafe(CODE_BYTES)  # begins like a token: logs mask it
        self._digest: str | None = digest_of(self._code)
        self.ends_ns = service.book.now() + LINK_NS

    def url(self, base: str) -> str:
        """Return the link.

        Args:
            base: of the service as a phone reaches it: ``http://192.168.1.20:8321``.
        """
        return f"{base}/login?code={self._code}"

    def exchange(self, code: str) -> tuple[str, Token]:
        """Return the secret of a new token, and the token; the link is used up.

        Args:
            code: of the link.

        Raises:
            NotAllowed: it is another code, or the link was used, or is too old.
        """
        with self._lock:
            right = is_secret(code, self._digest if self._digest is not None else "0" * 64)
            if not right or self._service.book.now() > self.ends_ns:
                raise _no_link()
            self._digest = None
        book = self._service.book
        secret = new_secret(TOKEN_PREFIX)
        token = Token(
            name=self._free_name(), role=self.role, digest=digest_of(secret),
            expires_at=times.to_datetime(book.now() + TOKEN_NS),
        )  # fmt: skip
        with book.acting(token.name):
            book.record(token)
        return secret, token

    def _free_name(self) -> str:
        """Return a name that no token has which still opens something: ``phone``, ``phone-2`` and so on.

        Raises:
            NotAllowed: there are too many.
        """
        now = self._service.book.now()
        taken = {
            item.name
            for item in self._service.book.facts("token")
            if not item.is_revoked
            and (item.expires_at is None or times.from_datetime("expires_at", item.expires_at) > now)
        }
        for number in range(1, MOST_PHONES + 1):
            name = "phone" if number == 1 else f"phone-{number}"
            if name not in taken:
                return name
        msg = f"{MOST_PHONES} phones have a token; revoke some: onebook token list"
        raise NotAllowed(msg)


def _no_link() -> NotAllowed:
    return NotAllowed("this link was used, or is too old; start onebook serve --phone again for a new one", status=403)


def home_address() -> str:
    """Return this machine's address in its network; nothing is sent to find it.

    Raises:
        BadConfig: it is in none.
    """
    found = ""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # an address that nobody has: which way would it go?
            found = str(probe.getsockname()[0])
    except OSError:
        try:
            found = socket.gethostbyname(socket.gethostname())
        except OSError:
            found = ""
    if not found or is_loopback(found) or found == EVERYWHERE:
        raise BadConfig("--phone: this machine is in no network that a phone could reach; name an address with --host")
    return found


def own_names(address: str) -> tuple[str, ...]:
    """Return the names under which a phone may ask for this machine: its address, its host name, also as ``.local``."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return tuple(dict.fromkeys(part for part in (address, name, short, f"{short}.local") if part))


def base_of(url: str, host: str) -> str:
    """Return the address of a service as a phone reaches it.

    Args:
        url: at which it serves: ``http://0.0.0.0:8321``.
        host: the name or the address to use instead.
    """
    scheme, _, rest = url.partition("://")
    port = rest.rpartition(":")[2]
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{shown}:{port}"


def drawn(url: str) -> Sequence[str]:
    """Return a QR code as lines for a terminal.

    Raises:
        BadConfig: the package for it is not installed.
    """
    from io import StringIO

    try:
        import segno
    except ModuleNotFoundError:
        raise BadConfig('segno is not installed: pip install "onebook[serve]"', package="segno") from None
    out = StringIO()
    segno.make(url, error="m", micro=False).terminal(out, compact=True)
    return out.getvalue().splitlines()


def routes(_service: "Service") -> list[Any]:
    """Return the handler of links."""
    from litestar import Request, Response, get
    from litestar.enums import MediaType

    from onebook.http.auth import cookie_name
    from onebook.http.problems import problem_of, response

    @get("/login", sync_to_thread=True)
    def link(request: Request[Any, Any, Any]) -> Any:
        """Take the code of a link, and give the cookie of a new token."""
        service = request.state.service
        made: PhoneLink | None = service.part("phone", lambda _: None)
        try:
            if made is None:
                raise _no_link()
            secret, _ = made.exchange(request.query_params.get("code", ""))
        except NotAllowed as problem:
            return response(_refused(problem_of(problem)))
        answer = Response(PAGE, media_type=MediaType.HTML)
        answer.set_cookie(
            cookie_name(request.scope), secret, httponly=True, samesite="strict", path="/", secure=service.is_secure,
            max_age=TOKEN_NS // times.SECOND,
        )  # fmt: skip
        return answer

    return [link]


def _refused(reply: Reply) -> Reply:
    """Return a refusal that is kept nowhere."""
    return Reply(body=reply.body, status=reply.status, type=reply.type, headers={"cache-control": "no-store"})
