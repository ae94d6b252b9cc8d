"""``onebook serve``: the book over HTTP, until Ctrl-C or SIGTERM."""

import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onebook.cli.session import Session, session
from onebook.cli.tables import print_object
from onebook.config.values import count
from onebook.errors import BadConfig, StoreError

if TYPE_CHECKING:
    from onebook.app import Book
    from onebook.config import Config
    from onebook.http.phone import PhoneLink
    from onebook.http.service import Service

MAX_PORT = 65_535


def serve(  # noqa: PLR0913  the options of the contract
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option("--host", help="Where to listen; else serve.host: 127.0.0.1.")] = None,
    port: Annotated[str | None, typer.Option("--port", help="Else serve.port: 8321. 0: any that is free.")] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Take nothing in; a second process may do so.")
    ] = False,
    allow_hosts: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A further name under which it may be asked; repeat it."),
    ] = None,
    cert: Annotated[
        str | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate with its chain, PEM.")
    ] = None,
    key: Annotated[str | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, PEM.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Take tokens of operators without TLS from other machines.")
    ] = False,
    phone: Annotated[bool, typer.Option("--phone", help="Show a QR code that lets one phone in.")] = False,
    phone_role: Annotated[
        str, typer.Option("--phone-role", help="Of that phone: viewer, accountant or operator.")
    ] = "viewer",
) -> None:
    """Serve the book: dashboard, API, live events. On this machine only, unless --host says otherwise."""
    from onebook.http.auth import is_loopback
    from onebook.http.phone import check_phone
    from onebook.http.service import make_service
    from onebook.http.serving import Serving, check_names, check_reach, check_tls, listening

    here = session(ctx)
    config = here.config
    names = list(allow_hosts or ())
    reached = _reached(host, config, names) if phone else None
    host = reached[0] if reached else host or config.get("serve.host")
    at = config.get("serve.port") if port is None else count(0, MAX_PORT)("--port", port)
    cert, key = cert or config.get("serve.tls_cert"), key or config.get("serve.tls_key")
    is_secure = check_tls(cert, key)
    check_names((*names, *config.get("serve.allow_hosts")))
    if reached is not None:
        check_phone(phone_role, is_read_only=read_only, is_secure=is_secure or insecure)
    listening(host, at).close()  # what cannot be is said before a book is made
    with _opened(here, host, read_only=read_only, needs_token=not is_loopback(host) and reached is None) as book:
        if not read_only:
            book.run(config)
        service = make_service(
            book, config, host=host, allow_hosts=names, is_read_only=read_only, is_secure=is_secure,
            is_insecure=insecure,
        )  # fmt: skip
        if reached is None:
            check_reach(service, host)
        link = None if reached is None else (reached[1], _link(service, phone_role, insecure=insecure))
        serving = Serving(
            service, host, at, cert=cert, key=key, log=config.get("serve.access_log"),
            started=lambda: _say(ctx, serving.url, book.status().url, link),
        )  # fmt: skip
        _until_asked_to_end(serving)
    here.say("ended; what was acknowledged is in the book")


def _opened(here: "Session", host: str, *, read_only: bool, needs_token: bool) -> "Book":
    """Open the book; one is made only where nothing has to be in it.

    Raises:
        BadConfig: a token must be there, and there is no book.
        StoreError: it cannot be opened.
    """
    try:
        return here.open(read_only=read_only, create=not (read_only or needs_token))
    except StoreError as problem:
        if read_only or not needs_token or type(problem) is not StoreError:
            raise
        from onebook.http.serving import no_token

        raise no_token(host) from problem


def _reached(host: str | None, config: "Config", names: list[str]) -> tuple[str, str]:
    """Return where to listen so that a phone comes through, and the name that it uses; its names are allowed."""
    from onebook.http.auth import is_loopback
    from onebook.http.phone import EVERYWHERE, home_address, own_names

    wanted = host or config.get("serve.host")
    if host is not None or not is_loopback(wanted):
        shown = home_address() if wanted in {EVERYWHERE, "::"} else wanted
    else:
        wanted, shown = EVERYWHERE, home_address()
    named = names[0] if names else shown
    names.extend(own_names(shown))
    return wanted, named


def _link(service: "Service", role: str, *, insecure: bool) -> "PhoneLink":
    """Return the link that lets a phone in."""
    from onebook.http.phone import PhoneLink

    link: PhoneLink = service.part("phone", lambda made: PhoneLink(made, role, is_insecure=insecure))
    return link


def _say(ctx: typer.Context, url: str, place: str, phone: "tuple[str, PhoneLink] | None") -> None:
    from onebook.http.phone import base_of, drawn

    shown = None if phone is None else phone[1].url(base_of(url, phone[0]))
    if session(ctx).as_json:
        print_object({"url": url, "book": place} | ({} if shown is None else {"phone": shown}))
    else:
        print(f"serving {place} at {url}/ until Ctrl-C")
    if phone is not None and shown is not None and not session(ctx).as_json:
        print(f"for one phone, once, within ten minutes, with the role {phone[1].role}:")
        print(*drawn(shown), shown, sep="\n")
        if url.startswith("http:"):
            print("this goes without TLS: use it in a network of your own only")
    sys.stdout.flush()


def _until_asked_to_end(serving: Any) -> None:
    """Run it; the signal that ended it must not end this process before the book is closed."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        serving.run()
    except SystemExit:
        msg = "the service could not start; its log above says why"
        raise BadConfig(msg) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
